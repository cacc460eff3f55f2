"""Probabilities: their mean, their merging and their way to disk and back."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.postprocessing.calibration import calibrate
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.postprocessing.merging import PromptProbability, average, merge
from interactivenet.postprocessing.probabilities import read_probabilities, write_probabilities
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import Prompt
from tests.sample_cases import stored_grid

SHAPE = (9, 8, 7)
GRIDS = [
    stored_grid(SHAPE, (1.0, 1.2, 2.0), order, flips, (0.1, 0.0, 0.2))
    for order, flips in (
        ((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 2, 0), (1, -1, -1)),
        ((2, 1, 0), (-1, -1, -1)),
    )
]  # fmt: skip


def make_probability(source, label=1, value=0.9, start=(2, 1, 3), size=(4, 5, 3), agreement=0.8):
    points = source.ras.voxel_to_world(np.array([start]))
    values = np.random.default_rng(label).uniform(0, value, size).astype(np.float16)
    return PromptProbability(Prompt(label, points, f"l{label}"), values, start, agreement)


@pytest.mark.parametrize("source", GRIDS)
def test_a_stored_box_is_the_same_part_of_the_stored_volume(source):
    whole = np.arange(np.prod(source.ras.shape)).reshape(source.ras.shape)
    part = whole[2:6, 1:6, 3:6]
    stored, start = source.box_from_ras(part, (2, 1, 3))
    x, y, z = (slice(a, a + n) for a, n in zip(start, stored.shape, strict=True))
    np.testing.assert_array_equal(source.from_ras(whole)[x, y, z], stored)
    back, first = source.box_to_ras(stored, start)
    np.testing.assert_array_equal(back, part)
    assert first == (2, 1, 3)


@pytest.mark.parametrize("source", GRIDS)
def test_probabilities_come_back_as_they_were(tmp_path, source):
    probabilities = [
        make_probability(source, 1),
        make_probability(source, 2, start=(0, 0, 0), size=SHAPE),
    ]
    path = tmp_path / "case.npz"
    write_probabilities(path, probabilities, source)
    back = read_probabilities(path, [item.prompt for item in probabilities], [0.8, 0.8], source)
    for written, read in zip(probabilities, back, strict=True):
        np.testing.assert_array_equal(written.probability, read.probability)
        assert written.start == read.start and written.prompt is read.prompt
    with np.load(path) as content:  # as another program reads it, with the file's own indices
        np.testing.assert_array_equal(content["affine"], source.affine)
        values, start = content["probability_0"], content["start_0"]
    stored = np.argwhere(values == values.max())[:1] + start
    voxel = source.ras.world_to_voxel(source.voxel_to_world(stored.astype(float)))[0]
    inner = np.rint(voxel).astype(int) - probabilities[0].start
    assert probabilities[0].probability[tuple(inner)] == probabilities[0].probability.max()


def test_damaged_probabilities_are_refused(tmp_path):
    source = GRIDS[1]
    path = tmp_path / "case.npz"
    write_probabilities(path, [make_probability(source)], source)
    with pytest.raises(DataError, match=r"case\.npz: cannot be read as probabilities"):
        read_probabilities(path, [make_probability(source).prompt] * 2, [0.8, 0.8], source)
    another = stored_grid((5, 5, 5), (1, 1, 1))
    with pytest.raises(DataError, match=r"to an image of shape .* expected \(5, 5, 5\)"):
        read_probabilities(path, [make_probability(source).prompt], [0.8], another)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read as probabilities"):
        read_probabilities(path, [make_probability(source).prompt], [0.8], source)


def test_the_mean_is_of_probability_and_agreement():
    source = GRIDS[0]
    first, second = (
        make_probability(source, agreement=0.5), make_probability(source, 2, agreement=0.9),
    )  # fmt: skip
    mean = average([first, second])
    expected = (first.probability.astype(float) + second.probability.astype(float)) / 2
    np.testing.assert_allclose(mean.probability, expected, atol=1e-3)
    assert mean.agreement == pytest.approx(0.7) and mean.prompt is first.prompt
    with pytest.raises(ValueError, match="differ in their boxes"):
        average([first, make_probability(source, start=(0, 0, 0))])


def test_the_highest_probability_wins_voxel_by_voxel():
    source = GRIDS[2]
    probabilities = [
        make_probability(source, label, 1.0, (0, 0, 0), SHAPE) for label in (3, 5, 70000)
    ]
    merged = merge(probabilities, source)
    stack = np.stack([item.probability for item in probabilities])
    winner = np.where(stack.max(axis=0) >= 0.5, stack.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(merged.instance_map, winner)
    np.testing.assert_array_equal(merged.label, np.array([0, 3, 5, 70000])[winner])
    voxel_ml = 1.0 * 1.2 * 2.0 / 1000
    for number, segmented in enumerate(merged.objects):
        assert segmented.volume_ml == pytest.approx((winner == number + 1).sum() * voxel_ml)


def test_postprocessing_comes_before_merging():
    """What one prompt gives up, another may have; a filled hole does not outdo its rival."""
    source = stored_grid(SHAPE, (1, 1, 1))
    outer, inner = np.zeros(SHAPE, np.float16), np.zeros(SHAPE, np.float16)
    outer[1:8, 1:7, 1:6] = 0.9
    outer[4, 4, 3], outer[3, 3, 3] = 0.1, 0.2
    inner[4, 4, 3] = 0.6
    inside = source.ras.voxel_to_world(np.array([[1, 1, 1]]))
    probabilities = [PromptProbability(Prompt(label, inside), values, (0, 0, 0), 0.9)
              for label, values in ((1, outer), (2, inner))]  # fmt: skip
    plain = merge(probabilities, source)
    assert plain.label[3, 3, 3] == 0 and plain.label[4, 4, 3] == 2
    filled = merge(probabilities, source, Postprocessing(fill_holes=True))
    assert filled.label[3, 3, 3] == 1 and filled.label[4, 4, 3] == 2
    outer[0, 0, 0], inner[0, 0, 0] = 0.9, 0.7
    outer[1, 1, 1] = 0
    touching = [source.ras.voxel_to_world(np.array([voxel])) for voxel in ([5, 5, 4], [0, 0, 0])]
    probabilities = [
        PromptProbability(Prompt(label, points), values, (0, 0, 0), 0.9)
        for label, points, values in zip((1, 2), touching, (outer, inner), strict=True)
    ]
    assert merge(probabilities, source).label[0, 0, 0] == 1
    assert merge(probabilities, source, Postprocessing(component="touched")).label[0, 0, 0] == 2


def test_what_is_expected_stands_with_every_object():
    x = np.linspace(0.5, 1, 40)
    calibration = calibrate(x.tolist(), x.tolist(), list(map(str, range(40))))
    source = GRIDS[0]
    solid = (np.ones((4, 5, 3), np.float16), (2, 1, 3))
    prompts = [
        Prompt(label, source.ras.voxel_to_world(np.array([[2 + label, 3, 4]])), f"l{label}")
        for label in (1, 2)
    ]
    good = PromptProbability(prompts[0], *solid, 0.95)
    bad = PromptProbability(prompts[1], solid[0], (0, 0, 0), 0.55)
    merged = merge([good, bad], source, None, calibration, unlike=[(), ()])
    assert merged.objects[0].expected_dice == pytest.approx(0.95, abs=0.02)
    assert [item.needs_review for item in merged.objects] == [False, True]
    assert merged.objects[0].reasons == () and merge([good], source).objects[0].reasons == ()
    assert merge([good], source).objects[0].expected_dice is None
    # of a training set that is not known, nothing can be expected
    unknown = merge([good], source, None, calibration).objects[0]
    assert (unknown.expected_dice, unknown.needs_review) == (None, None)
    content = merged.objects[0].as_json()
    assert content["label"] == 1 and content["points"] == good.prompt.points.tolist()
    assert "corrections" not in content
    places = [tuple(place) for place in source.ras.voxel_to_world([[2, 1, 3], [5, 4, 4]]).tolist()]
    clicks = (Correction(places[0], False, "background"), Correction(places[1], True))
    merged = merge([replace(good, prompt=replace(prompts[0], corrections=clicks))], source)
    assert merged.objects[0].as_json()["corrections"] == [
        {"positive": False, "point": list(places[0])}, {"positive": True, "point": list(places[1])},
    ]  # fmt: skip


RIVALS = stored_grid((24, 16, 16), (1.0, 1.0, 1.0), (1, 2, 0), (-1, 1, -1)), (24, 16, 16)


def two_rivals(*corrections, labels=(1, 2)):
    """Two objects side by side, the second one far into the first; corrections of each."""
    source, shape = RIVALS
    own, other = np.full(shape, 0.05, np.float16), np.full(shape, 0.03, np.float16)
    own[2:14, 2:14, 2:14], other[8:22, 2:14, 2:14] = 0.9, 0.97
    middle = source.ras.voxel_to_world(np.array([[5, 8, 8]]))
    return source, [
        PromptProbability(
            Prompt(label, middle, corrections=tuple(
                Correction(tuple(source.ras.voxel_to_world([voxel])[0]), positive)
                for positive, voxel in of_object
            )), values, (0, 0, 0), 0.9)
        for label, values, of_object in zip(labels, (own, other), corrections, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize("labels", [(1, 2), (1, 1)])
def test_a_positive_click_takes_from_the_others_what_it_adds(labels):
    source, before = two_rivals((), (), labels=labels)
    clicked = (11, 8, 8)
    assert merge(before, source).instance_map[clicked] == 2
    source, after = two_rivals([(True, clicked)], (), labels=labels)
    merged = merge(after, source)
    assert (merged.instance_map[9:14, 6:11, 6:11] == 1).all()  # not the clicked voxel alone
    assert merged.instance_map[20, 8, 8] == 2
    # where the other one has clicked, too, each keeps its own surroundings
    source, both = two_rivals([(True, clicked)], [(True, (14, 8, 8))], labels=labels)
    merged = merge(both, source)
    assert merged.instance_map[12, 8, 8] == 1 and merged.instance_map[14, 8, 8] == 2
    assert merged.instance_map[clicked] == 1
    # a click in what is its own already takes nothing
    source, own = two_rivals([(True, (4, 8, 8))], (), labels=labels)
    assert (merge(own, source).instance_map == 2).sum() == (
        merge(before, source).instance_map == 2
    ).sum()


def test_no_dice_is_expected_of_what_another_objects_click_has_changed():
    source, items = two_rivals([(True, (11, 8, 8))], ())
    x = np.linspace(0.5, 1, 40).tolist()
    calibration = calibrate(x, x, list(map(str, range(40))))
    known = {"calibration": calibration, "unlike": [(), ()]}
    expected = [segmented.expected_dice for segmented in merge(items, source, **known).objects]
    assert expected == [None, None]
    source, items = two_rivals([(True, (4, 8, 8))], ())
    inside = source.ras.voxel_to_world(np.array([[18, 8, 8]]))
    items[1] = replace(items[1], prompt=Prompt(2, inside))
    expected = [segmented.expected_dice for segmented in merge(items, source, **known).objects]
    assert expected[0] is None and expected[1] is not None


def test_a_negative_click_on_what_another_object_of_the_label_holds_is_named():
    for labels, named in (((1, 1), 1), ((1, 2), 0)):
        source, items = two_rivals((), [(False, (11, 8, 8))], labels=labels)
        merged = merge(items, source)
        assert merged.instance_map[11, 8, 8] == 1
        reasons = [r for r in merged.objects[1].reasons if "another object of its label" in r]
        assert len(reasons) == named and all(r.startswith("correction -1 lies") for r in reasons)
        assert not any("another object" in reason for reason in merged.objects[0].reasons)
