"""From rows of corrections, one per object, method and click, to what clicks are worth."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.integrate import trapezoid

from interactivenet.evaluation.clicking import BRUSH, METHODS, MODEL, Clicking
from interactivenet.evaluation.statistics import Statistics, bootstrap_interval, describe

Row = Mapping[str, Any]
#: rows of one object and method, by their number of clicks from 0
Track = Sequence[Row]

#: Dice that an object is to reach, and a change of it that counts as worse
REACHED, WORSE = 0.90, 0.005
#: the challenge computes no NSD where the mean Dice of a case is not above this: it is 0
_NO_NSD_BELOW = 0.2
_CURVES = ("dice", "nsd")


def summarise_corrections(rows: Sequence[Row], clicking: Clicking) -> dict[str, Any]:
    """Describe what clicks did to objects.

    rows: as :func:`~interactivenet.evaluation.clicking.correct_case` gives them, of all cases.

    Returns 'clicks', 'robot' and 'seed'; 'objects' and 'cases', their numbers; 'curve', one per
    method and number of clicks, with 'dice' and 'nsd', each described (of objects, intervals
    over cases), and 'gain', the Dice above that of no click; 'over_brush', one per number of
    clicks, with 'dice' and 'nsd', the difference of the model and the brush in the same objects;
    and 'methods', method -> :func:`measures`. 'curve' and 'over_brush' are [] and 'methods' {}
    where there are no rows.
    """
    tracks = {method: _tracks(rows, method) for method in METHODS}
    model, brush = tracks[MODEL], tracks[BRUSH]
    steps = range(clicking.clicks + 1) if rows else ()
    return {
        **clicking.as_json(),
        "objects": len(model),
        "cases": len({case for case, _ in model}),
        "curve": [
            {"method": method, "clicks": step,
             **{name: _described(tracks[method], step, name) for name in _CURVES},
             "gain": _difference(tracks[method], tracks[method], step, 0, "dice")}
            for method in METHODS for step in steps
        ],
        "over_brush": [
            {"clicks": step,
             **{name: _difference(model, brush, step, step, name) for name in _CURVES}}
            for step in steps
        ],
        "methods": {method: measures(list(tracks[method].values())) for method in METHODS}
        if rows else {},
    }  # fmt: skip


def measures(tracks: Sequence[Track]) -> dict[str, Any]:
    """Return what the clicks of a method are worth.

    tracks: of one object or more, all of as many clicks.

    - 'auc', 'auc_nsd': area under Dice, and NSD, against clicks (trapezoids), divided by the number
      of clicks; mean of objects.
    - 'noc90': clicks to reach a Dice of 0.90, one more than there were where that never happened;
      mean of objects.  'never': how many objects never did.
    - 'steps_worse': share of clicks after which the Dice was lower by more than 0.005.
    - 'ended_worse': share of objects whose Dice ended so much lower than it began.
    - 'heeded': share of clicks after which they, and all earlier ones, lay on their side.
    - 'seconds', 'seconds_90': of a click, median and 90th percentile.
    - 'cvpr': 'dsc_auc', 'nsd_auc', 'dsc_final', 'nsd_final' as the CVPR 2025 challenge defines
      them: of each case the mean of its objects, and then the mean of cases; the area is that from
      the first click to the last, not divided (4 at most, of five clicks), and NSD counts as 0
      while the Dice of the case is 0.2 or lower. The two areas are None for a single click.

    What there were no clicks for is None.
    """
    curves = {
        name: np.array([[row[name] for row in track] for track in tracks]) for name in _CURVES
    }
    dice, last = curves["dice"], len(tracks[0]) - 1
    reached = dice >= REACHED
    ever = reached.any(axis=1)
    clicked = [
        (row["dice"] - before["dice"], row)
        for track in tracks
        for before, row in pairwise(track)
        if row["positive"] is not None
    ]
    seconds = [row["seconds"] for _, row in clicked if row["seconds"] is not None]
    return {
        **{name: float(trapezoid(curves[curve], axis=1).mean() / last)
           for name, curve in (("auc", "dice"), ("auc_nsd", "nsd"))},
        "noc90": float(np.where(ever, reached.argmax(axis=1), last + 1).mean()),
        "never": int((~ever).sum()),
        "steps": len(clicked),
        "steps_worse": _share(change < -WORSE for change, _ in clicked),
        "ended_worse": _share((dice[:, last] < dice[:, 0] - WORSE).tolist()),
        "heeded": _share(bool(row["heeded"]) for _, row in clicked),
        "seconds": statistics.median(seconds) if seconds else None,
        "seconds_90": float(np.percentile(seconds, 90)) if seconds else None,
        "cvpr": _as_in_the_challenge(tracks, curves),
    }  # fmt: skip


def _as_in_the_challenge(
    tracks: Sequence[Track], curves: Mapping[str, Any]
) -> dict[str, float | None]:
    """Return the challenge's four figures."""
    cases = [track[0]["case"] for track in tracks]
    areas: dict[str, list[float]] = {"dsc": [], "nsd": []}
    finals: dict[str, list[float]] = {"dsc": [], "nsd": []}
    for case in dict.fromkeys(cases):
        own = [number for number, name in enumerate(cases) if name == case]
        dice, nsd = (curves[name][own].mean(axis=0) for name in _CURVES)
        for name, curve in (("dsc", dice), ("nsd", np.where(dice > _NO_NSD_BELOW, nsd, 0.0))):
            areas[name].append(float(trapezoid(curve[1:])))
            finals[name].append(float(curve[-1]))
    several = len(tracks[0]) > 2
    return {
        **{f"{name}_auc": statistics.fmean(area) if several else None
           for name, area in areas.items()},
        **{f"{name}_final": statistics.fmean(final) for name, final in finals.items()},
    }  # fmt: skip


def _tracks(rows: Sequence[Row], method: str) -> dict[tuple[str, int], list[Row]]:
    """Sort the rows of a method by object; each object's by their number of clicks."""
    tracks: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        if row["method"] == method:
            tracks.setdefault((row["case"], row["prompt"]), []).append(row)
    return {key: sorted(track, key=lambda row: int(row["clicks"])) for key, track in tracks.items()}


def _described(tracks: Mapping[tuple[str, int], Track], step: int, name: str) -> Statistics:
    values = [track[step][name] for track in tracks.values()]
    return describe(values, [case for case, _ in tracks])


def _difference(
    tracks: Mapping[tuple[str, int], Track],
    others: Mapping[tuple[str, int], Track],
    step: int,
    other_step: int,
    name: str,
) -> dict[str, float | None]:
    """Return the mean difference of the same objects, and its interval over cases."""
    values = [track[step][name] - others[key][other_step][name] for key, track in tracks.items()]
    low, high = bootstrap_interval(values, [case for case, _ in tracks]) or (None, None)
    return {"mean": statistics.fmean(values), "low": low, "high": high}


def _share(values: Any) -> float | None:
    counted = list(values)
    return sum(counted) / len(counted) if counted else None
