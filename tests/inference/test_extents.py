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
#: from which on voxels are counted
START = (3, 1, 2)
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


def placed(scan, prompt, plan):
    """The extent of a prompt on the scan's grid, voxels counted from START on."""
    sample = make_sample(scan, prompt, plan)
    return told_extent(sample, plan, prompt.corrections, scan.image.grid, START)


def box_of(mask):
    voxels = np.argwhere(mask)
    return voxels.min(axis=0), voxels.max(axis=0)


@every_plan
@every_grid
def test_the_extent_is_that_of_the_object(plan, grid):
    scan = some_scan(**grid)
    extent = placed(scan, scan.prompts[0], plan)
    low, high = box_of(scan.label.array[0])
    np.testing.assert_allclose(extent.first + START, low - 0.5, atol=1e-6)
    np.testing.assert_allclose(extent.last + START, high + 0.5, atol=1e-6)
    np.testing.assert_allclose(extent.middle + START, (low + high) / 2, atol=1e-6)
    np.testing.assert_allclose(extent.half, (high - low + 1) / 2, atol=1e-6)
    np.testing.assert_allclose(extent.slack * SPACING, 0.25 * np.array(DEPTH), atol=1e-9)


@every_plan
@every_grid
def test_the_extent_is_the_same_on_the_grid_of_the_sample(plan, grid):
    scan = some_scan(**grid)
    (prompt,) = scan.prompts
    place = np.array([[20, 18, 15], [26, 20, 12]])
    clicks = [Correction(tuple(one), sign) for one, sign in
              zip(scan.image.grid.voxel_to_world(place), (True, False), strict=True)]  # fmt: skip
    sample = make_sample(scan, replace(prompt, corrections=tuple(clicks)), plan)
    on_scan, on_sample = (
        told_extent(sample, plan, clicks, where) for where in (scan.image.grid, sample.grid)
    )
    for field in ("first", "last", "middle", "clicks"):
        positions = sample.grid.voxel_to_world(np.atleast_2d(getattr(on_sample, field)))
        expected = np.atleast_2d(getattr(on_scan, field))
        np.testing.assert_allclose(scan.image.grid.world_to_voxel(positions), expected, atol=1e-6)
    for field in ("slack", "half"):
        mm = [getattr(one, field) * one.spacing for one in (on_scan, on_sample)]
        np.testing.assert_allclose(*mm, atol=1e-6)


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
@every_grid
def test_the_object_reaches_as_far_as_positive_clicks(plan, grid):
    scan = some_scan(**grid)
    low, high = box_of(scan.label.array[0])
    beyond = (low + high) // 2
    beyond[0] = high[0] + 5
    click = Correction(tuple(scan.image.grid.voxel_to_world(beyond[None])[0]), True)
    for sign in (True, False):
        marked = replace(scan.prompts[0], corrections=(replace(click, positive=sign),))
        extent = placed(scan, marked, plan)
        expected = high + 0.5
        if sign:
            expected[0] = beyond[0] + 1.5  # a click is a point, as deep as the others
        np.testing.assert_allclose(extent.first + START, low - 0.5, atol=1e-6)
        np.testing.assert_allclose(extent.last + START, expected, atol=1e-6)
        # the ellipsoid stays where the points are, and is not told around the click
        np.testing.assert_allclose(extent.middle + START, (low + high) / 2, atol=1e-6)
        np.testing.assert_allclose(extent.clicks + START, beyond[None], atol=1e-6)


