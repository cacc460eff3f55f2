"""What the cross-validation predictions of all folds choose: checkpoint and postprocessing.

Every object is measured once for each checkpoint and each postprocessing, on the grid of its
scan, by the fold that never saw it (validation.py). Here these are pooled, the best mean Dice is
chosen, and what an agreement is worth is learned for it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.models.fold_results import WEIGHTS, FoldResults
from interactivenet.models.model import CHOICE, CHOICE_VERSION
from interactivenet.pipeline.validate import MEASURES_VERSION, METRICS, SHOWN, VALIDATION
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.postprocessing.calibration import Calibration, calibrate, left_out
from interactivenet.postprocessing.components import CANDIDATES, Postprocessing
from interactivenet.preprocessing.folds import read_fold
from interactivenet.system.files import read_object, sha256, write_json

#: means of Dice that differ by less are a tie
TIE = 1e-4

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Selection:
    """The outcome.

    table: a row for each checkpoint and postprocessing: 'checkpoint', 'name', the mean of each
    metric in SHOWN, 'objects' and how many were 'missed'; the simplest first.
    objects: a row per object with the chosen ones: its metrics, 'case', 'fold', 'agreement' and
    'expected_dice', by a calibration that never saw its case.
    failures: case -> why it could not be segmented and has no say.
    made_from: of each fold, what its validation was made from.
    """

    task: str
    plan: str
    folds: tuple[int, ...]
    checkpoint: str
    postprocessing: Postprocessing
    table: tuple[Row, ...]
    objects: tuple[Row, ...]
    calibrations: Mapping[str, Calibration]
    failures: Mapping[str, str]
    made_from: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``postprocessing.json``."""
        return {
            "schema_version": CHOICE_VERSION,
            "task": self.task,
            "plan": self.plan,
            "folds": list(self.folds),
            "checkpoint": self.checkpoint,
            "postprocessing": asdict(self.postprocessing),
            "chosen": self.postprocessing.name,
            "table": list(self.table),
            "uncertainty": {name: asdict(one) for name, one in self.calibrations.items()},
            "objects": list(self.objects),
            "failures": dict(self.failures),
            "made_from": dict(self.made_from),
        }


def choose(roots: Roots, task: str, folds: Sequence[int] | None = None) -> Selection:
    """Pool the validation of the folds, all of the plan's where none are named, and choose.

    Raises RequestError where a fold is not trained or not validated, naming those.
    """
    processed, results = roots.processed_task(task), roots.results / task
    planned = PlannedTask.load(processed)
    numbers = _wanted(planned, results, folds)
    records = {number: _record(planned, results, number) for number in numbers}
    failures: dict[str, str] = {}
    rows: dict[str, list[dict[str, Any]]] = {checkpoint: [] for checkpoint in WEIGHTS}
    for number, record in records.items():
        for checkpoint in WEIGHTS:
            for case, content in record[checkpoint]["cases"].items():
                if content["error"]:
                    failures[case] = content["error"]
                rows[checkpoint] += [
                    {"case": case, "fold": number, **row} for row in content["objects"]
                ]
    if not all(rows.values()):
        raise RequestError(f"{results}: no validation case could be segmented: nothing to choose")
    table, options = [], []
    for candidate in CANDIDATES:
        for checkpoint in WEIGHTS:
            found = [_processed(row, candidate) for row in rows[checkpoint]]
            options.append((checkpoint, candidate, found))
            table.append({"checkpoint": checkpoint, "name": candidate.name, **_means(found)})
    best = max(row["dice"] for row in table)
    index = next(i for i, row in enumerate(table) if row["dice"] > best - TIE)
    checkpoint, postprocessing, objects = options[index]
    calibrations = _calibrations(objects)
    return Selection(
        task=task, plan=planned.plan.digest, folds=tuple(numbers), checkpoint=checkpoint,
        postprocessing=postprocessing, table=tuple(table),
        objects=tuple(_with_expected(objects, calibrations)), calibrations=calibrations,
        failures=failures, made_from=_made_from(records),
    )  # fmt: skip


