"""The mean of folds whose probabilities were kept: no network is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, describe_failure, naming
from interactivenet.inference.case_keys import case_key, input_hashes
from interactivenet.inference.examination import examine
from interactivenet.inference.model_record import describe_made_by
from interactivenet.inference.outputs import CaseResult, Output
from interactivenet.inference.reading import read_case
from interactivenet.inference.sources import sources_of
from interactivenet.models.model import Model
from interactivenet.postprocessing.merging import PromptProbability, average, merge
from interactivenet.postprocessing.probabilities import read_probabilities
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.signals import Signals


def ensemble_cases(
    cases: Sequence[Case],
    model: Model,
    folds: Sequence[Output],
    output: Output,
    *,
    overwrite: bool = False,
    signals: Signals | None = None,
) -> Iterator[CaseResult]:
    """Average the stored probabilities of folds, yielding each case as it is done.

    folds: where the stage ``predict`` kept the probabilities of each. The voxels are those that
    all folds at once give. A case whose folds were made from anything else than its files and the
    model as they are now fails, naming what differs.
    """
    for case in cases:
        try:
            yield _ensemble_case(case, model, folds, output, overwrite)
        except Exception as error:  # one odd case must not end the others
            yield CaseResult(case.name, describe_failure(error))
        if signals:
            signals.check()


def _ensemble_case(
    case: Case, model: Model, folds: Sequence[Output], output: Output, overwrite: bool
) -> CaseResult:
    hashes = input_hashes(case)
    records = [_read_record(fold, case.name, model.plan.task) for fold in folds]
    first = records[0].get(MADE_FROM, {})
    options = {name: first.get(name) for name in ("mirrored", "restore", "precision")}
    if "backend" in first:  # which is noted where it is not PyTorch
        options["backend"] = first["backend"]
    for fold, record in zip(folds, records, strict=True):
        key = case_key(hashes, model, fold.folds, options, case.reading)
        differences = key.differences(record.get(MADE_FROM, {}))
        if differences:
            raise DataError(
                f"{fold.record(case.name)}: is out of date: {differences[0]} changed since it was"
                " predicted",
                remedy=f"run {_predict_again(model.plan.task)} again",
            )
    key = case_key(hashes, model, output.folds, options, case.reading)
    if not overwrite and output.is_done(case.name, key):
        return CaseResult(case.name, kept=True, record=output.read_kept(case.name))
    scan = read_case(case, model.plan)
    examined, source = examine(scan, model), scan.image.source
    by_fold: list[list[PromptProbability]] = []
    for fold, record in zip(folds, records, strict=True):
        prompts, agreements = recorded_prompts(record, fold.record(case.name))
        path = fold.probability_file(case.name)
        read = read_probabilities(path, prompts, agreements, source)
        beyond = [segmented.get("beyond_extremes", 0.0) for segmented in record["objects"]]
        by_fold.append(
            [replace(item, beyond=share) for item, share in zip(read, beyond, strict=True)]
        )
    means = [average(of_prompt) for of_prompt in zip(*by_fold, strict=True)]
    calibration = model.calibration(options["mirrored"])
    segmentation = merge(
        means, source, model.postprocessing, calibration,
        unlike=examined.unlike, notes=examined.notes,
    )  # fmt: skip
    sources = sources_of(case, scan.image.tags)
    made_by = describe_made_by(model, output.folds, [item.prompt for item in means])
    record = output.write(case.name, key, means, segmentation, sources, made_by, image=scan.image)
    return CaseResult(case.name, record=record)


def _read_record(fold: Output, case: str, task: str) -> dict[str, Any]:
    path, probabilities = fold.record(case), fold.probability_file(case)
    record = fold.read_record(case)
    if MADE_FROM not in record or not probabilities.exists():
        missing = probabilities if MADE_FROM in record else path
        raise DataError(f"{missing}: does not exist", remedy=f"run {_predict_again(task)} first")
    return record


def recorded_prompts(record: dict[str, Any], path: Path) -> tuple[list[Prompt], list[float]]:
    """Return the prompts of a case's record, and how far the networks agreed on each.

    path: of the record. Raises DataError, naming it and the field, where it is not as written.
    """
    kinds: dict[str, type | tuple[type, ...]] = {
        "label": int,
        "points": list,
        "name": str,
        "agreement": (int, float),
    }
    with naming(path):
        objects = [
            fields_of_kinds(segmented, kinds, f"objects[{number}]", whole=True)
            for number, segmented in enumerate(record["objects"])
        ]
        for number, segmented in enumerate(objects):
            share = segmented.get("beyond_extremes", 0.0)
            field = f"objects[{number}].beyond_extremes"
            if not 0 <= field_of_kind(share, (int, float), field) <= 1:
                raise DataError(f"field {field} is {share}, expected 0 to 1")
        corrections = [
            _corrections(segmented.get("corrections", []), f"objects[{number}].corrections")
            for number, segmented in enumerate(objects)
        ]
        try:
            prompts = [
                Prompt(
                    one["label"], np.array(one["points"], np.float64), one["name"],
                    corrections=of_object,
                )
                for one, of_object in zip(objects, corrections, strict=True)
            ]  # fmt: skip
        except (ValueError, TypeError) as error:
            raise DataError("field points is no list of [x, y, z]") from error
    return prompts, [one["agreement"] for one in objects]


def _corrections(content: Any, field: str) -> tuple[Correction, ...]:
    """Return the corrections of an object in a record; raises DataError, naming the field."""
    corrections = []
    for number, one in enumerate(field_of_kind(content, list, field)):
        within = f"{field}[{number}]"
        fields_of_kinds(one, {"point": list}, within, whole=True)
        if not isinstance(one.get("positive"), bool):
            raise DataError(f"field {within}.positive is no truth value, expected true or false")
        point = one["point"]
        if len(point) != 3 or not all(
            isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)
            for value in point
        ):
            raise DataError(f"field {within}.point is not [x, y, z] in mm")
        corrections.append(Correction(tuple(point), one["positive"]))
    return tuple(corrections)


def _predict_again(task: str) -> str:
    return f"`predict(task={task!r}, probabilities=True)`"
