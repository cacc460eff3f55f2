"""Agreement, and what is learned from it."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from pydantic import TypeAdapter

from interactivenet.postprocessing.calibration import Calibration, agreement, calibrate, left_out


def test_agreement_is_the_soft_dice_with_the_own_mask():
    mean = np.array([[[1.0, 0.8, 0.5, 0.4, 0.0]]])
    assert agreement(mean) == pytest.approx(2 * 2.3 / (3 + 2.7))
    assert agreement(np.ones((2, 2, 2))) == 1
    assert agreement(np.zeros((2, 2, 2))) == 0


def test_agreement_falls_with_disagreement_and_means_the_same_for_many():
    rng = np.random.default_rng(0)
    base = np.zeros((20, 20, 20))
    base[5:15, 5:15, 5:15] = 1
    agreements = []
    for shift in (0, 1, 2, 3):
        members = [np.roll(base, int(rng.choice([-shift, shift])), axis) for axis in (0, 1, 2)]
        agreements.append(agreement(np.mean([base, *members], axis=0)))
    assert agreements == sorted(agreements, reverse=True)
    assert agreements[0] == 1 and agreements[-1] < 0.8


def related(count, noise, seed=0, per_case=1):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.6, 0.99, count)
    y = (x**2 + rng.normal(0, noise, count)).clip(0, 1)
    return x.tolist(), y.tolist(), [f"case_{i // per_case}" for i in range(count)]


def test_a_relation_is_learned_and_a_flag_hits():
    x, y, cases = related(200, 0.02)
    learned = calibrate(x, y, cases)
    assert learned.kind in ("linear", "isotonic") and learned.objects == 200
    assert learned.error < 0.03 < learned.error_constant
    assert learned.expected(0.7) == pytest.approx(0.49, abs=0.05)
    assert learned.expected(0.1) == learned.dice[0] and learned.expected(1.0) == learned.dice[-1]
    assert learned.hit_rate > 0.8 > learned.chance == pytest.approx(0.2)
    assert learned.needs_review(0.6) is True and learned.needs_review(0.95) is False


def test_no_relation_expects_the_mean():
    rng = np.random.default_rng(1)
    y = rng.uniform(0.7, 0.9, 60)
    learned = calibrate(rng.uniform(0, 1, 60).tolist(), y.tolist(), list(map(str, range(60))))
    assert learned.kind == "constant" and learned.expected(0.2) == pytest.approx(y.mean())
    assert learned.hit_rate < 0.5  # stated as it is


def test_few_objects_have_no_flag():
    learned = calibrate([0.8, 0.9], [0.7, 0.9], ["a", "b"])
    assert (
        learned.kind == "constant"
        and learned.threshold is None
        and learned.needs_review(0.1) is None
    )
    assert learned.expected(0.5) == pytest.approx(0.8)
    assert calibrate([], [], []) is None


def test_expectations_are_of_cases_left_out():
    """One case's objects never tell what is expected of each other."""
    x, y, cases = related(40, 0.02, per_case=2)
    learned = calibrate(x, y, cases)
    before = left_out(learned, x, y, cases)
    changed = [0.0 if case == "case_3" else value for case, value in zip(cases, y, strict=True)]
    after = left_out(learned, x, changed, cases)
    own = np.array(cases) == "case_3"
    np.testing.assert_allclose(before[own], after[own])
    assert not np.allclose(before[~own], after[~own])


def test_a_calibration_survives_json():
    learned = calibrate(*related(80, 0.05))
    again = TypeAdapter(Calibration).validate_json(json.dumps(asdict(learned)))
    assert again == learned
    with pytest.raises(ValueError, match="knots"):
        Calibration(**{**asdict(learned), "agreement": (0.9, 0.1), "dice": (0.5, 0.6)})
