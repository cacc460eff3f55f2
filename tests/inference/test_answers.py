"""A session asks its networks only about what is new, and its voxels are those of a new one."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.inference.answers import Answers
from interactivenet.planning.object_grid import ObjectGrid
from interactivenet.planning.plan import Normalisation
from interactivenet.prompts.corrections import Correction
from tests.inference.predictors import knowing
from tests.inference.test_corrections import Heeding, at
from tests.sample_cases import make_plan, make_scan, stored_grid

SPACING = (1.0, 1.2, 1.5)


@pytest.fixture(params=["spacing", "object"])
def opened(request, tmp_path):
    """A session over an object, and the network that it asks."""
    scan = make_scan(stored_grid((24, 22, 20), SPACING))
    image = np.where(scan.label.array > 0, 1.0, -1.0) + 0.3 * scan.image.array
    scan = make_scan(scan.image.source, image=image.astype(np.float32))
    changes = {"sample_shape": (24, 24, 24), "corrections": True}
    if request.param == "object":
        changes |= {"grid": ObjectGrid(), "normalisation": (Normalisation("zscore"),)}
    predictor = knowing(make_plan(SPACING, **changes), tmp_path, mirrored=False)
    network = Heeding()
    predictor._networks.networks = [network]
    return predictor, predictor.open(scan), network


def passes(network):
    count = sum(map(len, network.seen))
    network.seen.clear()
    return count


def clicks(session, *voxels):
    positions = [at(session, voxel)[0].tolist() for voxel, _ in voxels]
    return tuple(
        Correction(tuple(position), positive)
        for position, (_, positive) in zip(positions, voxels, strict=True)
    )


def test_only_what_is_new_is_asked(opened):
    predictor, session, network = opened
    (prompt,) = session.scan.prompts
    first, second = clicks(session, ((12, 11, 16), True), ((12, 9, 10), False))
    states = [
        ([prompt], 1),
        ([prompt], 0),
        ([replace(prompt, corrections=(first,))], 1),
        ([replace(prompt, corrections=(first, second))], 1),
        ([replace(prompt, corrections=(first,))], 0),  # undone
        ([replace(prompt, corrections=(second,))], 1),  # the first is taken back, not the second
        ([replace(prompt, corrections=(second,), name="renamed")], 0),
        ([prompt, prompt.with_points(prompt.points + np.array([0.0, 1.2, 0.0]))], 1),
        (
            [prompt.with_points(prompt.points + np.array([0.0, 1.2, 0.0]))],
            0,
        ),  # the other is deleted
    ]
    for prompts, expected in states:
        result = session.segment(prompts)
        assert passes(network) == expected
        anew = predictor.open(session.scan).segment(prompts)
        network.seen.clear()
        np.testing.assert_array_equal(result.instance_map, anew.instance_map)
        for one, other in zip(result.objects, anew.objects, strict=True):
            assert one.prompt.name == other.prompt.name
            assert one.as_json() == other.as_json()


@pytest.mark.parametrize("opened", ["spacing"], indirect=True)  # an object's own grid holds it
def test_a_click_outside_of_the_sample_is_cut_anew_as_in_a_new_session(opened):
    predictor, session, network = opened
    (prompt,) = session.scan.prompts
    inside, outside = clicks(session, ((12, 11, 16), True), ((0, 0, 0), True))
    session.segment([replace(prompt, corrections=(inside,))])
    network.seen.clear()
    both = replace(prompt, corrections=(inside, outside))
    result = session.segment([both])
    assert passes(network) == 3  # without clicks, with one, with both
    anew = predictor.open(session.scan).segment([both])
    np.testing.assert_array_equal(result.label, anew.label)
    assert result.notes == anew.notes


def test_the_oldest_answers_are_forgotten(opened):
    _, session, network = opened
    (prompt,) = session.scan.prompts
    session._answers = Answers(kept=0)
    other = prompt.with_points(prompt.points + np.array([0.0, 1.2, 0.0]))
    session.segment([prompt, other])
    assert passes(network) == 2
    session.segment([prompt])
    assert passes(network) == 0
    session.segment([other])  # what was not asked about last is gone
    assert passes(network) == 1
