"""From rows, one per object, to statistics."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from interactivenet.evaluation.measures import Row, outcome
from interactivenet.metric_names import METRIC

#: resamples of a bootstrap, and the share of their means that its interval holds
RESAMPLES, COVERAGE = 2000, 0.95

#: cases that are drawn at once for the resamples: their values take some hundred MB at the most
_DRAWN = 2**22

Statistics = dict[str, Any]


def summarise(rows: Sequence[Row], seed: int = 0) -> dict[str, Any]:
    """Describe objects: all of them, those of each label, and those of each subtype.

    Returns {'all': group, 'labels': {name or value: group}, {} where there is only one label,
    'subtypes': {name: group}, {} where no row has a subtype}. A group has 'objects', 'cases',
    'found', 'missed' (prediction empty, label not), 'false' (label empty, prediction not) and
    'both_empty', and 'metrics': name -> :func:`describe`, of those that an object has.

    Objects whose masks are both empty are only counted: no mean includes them.
    """
    labels: dict[str, list[Row]] = {}
    subtypes: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["label"])):
        labels.setdefault(str(row.get("name") or row["label"]), []).append(row)
        if row.get("subtype") is not None:
            subtypes.setdefault(str(row["subtype"]), []).append(row)
    return {
        "all": _group(rows, seed),
        "labels": {name: _group(labels[name], seed) for name in labels if len(labels) > 1},
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
    least, q1, median, q3, most = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
    low, high = bootstrap_interval(values, cases, seed) or (None, None)
    described = (
        statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None,
        median, q1, q3, least, most, low, high,
    )  # fmt: skip
    return {"n": len(values), **dict(zip(names, described, strict=True))}


def bootstrap_interval(
    values: Sequence[float], cases: Sequence[str], seed: int = 0
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the mean of values (N,); None for one case.

    Resampled over CASES, each with all of its values: objects of one patient resemble each
    other, and drawing them one by one would make the interval too narrow.
    """
    from scipy.stats import bootstrap

    groups: dict[str, list[float]] = {}
    for case, value in zip(cases, values, strict=True):
        groups.setdefault(case, []).append(value)
    if len(groups) < 2:
        return None
    sums, counts = [sum(group) for group in groups.values()], list(map(len, groups.values()))
    interval = bootstrap(
        (sums, counts), lambda sums, counts, axis: sums.sum(axis) / counts.sum(axis),
        paired=True, vectorized=True, method="percentile", n_resamples=RESAMPLES,
        batch=max(1, min(RESAMPLES, _DRAWN // len(groups))),
        confidence_level=COVERAGE, rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return float(interval.low), float(interval.high)


def _group(rows: Sequence[Row], seed: int) -> Statistics:
    counts = Counter(outcome(row) for row in rows)
    counted = [row for row in rows if outcome(row) != "empty"]
    metrics = {}
    for name in METRIC:
        defined = [row for row in counted if row.get(name) is not None]
        if defined:
            values, cases = [row[name] for row in defined], [row["case"] for row in defined]
            metrics[name] = describe(values, cases, seed)
    return {
        "objects": len(rows),
        "cases": len({row["case"] for row in rows}),
        **{name: counts[name] for name in ("found", "missed", "false")},
        "both_empty": counts["empty"],
        "metrics": metrics,
    }
