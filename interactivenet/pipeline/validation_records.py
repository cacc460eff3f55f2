"""What the folds' validations measured, read back whole: what a postprocessing is chosen from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError, naming
from interactivenet.models.fold_results import (
    VALIDATION_METRICS,
    WEIGHTS,
    FoldResults,
    check_validated,
)
from interactivenet.pipeline.validation_results import MEASURES_VERSION, SHOWN
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import read_fold
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import interpreting
from interactivenet.system.journal import Journal


def read_validations(
    planned: PlannedTask, results: Path, folds: Sequence[int] | None
) -> dict[int, dict[str, Any]]:
    """Read what the folds' validation measured: number -> record.

    Raises RequestError where one is not trained to its end, or its validation is not current.
    """
    count = len(planned.splits)
    numbers = list(range(count)) if folds is None else sorted(set(folds))
    finished = [number for number in range(count) if FoldResults(results, number).is_finished]
    missing = [number for number in numbers if number not in finished]
    if missing:
        some = f", or use only the finished ones: `folds={finished}`" if finished else ""
        raise RequestError(
            f"{results}: fold {', '.join(map(str, missing))} of {count} is not fully trained",
            remedy=f"run `train(task={planned.name!r}, fold={missing[0]})` first{some}",
        )
    return {number: _validation(planned, FoldResults(results, number)) for number in numbers}


def _validation(planned: PlannedTask, fold_results: FoldResults) -> dict[str, Any]:
    record = fold_results.read_validation()
    fold = read_fold(planned, fold_results.number)
    for checkpoint in WEIGHTS:
        fold_results.check_current(planned, checkpoint)
        validated = record.get(checkpoint, {})
        made_from = validated.get("made_from", {})
        current = (
            made_from.get("measures") == MEASURES_VERSION
            and made_from.get("weights") == fold_results.digest(checkpoint)
            and made_from.get("regions") == fold.digest
            and set(fold.cases) <= set(validated.get("cases", {}))
        )
        if not current:
            stage = f"`train(task={planned.name!r}, fold={fold_results.number})`"
            raise RequestError(
                f"{fold_results.validation}: lacks the validation of all cases with the fold's"
                f" {checkpoint} weights",
                remedy=f"run {stage} with the same `epochs`: it validates a trained fold",
            )
    with naming(fold_results.validation / VALIDATION_METRICS):
        _check_complete(record)
    return record


def _check_complete(record: Mapping[str, Any]) -> None:
    """Raise DataError, naming the field, where a row of an object lacks what is chosen by."""
    for checkpoint in WEIGHTS:
        for case, content in record[checkpoint]["cases"].items():
            for number, row in enumerate(content["objects"]):
                field = f"{checkpoint}.cases.{case}.objects[{number}]"
                kinds = {"agreement": dict, "postprocessed": dict}
                fields_of_kinds(row, kinds, field, whole=True)
                members = {"mirrored": (int, float), "single": (int, float)}
                fields_of_kinds(row["agreement"], members, f"{field}.agreement", whole=True)
                if missing := [name for name in SHOWN if name not in row]:
                    raise DataError(f"field {field}.{missing[0]} is missing")
                if not 0 <= field_of_kind(row["dice"], (int, float), f"{field}.dice") <= 1:
                    raise DataError(f"field {field}.dice is {row['dice']}, expected 0 to 1")


def made_from_validations(records: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a choice is made from: of every validation its key, and all that it measured.

    With the cases that failed: one that is mended and validated again has the same key.
    """
    return {
        f"fold_{number}": {
            checkpoint: {
                **record[checkpoint]["made_from"],
                "measured": CacheKey(record[checkpoint]["cases"]).digest,
            }
            for checkpoint in WEIGHTS
        }
        for number, record in records.items()
    }


def take_in(journal: Journal, records: dict[str, Any]) -> bool:
    """Put what a run that was killed has measured into the records of the same weights and data.

    Returns whether there was anything.
    """
    taken = False
    with interpreting(journal.path, remedy="remove it"):
        for number, (checkpoint, digest, case, found) in journal.read():
            record = records.get(checkpoint, {})
            if record and CacheKey(record["made_from"]).digest == digest:
                check_validated({"cases": {case: found}}, f"line {number}")
                record["cases"][case] = found
                taken = True
    return taken
