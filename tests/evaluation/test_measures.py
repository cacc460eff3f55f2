"""Rows: what evaluate_masks says, differences, diameters; no NaN; sorted by how bad they are."""

import json

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.evaluation import evaluate_masks
from interactivenet.evaluation.diameters import largest_diameters
from interactivenet.evaluation.measures import measure_object, outcome, worst_first
from interactivenet.metric_names import METRICS

SPACING = (0.8, 1.0, 2.5)


def cubes():
    label = np.zeros((20, 18, 12), bool)
    label[4:12, 5:11, 3:8] = True
    prediction = np.roll(label, 2, axis=0)
    prediction[6, 5:11, 3:8] = False
    return prediction, label


def test_a_row():
    prediction, label = cubes()
    row = measure_object(prediction, label, SPACING, 1.0)
    assert set(row) == {metric.name for metric in METRICS}
    pair = evaluate_masks(prediction, label, SPACING, 1.0)
    assert {name: row[name] for name in pair} == pair
    assert row["nsd"] != measure_object(prediction, label, SPACING, 3.0)["nsd"]
    assert row["volume_difference_ml"] == pytest.approx(-6 * 5 * np.prod(SPACING) / 1000)
    for side, mask in (("prediction", prediction), ("label", label)):
        diameters = row[f"diameter_axial_{side}_mm"], row[f"diameter_3d_{side}_mm"]
        assert diameters == largest_diameters(mask, SPACING)


@pytest.mark.parametrize(
    ("predicted", "labelled", "expected", "distances"),
    [(True, True, "found", True), (False, True, "missed", False), (True, False, "false", False),
     (False, False, "empty", True)],
)  # fmt: skip
def test_outcomes(predicted, labelled, expected, distances):
    prediction, label = cubes()
    row = measure_object(prediction & predicted, label & labelled, SPACING)
    assert outcome(row) == expected
    json.dumps(row, allow_nan=False)
    assert all((row[name] is not None) == distances for name in ("hd", "hd95", "assd"))


def test_two_empty_masks_agree_and_have_no_size():
    empty = np.zeros((5, 6, 7), bool)
    row = measure_object(empty, empty, SPACING)
    assert row == {metric.name: float(metric.name in ("dice", "nsd")) for metric in METRICS}


def test_refused():
    with pytest.raises(DataError, match="share one shape"):
        measure_object(np.ones((3, 3, 3)), np.ones((3, 3, 4)), SPACING)


def test_worst_first():
    def row(case, dice, hd95, nsd=0.5):
        return {"case": case, "label": 1, "prompt": None, "dice": dice, "nsd": nsd, "hd95": hd95}

    rows = [row("a", 0.9, 1.0), row("b", 0.5, 1.0), row("c", 0.5, 9.0), row("d", 0.0, None),
            row("e", 0.0, 99.0), row("f", 0.5, 1.0)]  # fmt: skip
    assert [item["case"] for item in sorted(rows, key=worst_first)] == list("decbfa")


@pytest.mark.parametrize("corner", [(0, 0, 0), (12, 12, 7), (3, 0, 7)])
def test_what_lies_around_does_not_matter(corner):
    """Objects at the border of a scan, in a corner, and with nothing around them."""
    label, prediction = np.zeros((8, 6, 5), bool), np.zeros((8, 6, 5), bool)
    label[1:, :, :4] = True
    prediction[:7, 1:] = True
    alone = measure_object(prediction, label, SPACING)
    inside = [np.zeros((20, 18, 12), bool) for _ in range(2)]
    box = tuple(slice(start, start + n) for start, n in zip(corner, label.shape, strict=True))
    inside[0][box], inside[1][box] = prediction, label
    assert measure_object(*inside, SPACING) == alone
