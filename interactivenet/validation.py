"""Cross-validation: a trained fold's validation cases, segmented as new ones would be.

Each checkpoint segments every case from its image and its points alone, on the case's own grid.
What is stored chooses the postprocessing later.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.errors import DataError, one_line
from interactivenet.evaluation import evaluate_pair
from interactivenet.evaluation.overlays import save_overlay
from interactivenet.inference import Predictor, Segmentation
from interactivenet.io.atomic import read_object, remove, sha256, write_json, write_text
from interactivenet.io.images import write_label
from interactivenet.parallel import map_cases
from interactivenet.scan import Scan, read_scan
from interactivenet.task import Case, Task
from interactivenet.training.fold import Fold
from interactivenet.training.keeping import BEST, LAST

VALIDATION, METRICS = "validation", "metrics.json"
#: name of a checkpoint -> its weights
CHECKPOINTS = {"best": BEST, "last": LAST}
#: metrics of the table, in its order
SHOWN = ("dice", "nsd", "hd95")


@dataclass(frozen=True)
class Validated:
    """How well one checkpoint does on a fold's validation cases.

    checkpoint: 'best' or 'last'.  epoch: of its weights.  objects: a row per object: 'case',
    'label', 'name', and the metrics.  failures: case -> why it could not be segmented.
    """

    checkpoint: str
    epoch: int
    objects: tuple[Mapping[str, Any], ...]
    failures: Mapping[str, str] = field(default_factory=dict)

    def mean(self, metric: str) -> float:
        """Mean of a metric over the objects that have it; NaN where there is none."""
        values = [row[metric] for row in self.objects if row[metric] is not None]
        return statistics.fmean(values) if values else float("nan")


def validate_fold(
    task: Task,
    fold: Fold,
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    tolerance_mm: float = 2.0,
    track: Callable[[Iterator[Any], int, str], Iterator[Any]] = lambda items, *_: items,
) -> list[Validated]:
    """Segment and measure a trained fold's validation cases, for the best and last checkpoint.

    folder: of the fold's results; writes ``validation/{best,last}/CASE.nii.gz``,
    ``validation/metrics.json`` and ``.csv``, and pictures of the best, the median and the worst
    object.  track: passes items through under a progress bar: (items, how many, what).

    What was made with the same weights and cases before is kept.
    """
    target = folder / VALIDATION
    path = target / METRICS
    known = read_object(path)
    results = []
    for checkpoint, name in CHECKPOINTS.items():
        made_from = {
            "weights": sha256(folder / name),
            "plan": fold.plan.digest,
            "cases": list(fold.cases),
            "tolerance_mm": tolerance_mm,
        }
        record = known.get(checkpoint, {})
        if record.get("made_from") == made_from and not record["failures"]:
            results.append(_read(checkpoint, record))
            continue
        predictor = Predictor(fold.plan, [folder / name], device=device, precision=precision)
        objects, failures = [], {}
        segmented = _segment(task, fold, predictor, target / checkpoint, tolerance_mm)
        for case, rows, error in track(segmented, len(fold.cases), f"validated {checkpoint}"):
            objects += rows
            if error:
                failures[case] = error
        epoch = predictor.facts[0]["epoch"]
        known[checkpoint] = {
            "made_from": made_from, "epoch": epoch, "objects": objects, "failures": failures,
        }  # fmt: skip
        write_json(path, known)
        results.append(_read(checkpoint, known[checkpoint]))
    write_text(path.with_suffix(".csv"), _table(results))
    _save_pictures(task, fold, target, results[0])
    return results


def ranked(objects: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Choose the 'best', the 'median' and the 'worst' object by Dice."""
    order = sorted(objects, key=lambda row: (-row["dice"], row["case"], row["label"]))
    if not order:
        return {}
    return {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}


def _segment(
    task: Task, fold: Fold, predictor: Predictor, target: Path, tolerance_mm: float
) -> Iterator[tuple[str, list[dict[str, Any]], str]]:
    """Yield each validation case with a row per object, and why it failed, '' if it did not."""
    cases = {case.name: case for case in task.training}

    def read(name: str) -> tuple[str, Scan | None, str]:
        try:
            return name, _read_case(cases, name, fold), ""
        except DataError as error:
            return name, None, one_line(error)

    for name, scan, error in map_cases(read, fold.cases, 2):  # the next is read meanwhile
        rows: list[dict[str, Any]] = []
        try:
            if scan is not None:
                found = predictor.segment(scan)
                write_label(target / f"{name}.nii.gz", found.label, found.source)
                rows = measure(scan, found, tolerance_mm)
        except DataError as problem:
            error = one_line(problem)
        yield name, rows, error


def measure(scan: Scan, found: Segmentation, tolerance_mm: float) -> list[dict[str, Any]]:
    """Compare the segmentation of each prompt with its object; a row for each."""
    rows = []
    spacing = scan.image.grid.spacing
    for number, prompt in enumerate(scan.prompts):
        truth = scan.objects.mask(prompt, scan.prompts, scan.image.grid)
        metrics = evaluate_pair(found.owner == number + 1, truth, spacing, tolerance_mm)
        # JSON knows no NaN: a distance from nothing is null
        known = {name: None if np.isnan(value) else value for name, value in metrics.items()}
        rows.append({"case": scan.name, "label": prompt.label, "name": prompt.name,
                     "prompt": number, **known})  # fmt: skip
    return rows


def _read_case(cases: Mapping[str, Case], name: str, fold: Fold) -> Scan:
    if name not in cases:
        raise DataError(f"{name}: is in the plan, but no longer in the task's dataset.json")
    scan = read_scan(cases[name], len(fold.plan.modalities))
    if scan.label is None:
        raise DataError(f"{name}: has no label map to compare with")
    return scan


def _read(checkpoint: str, record: Mapping[str, Any]) -> Validated:
    return Validated(checkpoint, record["epoch"], tuple(record["objects"]), record["failures"])


def _table(results: Sequence[Validated]) -> str:
    text = io.StringIO()
    rows = [{"checkpoint": one.checkpoint, **row} for one in results for row in one.objects]
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _save_pictures(task: Task, fold: Fold, target: Path, result: Validated) -> None:
    """Draw the best, the median and the worst object of a checkpoint."""
    from interactivenet.io.images import read_label

    cases = {case.name: case for case in task.training}
    for old in target.glob("*.png"):
        remove(old)
    for rank, row in ranked(result.objects).items():
        scan = _read_case(cases, row["case"], fold)
        prompt = scan.prompts[row["prompt"]]
        found = read_label(target / result.checkpoint / f"{row['case']}.nii.gz").array[0]
        what = f"{row['case']} {row['name'] or row['label']}"
        save_overlay(
            target / f"{rank}.png",
            scan.image.array,
            scan.image.grid.spacing,
            label=scan.objects.mask(prompt, scan.prompts, scan.image.grid),
            prediction=found == prompt.label,
            points=scan.image.grid.nearest_voxel(prompt.points),
            title=f"{what}: Dice {row['dice']:.3f}, NSD {row['nsd']:.3f} ({rank})",
            names=fold.plan.modalities,
        )
