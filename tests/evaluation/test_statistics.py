"""Statistics equal plain ones; what is empty is counted apart; intervals are over cases."""

import json
import statistics

import numpy as np
import pytest

from interactivenet.evaluation.statistics import RESAMPLES, bootstrap_interval, describe, summarise
from interactivenet.metric_names import METRICS


def row(case, dice, *, label=1, subtype=None, volumes=(1.0, 1.0), **changes):
    values = {metric.name: 1.0 for metric in METRICS}
    values |= {"dice": dice, "volume_prediction_ml": volumes[0], "volume_label_ml": volumes[1]}
    if not volumes[0] or not volumes[1]:
        values |= dict.fromkeys(("hd", "hd95", "assd"))
    return {"case": case, "label": label, "subtype": subtype, **values, **changes}


def test_describe():
    values = [0.2, 0.9, 0.4, 0.8, 0.5]
    described = describe(values, list("abcde"))
    assert described["n"] == 5 and described["mean"] == pytest.approx(0.56)
    assert described["std"] == pytest.approx(statistics.stdev(values))
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    assert [described["q1"], described["median"], described["q3"]] == pytest.approx(quartiles)
    assert (described["min"], described["max"]) == (0.2, 0.9)
    assert (
        described["min"]
        < described["low"]
        < described["mean"]
        < described["high"]
        < described["max"]
    )
    single = describe([0.5], ["a"])
    assert (single["mean"], single["median"], single["std"], single["low"]) == (
        0.5,
        0.5,
        None,
        None,
    )
    nothing = describe([], [])
    assert nothing.pop("n") == 0 and set(nothing.values()) == {None} and len(nothing) == 9


@pytest.mark.parametrize("cases", [7, 60])
def test_an_interval_is_the_same_however_few_resamples_are_drawn_at_once(cases, monkeypatch):
    values = np.random.default_rng(1).random(cases).tolist()
    names = [str(number) for number in range(cases)]
    whole = bootstrap_interval(values, names, seed=2)
    monkeypatch.setattr(
        "interactivenet.evaluation.statistics._DRAWN", 3 * cases
    )  # three at a time: memory stays as it is
    assert bootstrap_interval(values, names, seed=2) == whole


def test_bootstrap_equals_a_plain_one():
    rng = np.random.default_rng(5)
    cases = [f"case_{number}" for number in rng.integers(12, size=40)]
    values = rng.random(40).tolist()
    names = list(dict.fromkeys(cases))
    resamples = np.random.default_rng(3).integers(len(names), size=(RESAMPLES, len(names)))
    means = []
    for indices in resamples:
        resample = []
        for index in indices:
            resample += [v for v, c in zip(values, cases, strict=True) if c == names[index]]
        means.append(statistics.fmean(resample))
    interval = bootstrap_interval(values, cases, seed=3)
    assert interval == pytest.approx(np.percentile(means, (2.5, 97.5)))
    assert interval == bootstrap_interval(values, cases, seed=3)
    assert interval != bootstrap_interval(values, cases, seed=4)


def test_objects_of_one_patient_are_not_independent():
    """The same six patients ten times over say no more than once."""
    values, cases = [0.1, 0.3, 0.5, 0.6, 0.8, 0.9], list("abcdef")
    once = bootstrap_interval(values, cases)
    assert bootstrap_interval(values * 10, cases * 10) == pytest.approx(once)
    low, high = bootstrap_interval(values * 10, [str(number) for number in range(60)])
    assert high - low < 0.5 * (once[1] - once[0])


def test_bootstrap_covers_the_mean():
    """A 95 % interval holds the true mean about so often."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        low, high = bootstrap_interval(rng.normal(size=40), [str(i) for i in range(40)])
        hits += low < 0 < high
    assert 88 <= hits <= 99


def test_empty_ones_are_counted_apart():
    rows = [row("a", 0.8), row("b", 0.6), row("c", 0.0, volumes=(0.0, 2.0)),
            row("d", 0.0, volumes=(2.0, 0.0)), row("e", 0.0, volumes=(2.0, 0.0)),
            row("f", 1.0, volumes=(0.0, 0.0), hd95=0.0)]  # fmt: skip
    overall = summarise(rows)["all"]
    counts = {name: overall[name] for name in ("objects", "found", "missed", "false", "both_empty")}
    assert counts == {"objects": 6, "found": 2, "missed": 1, "false": 2, "both_empty": 1}
    dice, hd95 = overall["metrics"]["dice"], overall["metrics"]["hd95"]
    assert dice["n"] == 5 and dice["mean"] == pytest.approx(1.4 / 5)
    assert hd95["n"] == 2 and hd95["mean"] == 1.0


def test_groups():
    rows = [row("a", 0.8, subtype="x"), row("a", 0.6, label=2, subtype="x"),
            row("b", 0.4, label=10, subtype="y"), row("c", 0.2)]  # fmt: skip
    summary = summarise(rows)
    assert summary["all"]["cases"] == 3 and summary["all"]["objects"] == 4
    assert list(summary["labels"]) == ["1", "2", "10"]
    assert summary["labels"]["1"]["metrics"]["dice"]["mean"] == pytest.approx(0.5)
    assert {name: group["objects"] for name, group in summary["subtypes"].items()} == {
        "x": 2,
        "y": 1,
    }
    assert summary["subtypes"]["x"]["metrics"]["dice"]["mean"] == pytest.approx(0.7)
    json.dumps(summary, allow_nan=False)
    named = summarise([row("a", 0.8, name="tumour"), row("b", 0.4, label=2, name="")])
    assert list(named["labels"]) == ["tumour", "2"]
    assert not any(summarise([row("a", 0.8), row("b", 0.4)])[key] for key in ("labels", "subtypes"))


def test_what_the_network_thought_is_described_where_known():
    rows = [row("a", 0.8, expected_dice=0.7, agreement=None), row("b", 0.6, expected_dice=None)]
    metrics = summarise(rows)["all"]["metrics"]
    assert metrics["expected_dice"]["n"] == 1 and metrics["expected_dice"]["low"] is None
    assert "agreement" not in metrics


def test_nothing_at_all():
    summary = summarise([])
    assert summary["all"]["objects"] == 0 and summary["labels"] == {}
    assert summary["all"]["metrics"] == {}
