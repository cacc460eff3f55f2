"""A fold's validation cases, each read, segmented as a new one would be, and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, describe_failure
from interactivenet.evaluation import evaluate_masks
from interactivenet.inference.predictor import Predictor
from interactivenet.pipeline.unseen_cases import without_corrections
from interactivenet.postprocessing.components import CANDIDATES
from interactivenet.postprocessing.merging import Segmentation, merge
from interactivenet.preprocessing.folds import Fold
from interactivenet.preprocessing.sources import Sources
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.parallel import map_cases
from interactivenet.system.signals import go_on

_WHICH = ("label", "name", "prompt")


def measure(
    scan: Scan, instance_map: NDArray[np.int16], tolerance_mm: float
) -> list[dict[str, Any]]:
    """Compare the voxels of each prompt, as in ``Segmentation.instance_map``, with its object."""
    rows = []
    for number, prompt in enumerate(scan.prompts):
        truth = scan.objects.mask(prompt, scan.prompts, scan.image.grid)
        spacing = scan.image.grid.spacing
        metrics = evaluate_masks(instance_map == number + 1, truth, spacing, tolerance_mm)
        # JSON knows no NaN: a distance from nothing is null
        values = {name: None if np.isnan(value) else value for name, value in metrics.items()}
        rows.append({"label": prompt.label, "name": prompt.name, "prompt": number, **values})
    return rows


def validate_case(
    predictor: Predictor,
    scan: Scan,
    tolerance_mm: float,
    interrupt: Callable[[], None] = go_on,
) -> tuple[Segmentation, list[dict[str, Any]]]:
    """Segment a labelled scan with one network, and measure it as it is and postprocessed.

    Corrections in its points are left out, with a note: postprocessing is chosen, and the Dice that
    is to be expected found, by first results.  interrupt: raises where this must end.
    Returns the segmentation as it is, and a row per object as in :class:`Validated`.
    """
    scan, left_out = without_corrections(scan)
    prepared = predictor.prepare(scan, interrupt=interrupt)
    answers = predictor.answer(prepared, interrupt=interrupt)
    claims = [members[0] for members in predictor.claims(prepared, answers)]
    notes = (*prepared.examination.image_notes, *left_out)
    plain = merge(claims, scan.image.source, notes=notes)
    measured = measure(scan, plain.instance_map, tolerance_mm)
    rows = [
        {**row,
         "agreement": {"mirrored": answer.agreement[0], "single": answer.single[0],
                       "adaptive": answer.adaptive[0]},
         "postprocessed": {}}
        for row, answer in zip(measured, answers, strict=True)
    ]  # fmt: skip
    measurements = [(plain.instance_map, measured)]
    for candidate in CANDIDATES[1:]:
        interrupt()
        instance_map = merge(claims, scan.image.source, candidate).instance_map
        changed = next(
            (again for same, again in measurements if np.array_equal(same, instance_map)), None
        )
        if changed is None:
            changed = measure(scan, instance_map, tolerance_mm)
            measurements.append((instance_map, changed))
        if changed is not measured:
            for row, metrics in zip(rows, changed, strict=True):
                row["postprocessed"][candidate.name] = {
                    name: value for name, value in metrics.items() if name not in _WHICH
                }
    return plain, rows


def segment_cases(
    task: Task,
    fold: Fold,
    predictor: Predictor,
    folder: Path,
    names: Sequence[str],
    tolerance_mm: float,
    interrupt: Callable[[], None],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each of the cases with its entry of :attr:`Validated.cases`."""
    cases = {case.name: case for case in task.training}
    sources = planned_sources(task, fold)

    def read(name: str) -> tuple[str, Scan | None, str]:
        interrupt()
        try:
            return name, read_validation_case(sources, cases, name, fold), ""
        except Exception as error:
            return name, None, describe_failure(error)

    for name, scan, failure in map_cases(read, names, 2):  # the next is read meanwhile
        rows: list[dict[str, Any]] = []
        notes: tuple[str, ...] = ()
        try:
            if scan is not None:
                segmentation, rows = validate_case(predictor, scan, tolerance_mm, interrupt)
                notes = segmentation.notes
                segmentation.save(folder / f"{name}.nii.gz")
        except Exception as error:  # one odd case must not end the others
            failure = describe_failure(error)
        yield name, {"objects": rows, "error": failure, "notes": list(notes)}


def planned_sources(task: Task, fold: Fold) -> tuple[Sources, Mapping[str, str]]:
    """Return what cases were planned from, and a region of each; for all of them, read once."""
    regions = {region.rpartition("__")[0]: region for region in reversed(fold.validation)}
    return Sources(task, fold.processed), regions


def read_validation_case(
    planned: tuple[Sources, Mapping[str, str]], cases: Mapping[str, Case], name: str, fold: Fold
) -> Scan:
    """Read a validation case, if it still is what the fold's regions were made from."""
    sources, regions = planned
    if name not in cases:
        raise DataError(f"{name}: is in the plan, but no longer in the task's dataset.json")
    if changes := sources.changes_of(cases[name], regions[name]):
        raise DataError(
            f"{name}: is out of date: since it was planned, {', '.join(changes)} changed",
            remedy=f"run `plan(task={sources.task.name!r})` again",
        )
    scan = read_scan(cases[name], len(fold.plan.modalities), LabelNames(fold.plan.labels))
    if scan.label is None:
        raise DataError(f"{name}: has no label map to compare with")
    return scan
