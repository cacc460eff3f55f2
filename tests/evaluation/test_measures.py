"""Rows: what evaluate_masks says, differences, diameters; no NaN; sorted by how bad they are."""

import json

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.evaluation import evaluate_masks
from interactivenet.evaluation.diameters import largest_diameters
from interactivenet.evaluation.measures import METRIC, METRICS, measure_object, outcome, worst_first

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
        found = row[f"diameter_axial_{side}_mm"], row[f"diameter_3d_{side}_mm"]
        assert found == largest_diameters(mask, SPACING)


@pytest.mark.parametrize(
    ("predicted", "labelled", "what"),
    [(True, True, "found"), (False, True, "missed"), (True, False, "false"),
     (False, False, "empty")],
)  # fmt: skip
def test_empty_ones(predicted, labelled, what):
    prediction, label = cubes()
    row = measure_object(prediction & predicted, label & labelled, SPACING)
    assert outcome(row) == what
    json.dumps(row, allow_nan=False)
    assert (row["hd95"] is None) == (what in ("missed", "false"))
    if what == "empty":
        assert row["dice"] == 1 and row["hd95"] == 0 and row["diameter_3d_label_mm"] == 0


def test_refused():
    with pytest.raises(DataError, match="share one shape"):
        measure_object(np.ones((3, 3, 3)), np.ones((3, 3, 4)), SPACING)


def test_worst_first():
    def row(case, dice, hd95, nsd=0.5):
        return {"case": case, "label": 1, "prompt": None, "dice": dice, "nsd": nsd, "hd95": hd95}

    rows = [row("a", 0.9, 1.0), row("b", 0.5, 1.0), row("c", 0.5, 9.0), row("d", 0.0, None),
            row("e", 0.0, 99.0), row("f", 0.5, 1.0)]  # fmt: skip
    assert [one["case"] for one in sorted(rows, key=worst_first)] == list("decbfa")


def test_text():
    assert METRIC["dice"].text(0.87654) == "0.877" and METRIC["dice"].text(None) == ""
    assert METRIC["volume_difference_ml"].text(-0.001) == "0.00"
    assert METRIC["volume_difference_ml"].text(1.5, signed=True) == "+1.50"
    assert METRIC["hd95"].heading == "HD95 (mm)"


@pytest.mark.parametrize("where", [(0, 0, 0), (12, 12, 7), (3, 0, 7)])
def test_what_lies_around_does_not_matter(where):
    """Objects at the border of a scan, in a corner, and with nothing around them."""
    label, prediction = np.zeros((8, 6, 5), bool), np.zeros((8, 6, 5), bool)
    label[1:, :, :4] = True
    prediction[:7, 1:] = True
    alone = measure_object(prediction, label, SPACING)
    inside = [np.zeros((20, 18, 12), bool) for _ in range(2)]
    box = tuple(slice(start, start + n) for start, n in zip(where, label.shape, strict=True))
    inside[0][box], inside[1][box] = prediction, label
    assert measure_object(*inside, SPACING) == alone
