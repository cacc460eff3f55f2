"""``results/learning.json``: every fold that was measured, on whichever machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.learning.arms import ARMS
from interactivenet.system.files import read_json, write_text

Run = dict[str, Any]

_KEY = ("dataset", "budget", "arm", "fold", "seed")


def read_runs(path: Path) -> list[Run]:
    """Read the file; no runs where there is none."""
    return list(read_json(path)["runs"]) if path.exists() else []


def read_records(folder: Path) -> list[Run]:
    """Read the records of a work folder: the results of all its jobs."""
    return [_run(read_json(path)) for path in sorted(folder.rglob("*.json"))]


def merged(before: Iterable[Run], new: Iterable[Run]) -> list[Run]:
    """Join runs; a new one takes the place of an earlier one of the same fold.

    Those of arms and data sets that there are no more are left out.
    """
    every = [
        run for run in (*before, *new)
        if run["arm"] in ARMS and run["dataset"] in ARMS[run["arm"]].datasets
    ]  # fmt: skip
    runs = {tuple(run[name] for name in _KEY): run for run in every}
    return [runs[key] for key in sorted(runs, key=str)]


def write_runs(path: Path, runs: Sequence[Run]) -> None:
    """Write the file: one run a line, so that what changed can be seen."""
    lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in runs)
    write_text(path, f'{{"runs": [\n{lines}\n]}}\n')


def objects_of(runs: Sequence[Run], dataset: str, budget: str, arm: str) -> list[dict[str, Any]]:
    """Return the objects of an arm, pooled over its folds; with several seeds, their mean."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        if (run["dataset"], run["budget"], run["arm"]) == (dataset, budget, arm):
            for case, name, *scores in run["objects"]:
                row = dict(zip(("dice", "nsd", "hd95"), scores, strict=True))
                rows.setdefault((case, name), []).append(row)
    return [
        {"case": case, "object": name,
         **{metric: sum(row[metric] for row in found) / len(found) for metric in found[0]}}
        for (case, name), found in sorted(rows.items())
    ]  # fmt: skip


def _run(record: Mapping[str, Any]) -> Run:
    """Leave out what only the work folder needs, and make rows of the objects short."""
    kept = {name: value for name, value in record.items() if name != "identity"}
    kept["objects"] = [
        [row[name] for name in ("case", "object", "dice", "nsd", "hd95")]
        for row in record["objects"]
    ]
    seconds = [row["seconds"] for row in record["objects"] if "seconds" in row]
    if seconds:
        kept["cost"] = {
            **record["cost"],
            "seconds_an_object": round(sum(seconds) / len(seconds), 2),
        }
    return kept
