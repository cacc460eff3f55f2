"""Networks that see corrections are told that the points lie inside, once they have answered."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.encoding.clicks import put_clicks
from interactivenet.errors import DataError
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model
from interactivenet.planning.plan import Normalisation, ObjectGrid, Plan
from tests.inference.predictors import knowing, random_weights
from tests.inference.test_corrections import GRIDS, SPACING, Heeding, at
from tests.sample_cases import make_plan, make_scan, stored_grid

SHAPE = {"sample_shape": (24, 24, 24), "corrections": True}
PLANS = {
    "spacing": make_plan(SPACING, **SHAPE, second_look=True),
    "object": make_plan(SPACING, **SHAPE, second_look=True, grid=ObjectGrid(mirrored=True),
                        normalisation=(Normalisation("zscore"),)),
}  # fmt: skip


def opened(plan, folder, grid="oblique", **more):
    """A session of a network that heeds points and clicks, and that network."""
    scan = make_scan(stored_grid((24, 22, 20), SPACING, **GRIDS[grid]))
    image = np.where(scan.label.array > 0, 1.0, -1.0) + 0.3 * scan.image.array
    scan = make_scan(scan.image.source, image=image.astype(np.float32))
    predictor = knowing(plan, folder, **more)
    network = Heeding()
    predictor._networks.networks = [network]
    return predictor.open(scan), network


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_points_are_told_once_more(tmp_path, kind, mirrored, grid):
    plan = PLANS[kind]
    session, network = opened(plan, tmp_path, grid, mirrored=mirrored)
    session.segment()
    copies = 8 if mirrored else 1
    assert sum(map(len, network.seen)) == copies + 1
    last = network.seen[-1][0]
    session_of_one, _ = opened(replace(plan, second_look=False), tmp_path, grid, mirrored=mirrored)
    session_of_one.segment()
    (sample,) = session._steps[-1].prepared.samples
    padded, inside = session.predictor._rules.pad(sample.array)
    first, second = (one._answers.find(one.prompts[0]).answer for one in (session_of_one, session))

    # the sample as it is, its six points where they are, and what was found
    expected = torch.from_numpy(padded.copy())
    start = np.array([side.start for side in inside[1:]])
    points = torch.tensor(sample.grid.world_to_voxel(sample.prompt.points) + start)
    found = torch.zeros(padded.shape[1:])
    found[inside] = torch.from_numpy(first.probability[0])
    put_clicks(expected, plan, points, points[:0], found)
    torch.testing.assert_close(last, expected)
    peaks = last[-3][tuple(points.round().long().T)]
    assert len(peaks) == 6 and peaks.min() > 0.5 and not last[-2].any()

    again = Heeding()(last[None]).softmax(1)[0, 1].numpy()[inside]
    np.testing.assert_allclose(second.probability[0], (first.probability[0] + again) / 2, atol=1e-6)
    assert second.agreement == first.agreement and second.copies == first.copies
    assert second.corrections == 0


def test_a_click_is_one_pass_on_the_mean(tmp_path):
    session, network = opened(PLANS["object"], tmp_path, mirrored=False)
    session.segment()
    before = session._answers.find(session.prompts[0]).answer
    network.seen.clear()
    result = session.correct(positive=at(session, (12, 11, 16)))
    assert sum(map(len, network.seen)) == 1
    inside = session.predictor._rules.pad(session._steps[-1].prepared.samples[0].array)[1][1:]
    np.testing.assert_allclose(network.seen[0][0, -1][inside], before.probability[0], atol=1e-6)
    again = session.predictor.segment(session.scan, session.prompts)
    np.testing.assert_array_equal(again.label, result.label)


def test_plans_of_before_are_asked_once(tmp_path):
    plan = PLANS["spacing"]
    older = replace(plan, second_look=False)
    written = older.as_json()["plan"]
    assert "second_look" not in written
    assert Plan.parse(written, tmp_path) == older
    session, network = opened(older, tmp_path, mirrored=False)
    session.segment()
    assert sum(map(len, network.seen)) == 1


def test_weights_do_not_depend_on_it(tmp_path):
    """So that a model can be asked in this way that was trained before there was one."""
    plan = PLANS["spacing"]
    older = replace(plan, second_look=False)
    assert plan.digest != older.digest and plan.weights_digest == older.digest
    Predictor(Model(plan, (random_weights(tmp_path / "w.safetensors", older),)), device="cpu")


def test_it_needs_a_network_that_sees_clicks(tmp_path):
    content = make_plan(SPACING).as_json()["plan"] | {"second_look": True}
    with pytest.raises(DataError, match="second_look needs a network that sees corrections"):
        Plan.parse(content, tmp_path)