def save_choice(choice: Selection, results: Path) -> Path:
    """Write ``postprocessing.json`` into a task's results and return its path."""
    write_json(results / CHOICE, choice.as_json())
    return results / CHOICE


def is_current(roots: Roots, task: str, folds: Sequence[int] | None = None) -> bool:
    """Whether ``postprocessing.json`` was chosen from just what is there now."""
    path = roots.results / task / CHOICE
    try:
        known = read_object(path)
        processed, results = roots.processed_task(task), roots.results / task
        planned = PlannedTask.load(processed)
        numbers = _wanted(planned, results, folds)
        records = {number: _record(planned, results, number) for number in numbers}
    except (DataError, RequestError):
        return False
    return (
        known.get("schema_version") == CHOICE_VERSION and known.get("made_from")
        == _made_from(records)
    )  # fmt: skip


def _wanted(planned: PlannedTask, results: Path, folds: Sequence[int] | None) -> list[int]:
    task, count = planned.name, len(planned.splits)
    numbers = list(range(count)) if folds is None else sorted(set(folds))
    there = [number for number in range(count) if FoldResults(results, number).is_finished]
    missing = [number for number in numbers if number not in there]
    if missing:
        some = f", or --folds {','.join(map(str, there))} goes on without" if there else ""
        raise RequestError(
            f"{results}: fold {', '.join(map(str, missing))} of {count} is not trained to its end:"
            f" 'interactivenet train -t {task} -f {missing[0]}'{some}"
        )
    return numbers


def _record(planned: PlannedTask, results: Path, number: int) -> dict[str, Any]:
    """Read what a fold's validation measured; raises RequestError where that is not current."""
    task, folder = planned.name, results / f"fold_{number}"
    path = folder / VALIDATION / METRICS
    record = read_object(path)
    fold = read_fold(planned, number)
    for checkpoint, name in WEIGHTS.items():
        known = record.get(checkpoint, {})
        made_from = known.get("made_from", {})
        current = (
            made_from.get("measures") == MEASURES_VERSION
            and made_from.get("weights") == sha256(folder / name)
            and made_from.get("regions") == fold.digest
            and set(fold.cases) <= set(known.get("cases", {}))
        )
        if not current:
            raise RequestError(
                f"{path}: lacks the validation of all cases with the fold's {checkpoint} weights:"
                f" 'interactivenet train -t {task} -f {number}' validates a trained fold"
                " (with the same -e)"
            )
    return record


def _made_from(records: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"fold_{number}": {checkpoint: record[checkpoint]["made_from"] for checkpoint in WEIGHTS}
        for number, record in records.items()
    }


def _processed(row: Row, candidate: Postprocessing) -> dict[str, Any]:
    """Return an object's row as a postprocessing leaves it."""
    plain = {name: value for name, value in row.items() if name != "postprocessed"}
    return {**plain, **row["postprocessed"].get(candidate.name, {})}


def _means(rows: Sequence[Row]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric in SHOWN:
        values = [row[metric] for row in rows if row[metric] is not None]
        found[metric] = statistics.fmean(values) if values else None
    return {**found, "objects": len(rows), "missed": sum(row["hd95"] is None for row in rows)}


def _calibrations(objects: Sequence[Row]) -> dict[str, Calibration]:
    found = {}
    for members in ("mirrored", "single"):
        calibration = calibrate(
            [row["agreement"][members] for row in objects],
            [row["dice"] for row in objects],
            [row["case"] for row in objects],
        )
        if calibration is not None:
            found[members] = calibration
    return found


def _with_expected(
    objects: Sequence[Row], calibrations: Mapping[str, Calibration]
) -> list[dict[str, Any]]:
    agreements = [row["agreement"]["mirrored"] for row in objects]
    expected = left_out(
        calibrations["mirrored"], agreements, [row["dice"] for row in objects],
        [row["case"] for row in objects],
    )  # fmt: skip
    return [
        {**row, "agreement": agreement, "expected_dice": value}
        for row, agreement, value in zip(objects, agreements, expected.tolist(), strict=True)
    ]
