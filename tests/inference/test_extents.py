"""Where an object should end, on any grid; answers give way to it, clicks do not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.errors import DataError
from interactivenet.inference.extents import told_extent
from interactivenet.inference.predictor import Predictor
from interactivenet.inference.rules import make_sample
from interactivenet.models.model import Model
from interactivenet.planning.plan import ExtentPrior, Legacy, Normalisation, ObjectGrid, Plan
from interactivenet.prompts.corrections import Correction
from tests.inference.predictors import knowing, random_weights
from tests.inference.test_corrections import GRIDS, SPACING
from tests.sample_cases import make_plan, make_scan, stored_grid

SHAPE, SIZE = (24, 24, 24), (40, 36, 30)
PLANS = {
    "spacing": make_plan(SPACING, sample_shape=SHAPE, extent_prior=ExtentPrior()),
    "resampled": make_plan((2.0, 1.0, 1.0), sample_shape=SHAPE, extent_prior=ExtentPrior()),
    "object": make_plan(SPACING, sample_shape=SHAPE, extent_prior=ExtentPrior(),
                        grid=ObjectGrid(), normalisation=(Normalisation("zscore"),)),
}  # fmt: skip
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
#: the points of these scans lie one voxel below the extremes
DEPTH = SPACING


class Everything(torch.nn.Module):
    """Takes all that it sees for the object."""

    def forward(self, image):
        value = torch.full_like(image[:, :1], 4.0)
        return torch.cat([-value, value], 1)


def some_scan(**grid):
    scan = make_scan(stored_grid(SIZE, SPACING, **grid))
    (prompt,) = scan.prompts
    return replace(scan, prompts=(replace(prompt, depth_mm=DEPTH),))


def box_of(mask):
    voxels = np.argwhere(mask)
    return voxels.min(axis=0), voxels.max(axis=0)


@every_plan
@every_grid
def test_the_extent_is_that_of_the_object(plan, grid):
    scan = some_scan(**grid)
    sample = make_sample(scan, scan.prompts[0], plan)
    extent = told_extent(sample, plan)
    ends = sample.grid.voxel_to_world(np.stack([extent.first, extent.last]))
    first, last = scan.image.grid.world_to_voxel(ends)
    low, high = box_of(scan.label.array[0])
    np.testing.assert_allclose(first, low - 0.5, atol=1e-6)
    np.testing.assert_allclose(last, high + 0.5, atol=1e-6)
    np.testing.assert_allclose(extent.depth * sample.grid.spacing, DEPTH, atol=1e-9)


@every_plan
@every_grid
def test_a_network_that_leaks_is_confined(tmp_path, plan, grid):
    scan = some_scan(**grid)
    found = {}
    for way, asked in {"free": replace(plan, extent_prior=None), "confined": plan}.items():
        predictor = knowing(asked, tmp_path, mirrored=False)
        predictor._networks.networks = [Everything()]
        result = predictor.segment(scan)
        found[way] = result.label > 0
        (told,) = result.objects
        assert (told.beyond_extremes > 0.1) == (way == "confined") == bool(told.needs_review)
    low, high = box_of(scan.label.array[0])
    first, last = box_of(found["confined"])
    # a quarter of the depth is slack; where voxels are coarser than the scan's, one of theirs
    coarser = np.maximum(np.array(plan.spacing) / SPACING, 1)
    assert (np.abs(first - low) <= coarser).all() and (np.abs(last - high) <= coarser).all()
    assert found["confined"].sum() < found["free"].sum()
    assert not (found["confined"] & ~found["free"]).any()
    (reason,) = told.reasons
    assert reason.startswith(
        f"{told.beyond_extremes:.0%} of what was found lay beyond the extremes"
    )
    assert told.as_json()["beyond_extremes"] == told.beyond_extremes
    assert found["confined"][tuple(np.argwhere(scan.label.array[0]).T)].all()


@every_plan
def test_the_object_reaches_as_far_as_positive_clicks(plan):
    scan = some_scan()
    (prompt,) = scan.prompts
    low, high = box_of(scan.label.array[0])
    middle = (low + high) // 2
    beyond = np.array([high[0] + 5, middle[1], middle[2]])
    click = Correction(tuple(scan.image.grid.voxel_to_world(beyond[None])[0]), True)
    extents = {}
    for sign in (True, False):
        marked = replace(prompt, corrections=(replace(click, positive=sign),))
        sample = make_sample(scan, marked, plan)
        extent = told_extent(sample, plan, marked.corrections)
        ends = sample.grid.voxel_to_world(np.stack([extent.first, extent.last]))
        extents[sign] = scan.image.grid.world_to_voxel(ends)
    np.testing.assert_allclose(extents[False], [low - 0.5, high + 0.5], atol=1e-6)
    np.testing.assert_allclose(extents[True][0], low - 0.5, atol=1e-6)
    expected = high + 0.5
    expected[0] = beyond[0] + 1.5  # a click is a point, as deep as the others
    np.testing.assert_allclose(extents[True][1], expected, atol=1e-6)


@every_plan
def test_a_click_beyond_the_extremes_is_heeded(tmp_path, plan):
    predictor = knowing(plan, tmp_path, mirrored=False)
    session = predictor.open(some_scan())
    session.segment()
    _, high = box_of(session.scan.label.array[0])
    beyond = (int(high[0]) + 2, SIZE[1] // 2, SIZE[2] // 2)
    result = session.correct(positive=session.scan.image.grid.voxel_to_world(np.array([beyond])))
    assert result.label[beyond] == 1


def test_points_that_tell_no_extent_leave_the_answer_as_it_is(tmp_path):
    plan = PLANS["spacing"]
    scan = make_scan(stored_grid(SIZE, SPACING))
    few = scan.prompts[0].with_points(scan.prompts[0].points[:4])
    results = []
    for asked in (plan, replace(plan, extent_prior=None)):
        predictor = knowing(asked, tmp_path, mirrored=False)
        predictor._networks.networks = [Everything()]
        results.append(predictor.segment(scan, [few]).label)
    np.testing.assert_array_equal(*results)
    sample = make_sample(scan, few, plan)
    assert told_extent(sample, plan) is None
    assert told_extent(make_sample(scan, scan.prompts[0], plan), plan) is not None


def test_the_plan_says_how_deep_points_lie_that_do_not():
    scan = make_scan(stored_grid(SIZE, SPACING))
    for plan in PLANS.values():
        known = replace(plan, extent_prior=ExtentPrior(depth_mm=DEPTH))
        extent = told_extent(make_sample(scan, scan.prompts[0], known), known)
        told = some_scan()
        same = told_extent(make_sample(told, told.prompts[0], plan), plan)
        for name in ("first", "last", "depth"):
            np.testing.assert_allclose(getattr(extent, name), getattr(same, name), atol=1e-6)


def test_plans_of_before_stay_what_they_are(tmp_path):
    plan = PLANS["object"]
    older = replace(plan, extent_prior=None)
    written = older.as_json()["plan"]
    assert "extent_prior" not in written and Plan.parse(written, tmp_path) == older
    assert Plan.parse(plan.as_json()["plan"], tmp_path) == plan
    assert plan.digest != older.digest and plan.weights_digest == older.digest
    Predictor(Model(plan, (random_weights(tmp_path / "w.safetensors", older),)), device="cpu")
    with pytest.raises(DataError, match=r"extent_prior.*beyond"):
        Plan.parse({**written, "extent_prior": {"beyond": -1.0}}, tmp_path)
    with pytest.raises(ValueError, match="legacy knows no extent_prior"):
        replace(PLANS["spacing"], legacy=Legacy(0.1))
