"""The mean of folds whose probabilities were kept: no network is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.io import read_image
from interactivenet.inference.batch import (
    CaseResult,
    Output,
    input_hashes,
    is_done,
    made_from,
    why,
    write_case,
)
from interactivenet.models.model import Model
from interactivenet.postprocessing.merging import PromptProbability, average, merge
from interactivenet.postprocessing.probabilities import read_probabilities
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.files import read_object
from interactivenet.system.signals import Signals


def ensemble_cases(
    cases: Sequence[Case],
    model: Model,
    folders: Mapping[int, Path],
    output: Output,
    *,
    overwrite: bool = False,
    signals: Signals | None = None,
) -> Iterator[CaseResult]:
    """Average the stored probabilities of folds, yielding each case as it is done.

    folders: fold -> where ``predict -w`` left its probabilities. The voxels are those that all
    folds at once give. A case whose folds were made from anything else than its files and the
    model as they are now fails, naming what differs.
    """
    for case in cases:
        try:
            yield _one(case, model, folders, output, overwrite)
        except Exception as error:  # one odd case must not end the others
            yield CaseResult(case.name, why(error))
        if signals:
            signals.check()


def _one(
    case: Case, model: Model, folders: Mapping[int, Path], output: Output, overwrite: bool
) -> CaseResult:
    hashes = input_hashes(case)
    records = {number: _record(folder, case) for number, folder in folders.items()}
    first = next(iter(records.values()))["made_from"]
    how = {name: first.get(name) for name in ("mirrored", "restore", "precision")}
    for number, record in records.items():
        expected = made_from(hashes, model, (number,), how)
        known = record["made_from"]
        different = sorted(
            name for name in {*known, *expected} if known.get(name) != expected.get(name)
        )
        if different:
            raise DataError(
                f"{folders[number] / case.name}.json: was predicted with other {different[0]} than"
                " there are now: run 'interactivenet predict -w' again"
            )
    mine = made_from(hashes, model, output.folds, how)
    if not overwrite and is_done(case.name, output, mine):
        return CaseResult(
            case.name, kept=True, record=read_object(output.folder / f"{case.name}.json")
        )
    source = read_image(case.images[0]).source
    of_folds: list[list[PromptProbability]] = []
    for number, record in records.items():
        objects = record["objects"]
        prompts = [Prompt(one["label"], np.array(one["points"]), one["name"]) for one in objects]
        agreements = [one["agreement"] for one in objects]
        path = folders[number] / f"{case.name}.npz"
        of_folds.append(read_probabilities(path, prompts, agreements, source))
    means = [average(of_prompt) for of_prompt in zip(*of_folds, strict=True)]
    calibration = model.calibration(bool(how["mirrored"]))
    found = merge(means, source, model.postprocessing, calibration)
    return CaseResult(case.name, record=write_case(case.name, output, means, found, mine))


def _record(folder: Path, case: Case) -> dict[str, Any]:
    path = folder / f"{case.name}.json"
    record = read_object(path)
    if not record or not (folder / f"{case.name}.npz").exists():
        missing = path if not record else folder / f"{case.name}.npz"
        raise DataError(f"{missing}: does not exist: run 'interactivenet predict -w' first")
    return record