@pytest.mark.parametrize("corrections", [False, True])
@every_plan
def test_what_a_network_finds_at_a_click_beyond_the_extremes_comes_back(
    tmp_path, plan, corrections
):
    """Also where the network sees no clicks, and is not asked again."""
    plan = replace(plan, corrections=corrections)
    predictor = knowing(plan, tmp_path, mirrored=False)
    predictor._networks.networks = [Everything()]
    session = predictor.open(some_scan())
    first = session.segment()
    _, high = box_of(session.scan.label.array[0])
    beyond = (int(high[0]) + 2, SIZE[1] // 2, SIZE[2] // 2)
    assert first.label[beyond] == 0
    result = session.correct(positive=session.scan.image.grid.voxel_to_world(np.array([beyond])))
    plane = result.label[beyond[0]] > 0
    assert plane[beyond[1:]] and plane.sum() > 0.5 * (first.label[int(high[0])] > 0).sum() > 20
    again = predictor.segment(session.scan, session.prompts)
    np.testing.assert_array_equal(again.label, result.label)
    np.testing.assert_array_equal(session.undo().label, first.label)


@pytest.mark.parametrize("name", ["spacing", "object"])
def test_a_network_is_shown_what_it_has_found_within_the_extent(tmp_path, name):
    """And what is kept of it is what it has said, so that a later click can bring it back."""
    plan = replace(PLANS[name], corrections=True, sample_shape=(32, 32, 32))  # one window
    predictor = knowing(plan, tmp_path, mirrored=False)
    seen = []

    class Recording(Everything):
        def forward(self, image):
            seen.append(image[0, -1].clone().numpy())
            return super().forward(image)

    predictor._networks.networks = [Recording()]
    session = predictor.open(some_scan())
    session.segment()
    low, high = box_of(session.scan.label.array[0])
    middle = (low + high) // 2
    session.correct(negative=session.scan.image.grid.voxel_to_world(middle[None]))
    (sample,) = session._steps[-1].prepared.samples
    shown = seen[-1][predictor._rules.pad(sample.array)[1][1:]]
    voxels = np.stack(np.indices(shown.shape), axis=-1).reshape(-1, 3)
    at = session.scan.image.grid.world_to_voxel(sample.grid.voxel_to_world(voxels))
    outside = ((at < low - 1.5) | (at > high + 1.5)).any(axis=1).reshape(shown.shape)
    inside = ((at >= low) & (at <= high)).all(axis=1).reshape(shown.shape)
    assert outside.any() and shown[outside].max() < 0.5
    assert inside.any() and shown[inside].min() > 0.5
    said = session._answers.find(session.prompts[0]).answer.probability
    assert said.min() > 0.9


def test_a_negative_click_takes_no_more_than_without_an_ellipsoid(tmp_path):
    """Where the network has heeded it already: the ellipsoid must not bring back what is gone."""
    source = stored_grid((41, 41, 41), (1.0, 1.0, 1.0))
    scan = make_scan(source, radii=(12, 12, 12))
    image = np.where(scan.label.array > 0, 0.3, -0.3).astype(np.float32)
    middle = (20, 20, 20)
    far = ((np.stack(np.indices((41, 41, 41)), -1) - 20.0) ** 2).sum(-1)
    image[0][far <= 9] = -0.04  # a core of which it is not sure
    scan = make_scan(source, image=image, radii=(12, 12, 12))
    prompt = replace(scan.prompts[0], depth_mm=(1.0, 1.0, 1.0))
    lost = {}
    for name, prior in {"confined": ExtentPrior(), "told": ExtentPrior(ellipsoid=3.0)}.items():
        plan = make_plan((1.0, 1.0, 1.0), sample_shape=SHAPE, extent_prior=prior)
        session = knowing(plan, tmp_path, mirrored=False).open(scan)
        before = session.segment([prompt]).label > 0
        assert before[middle] == (name == "told")  # what it leaves open is decided
        after = session.correct(negative=source.ras.voxel_to_world(np.array([middle]))).label > 0
        lost[name] = int(after.sum())
    assert abs(lost["told"] - lost["confined"]) <= 123  # the core


@pytest.mark.parametrize("depth", [None, DEPTH])
@pytest.mark.parametrize("kept", [[0], [0, 1, 2, 3], [0, 1, 2, 3, 2, 3]])
def test_points_that_tell_no_extent_do_not_confine(tmp_path, kept, depth):
    """Too few, or all in one plane, whatever depth is said of them."""
    plan = PLANS["spacing"]
    scan = make_scan(stored_grid(SIZE, SPACING))
    points = scan.prompts[0].points[kept]
    prompt = replace(scan.prompts[0].with_points(points), depth_mm=depth)
    found = {}
    for prior in (plan.extent_prior, None):
        predictor = knowing(replace(plan, extent_prior=prior), tmp_path, mirrored=False)
        predictor._networks.networks = [Everything()]
        result = predictor.segment(scan, [prompt])
        found[prior is None] = box_of(result.label > 0)
    if len(kept) < 6:
        np.testing.assert_array_equal(found[True], found[False])
    else:  # along the axis in which they do not spread
        np.testing.assert_array_equal(found[True][0][2], found[False][0][2])
        np.testing.assert_array_equal(found[True][1][2], found[False][1][2])


def test_a_depth_larger_than_the_points_are_apart_confines_nothing_it_should_not():
    scan = some_scan()
    plan = PLANS["spacing"]
    deep = replace(scan.prompts[0], depth_mm=(500.0, *DEPTH[1:]))
    extent = placed(scan, deep, plan)
    assert np.isinf([extent.first[0], extent.last[0]]).all() and not extent.half.any()
    assert np.isfinite([extent.first[1:], extent.last[1:], extent.slack[1:]]).all()


def test_padding_is_not_counted_as_found(tmp_path):
    """Of a scan of one slice the sample is mostly padding, which this network takes for object."""
    source = stored_grid((40, 36, 1), (1.0, 1.0, 5.0))
    label = make_scan(source, radii=(9, 8, 0)).label.array
    scan = make_scan(
        source, image=np.where(label > 0, 0.5, -0.5).astype(np.float32), radii=(9, 8, 0)
    )
    prompt = replace(scan.prompts[0], depth_mm=(1.0, 1.0, 0.0))
    plan = make_plan((1.0, 1.0, 5.0), sample_shape=SHAPE, extent_prior=ExtentPrior())
    result = knowing(plan, tmp_path, mirrored=False).segment(scan, [prompt])
    np.testing.assert_array_equal(result.label > 0, label[0] > 0)
    assert result.objects[0].beyond_extremes == 0


def test_the_plan_says_how_deep_points_lie():
    """On a grid of one spacing always: a file of points need not know; else where these do not."""
    scan, told = make_scan(stored_grid(SIZE, SPACING)), some_scan()
    other = replace(scan.prompts[0], depth_mm=(2.0, 2.0, 2.0))
    for name, plan in PLANS.items():
        expected = placed(told, told.prompts[0], plan)
        if name == "object":
            known = replace(plan, grid=ObjectGrid(depth_mm=DEPTH))
            found = [placed(scan, scan.prompts[0], known)]
        else:
            known = replace(plan, extent_prior=ExtentPrior(depth_mm=DEPTH))
            found = [placed(scan, prompt, known) for prompt in (scan.prompts[0], other)]
        for extent in found:
            for field in ("first", "last", "slack", "half"):
                np.testing.assert_allclose(
                    getattr(extent, field), getattr(expected, field), atol=1e-6
                )


def test_clicks_leave_the_sample_as_it_is(tmp_path):
    plan = make_plan(SPACING, sample_shape=(16, 16, 16), corrections=True)
    predictor = knowing(plan, tmp_path, mirrored=False)
    session = predictor.open(some_scan())
    session.segment()
    (sample,) = session._steps[-1].prepared.samples
    assert predictor._rules.pad(sample.array)[0] is sample.array
    before = sample.array.copy()
    session.correct(negative=session.scan.image.grid.voxel_to_world(np.array([(20, 18, 15)])))
    np.testing.assert_array_equal(sample.array, before)


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
