"""What clicks are worth, counted by hand."""

import json

import numpy as np
import pytest

from interactivenet.evaluation.clicking import BRUSH, MODEL, Clicking
from interactivenet.evaluation.correction_measures import measures, summarise_corrections
from interactivenet.evaluation.statistics import bootstrap_interval


def track(case, dice, *, prompt=0, method=MODEL, nsd=None, unheeded=(), without=(), seconds=0.5):
    """Rows of an object; unheeded, without: steps whose click is not heeded, or was not needed."""
    return [
        {"case": case, "prompt": prompt, "label": 1, "name": "a", "method": method,
         "clicks": step, "dice": one, "nsd": (nsd or dice)[step],
         "positive": None if not step or step in without else True,
         "heeded": None if not step or step in without else step not in unheeded,
         "seconds": None if not step or step in without or method == BRUSH else seconds * step}
        for step, one in enumerate(dice)
    ]  # fmt: skip


A = track("a", [0.5, 0.7, 0.92, 0.9, 0.95], unheeded=(2,))
B = track("b", [0.8, 0.82, 0.81, 0.85, 0.79])
C = track("c", [0.95, 1.0, 1.0, 1.0, 1.0], without=(2, 3, 4))


def test_measures_by_hand():
    worth = measures([A, B, C])
    areas = [
        (0.25 + 0.7 + 0.92 + 0.9 + 0.475) / 4,
        (0.4 + 0.82 + 0.81 + 0.85 + 0.395) / 4,
        (0.475 + 3 + 0.5) / 4,
    ]
    assert worth["auc"] == worth["auc_nsd"] == pytest.approx(np.mean(areas))
    assert worth["noc90"] == pytest.approx((2 + 5 + 0) / 3) and worth["never"] == 1
    # of 4 + 4 + 1 clicks, two of the second object's by 0.01 and 0.06, one of the first's by 0.02
    assert worth["steps"] == 9 and worth["steps_worse"] == pytest.approx(3 / 9)
    assert worth["ended_worse"] == pytest.approx(1 / 3)
    assert worth["heeded"] == pytest.approx(8 / 9)
    seconds = [0.5, 1, 1.5, 2, 0.5, 1, 1.5, 2, 0.5]
    assert worth["seconds"] == np.median(seconds) == 1
    assert worth["seconds_90"] == pytest.approx(np.percentile(seconds, 90))


def test_a_change_of_five_thousandths_is_not_worse():
    worth = measures([track("a", [0.8, 0.796, 0.8])])
    assert worth["steps_worse"] == 0 and worth["ended_worse"] == 0
    worth = measures([track("a", [0.8, 0.794])])
    assert worth["steps_worse"] == 1 and worth["ended_worse"] == 1


def test_the_challenges_figures():
    """From the first click to the last, undivided; mean of objects, then of cases."""
    dice, other = [0.1, 0.1, 0.3, 0.6, 0.7, 0.8], [0.3, 0.5, 0.5, 0.6, 0.7, 0.8]
    worth = measures(
        [track("a", dice, nsd=[0.9] * 6), track("a", dice, prompt=1, nsd=[0.7] * 6),
         track("b", other)]
    )["cvpr"]  # fmt: skip
    a, b = 0.05 + 0.3 + 0.6 + 0.7 + 0.4, 0.25 + 0.5 + 0.6 + 0.7 + 0.4
    assert worth["dsc_auc"] == pytest.approx((a + b) / 2)
    # no NSD where the Dice is 0.2 or lower: after the first click
    assert worth["nsd_auc"] == pytest.approx((0.8 * 3.5 + b) / 2)
    assert worth["dsc_final"] == pytest.approx(0.8) and worth["nsd_final"] == pytest.approx(0.8)
    perfect = measures([track("a", [1.0] * 6)])["cvpr"]
    assert perfect["dsc_auc"] == perfect["nsd_auc"] == 4


def test_a_single_click_has_no_area_in_the_challenge():
    worth = measures([track("a", [0.5, 0.7])])
    assert worth["auc"] == pytest.approx(0.6)
    assert worth["cvpr"]["dsc_auc"] is None and worth["cvpr"]["dsc_final"] == 0.7


def test_where_nothing_was_clicked_shares_are_none():
    worth = measures([track("a", [1.0, 1.0], without=(1,))])
    assert worth["steps"] == 0 and worth["noc90"] == 0
    assert worth["steps_worse"] is worth["heeded"] is worth["seconds"] is None
    assert worth["ended_worse"] == 0


def test_a_summary_pairs_the_same_objects():
    dice = {MODEL: {"a": [0.5, 0.8], "b": [0.6, 0.7], "c": [0.7, 0.9]},
            BRUSH: {"a": [0.5, 0.6], "b": [0.6, 0.5], "c": [0.7, 0.8]}}  # fmt: skip
    rows = [row for case in "cab" for method in (BRUSH, MODEL)
            for row in track(case, dice[method][case], method=method)]  # fmt: skip
    summary = summarise_corrections(rows, Clicking(1, "sloppy", 3))
    assert (summary["clicks"], summary["robot"], summary["seed"]) == (1, "sloppy", 3)
    assert summary["objects"] == summary["cases"] == 3
    curve = {(item["method"], item["clicks"]): item for item in summary["curve"]}
    assert len(curve) == 4 and curve[MODEL, 1]["dice"]["mean"] == pytest.approx(0.8)
    assert curve[BRUSH, 1]["dice"]["median"] == pytest.approx(0.6)
    assert curve[MODEL, 1]["gain"]["mean"] == pytest.approx(0.2)
    assert curve[MODEL, 0]["gain"]["mean"] == 0
    over = summary["over_brush"]
    assert over[0]["dice"] == {"mean": 0, "low": 0, "high": 0}
    assert over[1]["dice"]["mean"] == pytest.approx(0.5 / 3)
    interval = bootstrap_interval([0.1, 0.2, 0.2], ["c", "a", "b"])
    assert [over[1]["dice"][key] for key in ("low", "high")] == pytest.approx(interval)
    assert summary["methods"][MODEL]["ended_worse"] == 0
    assert summary["methods"][BRUSH]["ended_worse"] == pytest.approx(1 / 3)
    assert summary["methods"][BRUSH]["seconds"] is None
    json.dumps(summary, allow_nan=False)


def test_a_summary_of_nothing():
    summary = summarise_corrections([], Clicking(2))
    assert summary["objects"] == 0 and summary["curve"] == summary["over_brush"] == []
    assert summary["methods"] == {}
