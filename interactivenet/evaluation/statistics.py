"""From rows, one per object, to statistics."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from interactivenet.evaluation.measures import METRICS, Row, outcome

#: draws of a bootstrap, and the share of means that its interval holds
RESAMPLES, COVERAGE = 2000, 0.95

#: what is described, besides what is measured: how sure the network was
_SUMMARISED = (*(metric.name for metric in METRICS), "agreement", "expected_dice")

Statistics = dict[str, Any]


def summarise(rows: Sequence[Row], seed: int = 0) -> dict[str, Any]:
    """Describe objects: all of them, those of each label, and those of each subtype.

    Returns {'all': group, 'labels': {name or value: group}, {} where there is only one label,
    'subtypes': {name: group}, {} where no row has a subtype}. A group has 'objects', 'cases',
    'found', 'missed' (prediction empty, label not), 'false' (label empty, prediction not) and
    'both_empty', and 'metrics': name -> :func:`describe`, of those that an object has.

    Objects of which both masks are empty are counted only: they have no part in any mean.
    """
    labels: dict[str, list[Row]] = {}
    subtypes: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["label"])):
        labels.setdefault(str(row.get("name") or row["label"]), []).append(row)
        if row.get("subtype") is not None:
            subtypes.setdefault(str(row["subtype"]), []).append(row)
    return {
        "all": _group(rows, seed),
        "labels": {name: _group(some, seed) for name, some in labels.items() if len(labels) > 1},
        "subtypes": {name: _group(subtypes[name], seed) for name in sorted(subtypes)},
    }


def describe(values: Sequence[float], cases: Sequence[str], seed: int = 0) -> Statistics:
    """Describe the values (N,) of a metric, each of an object of the case beside it.

    Returns 'n', 'mean', 'std' (of a sample; None for one value), 'median', 'q1' and 'q3'
    (quartiles, interpolated), 'min', 'max', and 'low' and 'high', the bootstrap interval of the
    mean; all but 'n' are None where there are no values.
    """
    names = ("mean", "std", "median", "q1", "q3", "min", "max", "low", "high")
    if not len(values):
        return {"n": 0, **dict.fromkeys(names)}
    quartiles = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
    least, q1, median, q3, most = quartiles
    low, high = bootstrap_interval(values, cases, seed) or (None, None)
    found = (
        statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None,
        median, q1, q3, least, most, low, high,
    )  # fmt: skip
    return {"n": len(values), **dict(zip(names, found, strict=True))}


def bootstrap_interval(
    values: Sequence[float], cases: Sequence[str], seed: int = 0
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the mean of values (N,); None for one case.

    Resampled over CASES, each with all of its values: objects of one patient resemble each
    other, and drawing them one by one would make the interval too narrow.
    """
    groups: dict[str, list[float]] = {}
    for case, value in zip(cases, values, strict=True):
        groups.setdefault(case, []).append(value)
    if len(groups) < 2:
        return None
    sums = np.array([sum(group) for group in groups.values()])
    counts = np.array([len(group) for group in groups.values()])
    drawn = np.random.default_rng(seed).integers(len(groups), size=(RESAMPLES, len(groups)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(means, (tail, 1 - tail)).tolist()
    return float(low), float(high)


def _group(rows: Sequence[Row], seed: int) -> Statistics:
    counts = Counter(outcome(row) for row in rows)
    counted = [row for row in rows if outcome(row) != "empty"]
    metrics = {}
    for name in _SUMMARISED:
        known = [row for row in counted if row.get(name) is not None]
        if known:
            metrics[name] = describe(
                [row[name] for row in known], [row["case"] for row in known], seed
            )
    return {
        "objects": len(rows),
        "cases": len({row["case"] for row in rows}),
        **{name: counts[name] for name in ("found", "missed", "false")},
        "both_empty": counts["empty"],
        "metrics": metrics,
    }
