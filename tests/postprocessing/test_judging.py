"""When a Dice is expected of an object, and why it is to be looked at first."""

import numpy as np
import pytest

from interactivenet.postprocessing.calibration import calibrate
from interactivenet.postprocessing.judging import HeldPoints, hold_points, judge

RNG = np.random.default_rng(0)
AGREEMENTS = RNG.uniform(0.8, 0.95, 40).tolist()
CALIBRATION = calibrate(AGREEMENTS, [a - 0.1 for a in AGREEMENTS], list(map(str, range(40))))
ALL = HeldPoints(6, 6, 1, 0)


def test_points_and_components_of_a_mask():
    mask = np.zeros((10, 10, 10), bool)
    mask[1:4, 1:4, 1:4] = mask[6:8, 6:8, 6:8] = mask[9, 9, 9] = True
    points = np.array([[1, 1, 1], [3, 3, 3], [6, 7, 6], [5, 5, 5], [-1, 0, 0], [10, 0, 0]])
    assert hold_points(mask, points) == HeldPoints(6, 3, 3, 1)  # all but the single voxel touched
    mask[8, 8, 8] = True  # joins the last two, by a corner
    assert hold_points(mask, points) == HeldPoints(6, 3, 2, 0)
    assert hold_points(mask & False, points) == HeldPoints(6, 0, 0, 0)


@pytest.mark.parametrize(
    ("points", "inside", "too_few"),
    [(6, 6, False), (6, 5, False), (6, 4, True), (6, 0, True), (2, 1, False), (2, 0, True),
     (1, 1, False), (1, 0, True)],
)  # fmt: skip
def test_fewer_than_all_but_one_of_the_points(points, inside, too_few):
    assert HeldPoints(points, inside, 1, 0).too_few is too_few


def test_an_object_like_those_of_training():
    judged = judge(0.93, ALL, CALIBRATION, ())
    assert judged.expected_dice == pytest.approx(0.83, abs=0.01)
    assert (judged.needs_review, judged.reasons) == (False, ())
    low = judge(0.805, ALL, CALIBRATION, ())
    assert low.expected_dice is not None and low.needs_review
    assert "agree less than those of four fifths" in low.reasons[0]


@pytest.mark.parametrize(
    ("agreement", "held", "unlike", "expected", "reason"),
    [
        (0.9, HeldPoints(6, 0, 0, 0), (), False, "nothing was found: its mask is empty"),
        (0.9, HeldPoints(1, 0, 0, 0), (), False, "nothing was found: its mask is empty"),
        (0.9, HeldPoints(6, 4, 1, 0), (), True, "its mask holds 4 of its 6 points"),
        (0.9, HeldPoints(6, 1, 1, 0), (), False, "its mask holds 1 of its 6 points"),
        (0.9, ALL, ("1 point, there 6",), False, "unlike the training data: 1 point, there 6"),
        (0.3, ALL, (), False, "unlike the training data: the networks' predictions agree by 0.300"),
        (0.9999, ALL, (), False, "unlike the training data: the networks' predictions agree by 1"),
    ],
)  # fmt: skip
def test_what_is_looked_at_first_and_has_no_number(agreement, held, unlike, expected, reason):
    judged = judge(agreement, held, CALIBRATION, unlike)
    assert judged.needs_review is True and judged.reasons[0].startswith(reason)
    assert (judged.expected_dice is not None) is expected


def test_of_what_is_not_known_nothing_is_made_up():
    unknown = judge(0.93, ALL, CALIBRATION, None)
    assert (unknown.expected_dice, unknown.needs_review) == (None, None)
    uncalibrated = judge(0.93, ALL, None, ())
    assert (uncalibrated.expected_dice, uncalibrated.needs_review) == (None, None)
    assert judge(0.93, ALL, None, ("x",)).needs_review is True


@pytest.mark.parametrize("size", [3, 5, 10, 40])
def test_agreements_of_the_same_kind_are_covered(size):
    drawn = 1 - np.exp(np.random.default_rng(size).normal(-3, 0.5, 400))
    out = 0
    for start in range(0, 200, size):
        known = drawn[start : start + size]
        learned = calibrate(known.tolist(), known.tolist(), list(map(str, range(len(known)))))
        out += np.mean([not learned.covers(value) for value in drawn[200:]])
    # one in size + 1 agrees less than the worst that was measured, and nobody knows its Dice
    assert out / len(range(0, 200, size)) < 1 / (size + 1) + 0.05


def test_a_constant_of_an_earlier_version_depends_on_no_agreement():
    from dataclasses import replace

    old = replace(CALIBRATION, kind="constant", agreement=(0.0,), dice=(0.8,))
    assert (
        old.covers(0.1) and judge(0.5, ALL, replace(old, threshold=None), ()).expected_dice == 0.8
    )
