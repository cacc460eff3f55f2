"""Cross-validation: a trained fold's validation cases, segmented as new ones would be.

Each checkpoint segments every case from its image and its points alone, on the case's own grid.
What every postprocessing would make of it is measured at once, for the choice that is made when
all folds are there (cross_validation.py).
"""

from __future__ import annotations

import csv
import io
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, one_line
from interactivenet.evaluation import evaluate_masks
from interactivenet.imaging.io import read_label, write_label
from interactivenet.inference.predictor import Predictor
from interactivenet.models.fold_results import WEIGHTS
from interactivenet.models.model import Model
from interactivenet.plotting.overlays import save_overlay
from interactivenet.postprocessing.components import CANDIDATES
from interactivenet.postprocessing.merging import Segmentation, merge
from interactivenet.preprocessing.folds import Fold
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import read_object, remove, sha256, write_json, write_text
from interactivenet.system.parallel import map_cases
from interactivenet.system.signals import Signals

VALIDATION, METRICS = "validation", "metrics.json"
#: of what is measured of an object: what was measured otherwise is measured again
MEASURES_VERSION = 2
_WHICH = ("label", "name", "prompt")
#: metrics of the table, in its order
SHOWN = ("dice", "nsd", "hd95")

Track = Callable[[Iterator[Any], int, str], Iterator[Any]]


@dataclass(frozen=True)
class Validated:
    """How well one checkpoint does on a fold's validation cases.

    checkpoint: 'best' or 'last'.  epoch: of its weights.  cases: name -> 'objects', a row for
    each ('label', 'name', 'prompt', and the metrics, None where one is not defined; 'agreement',
    of the 'mirrored' members and of a 'single' one; 'postprocessed', name of a postprocessing
    that changes something -> metrics), and 'error', why the case could not be segmented, or ''.
    """

    checkpoint: str
    epoch: int
    cases: Mapping[str, Mapping[str, Any]]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """A row per object, 'case' included."""
        return [{"case": name, **row} for name, one in self.cases.items() for row in one["objects"]]

    @property
    def failures(self) -> dict[str, str]:
        """Why a case could not be segmented."""
        return {name: one["error"] for name, one in self.cases.items() if one["error"]}

    @property
    def missed(self) -> int:
        """How many objects were not found at all: they have no distances."""
        return sum(row["hd95"] is None for row in self.objects)

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over the objects that have it; None where there is none."""
        values = [row[metric] for row in self.objects if row[metric] is not None]
        return statistics.fmean(values) if values else None


def validate_fold(
    task: Task,
    fold: Fold,
    folder: Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    tolerance_mm: float = 2.0,
    track: Track = lambda items, *_: items,
    signals: Signals | None = None,
) -> list[Validated]:
    """Segment and measure a trained fold's validation cases, for the best and last checkpoint.

    folder: of the fold's results; writes ``validation/{best,last}/CASE.nii.gz``,
    ``validation/metrics.json`` and ``.csv``, and pictures of the best, the median and the worst
    object.  track: passes items through under a progress bar: (items, how many, what).
    signals: asks for the end, between two cases.

    Cases that were done before with the same weights and data are kept. Raises Interrupted where
    a signal came.
    """
    target = folder / VALIDATION
    path = target / METRICS
    known = read_object(path)
    results = []
    for checkpoint, name in WEIGHTS.items():
        made_from = {
            "weights": sha256(folder / name),
            "regions": fold.digest,
            "tolerance_mm": tolerance_mm,
            "measures": MEASURES_VERSION,
        }
        record = known.get(checkpoint, {})
        if record.get("made_from") != made_from:
            shutil.rmtree(target / checkpoint, ignore_errors=True)
            record = known[checkpoint] = {"made_from": made_from, "epoch": 0, "cases": {}}
        done = record["cases"]
        due = [case for case in fold.cases if not _done(target / checkpoint, case, done)]
        if due:
            model = Model(fold.plan, (folder / name,), (fold.number,), checkpoint)
            predictor = Predictor(model, device=device, precision=precision)
            record["epoch"] = predictor.facts[0]["epoch"]
            segmented = _segment(task, fold, predictor, target / checkpoint, due, tolerance_mm)
            for case, rows, error in track(segmented, len(due), f"validated {checkpoint}"):
                done[case] = {"objects": rows, "error": error}
                write_json(path, known)
                if signals:
                    signals.check()
        cases = {case: done[case] for case in fold.cases}
        results.append(Validated(checkpoint, record["epoch"], cases))
    write_text(path.with_suffix(".csv"), _table(results))
    _save_pictures(task, fold, target, results[0])
    return results


def ranked(objects: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Choose the 'best', the 'median' and the 'worst' object by Dice."""
    order = sorted(objects, key=lambda row: (-row["dice"], row["case"], row["label"]))
    if not order:
        return {}
    return {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}


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
        known = {name: None if np.isnan(value) else value for name, value in metrics.items()}
        rows.append({"label": prompt.label, "name": prompt.name, "prompt": number, **known})
    return rows


def validate_case(
    predictor: Predictor, scan: Scan, tolerance_mm: float
) -> tuple[Segmentation, list[dict[str, Any]]]:
    """Segment a labelled scan with one network, and measure it as it is and postprocessed.

    Returns the segmentation as it is, and a row per object as in :class:`Validated`.
    """
    prepared = predictor.prepare(scan)
    answers = predictor.answer(prepared)
    claims = [one[0] for one in predictor.claims(prepared, answers)]
    plain = merge(claims, scan.image.source)
    measured = measure(scan, plain.instance_map, tolerance_mm)
    rows = [
        {**row, "agreement": {"mirrored": answer.agreement[0], "single": answer.single[0]},
         "postprocessed": {}}
        for row, answer in zip(measured, answers, strict=True)
    ]  # fmt: skip
    known = [(plain.instance_map, measured)]
    for candidate in CANDIDATES[1:]:
        instance_map = merge(claims, scan.image.source, candidate).instance_map
        again = next((old for one, old in known if np.array_equal(one, instance_map)), None)
        if again is None:
            again = measure(scan, instance_map, tolerance_mm)
            known.append((instance_map, again))
        if again is not measured:
            for row, other in zip(rows, again, strict=True):
                row["postprocessed"][candidate.name] = {
                    name: value for name, value in other.items() if name not in _WHICH
                }
    return plain, rows


def _done(target: Path, case: str, known: Mapping[str, Mapping[str, Any]]) -> bool:
    return (target / f"{case}.nii.gz").exists() and not known.get(case, {"error": "new"})["error"]


def _segment(
    task: Task,
    fold: Fold,
    predictor: Predictor,
    target: Path,
    names: Sequence[str],
    tolerance_mm: float,
) -> Iterator[tuple[str, list[dict[str, Any]], str]]:
    """Yield each of the cases with a row per object, and why it failed, '' if it did not."""
    cases = {case.name: case for case in task.training}

    def read(name: str) -> tuple[str, Scan | None, str]:
        try:
            return name, _read_case(cases, name, fold), ""
        except Exception as error:
            return name, None, _why(error)

    for name, scan, error in map_cases(read, names, 2):  # the next is read meanwhile
        rows: list[dict[str, Any]] = []
        try:
            if scan is not None:
                found, rows = validate_case(predictor, scan, tolerance_mm)
                write_label(target / f"{name}.nii.gz", found.label, found.source)
        except Exception as problem:  # one odd case must not end the others
            error = _why(problem)
        yield name, rows, error


def _why(error: Exception) -> str:
    if isinstance(error, DataError):
        return one_line(error)
    return f"unexpected {type(error).__name__}: {one_line(error)} (please report it)"


def _read_case(cases: Mapping[str, Case], name: str, fold: Fold) -> Scan:
    if name not in cases:
        raise DataError(f"{name}: is in the plan, but no longer in the task's dataset.json")
    scan = read_scan(cases[name], len(fold.plan.modalities), LabelNames(fold.plan.labels))
    if scan.label is None:
        raise DataError(f"{name}: has no label map to compare with")
    return scan


def _table(results: Sequence[Validated]) -> str:
    text = io.StringIO()
    rows = []
    for one in results:
        for row in one.objects:
            agreement = row["agreement"]["mirrored"]
            plain = {name: value for name, value in row.items() if name != "postprocessed"}
            rows.append({"checkpoint": one.checkpoint, **plain, "agreement": agreement})
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _save_pictures(task: Task, fold: Fold, target: Path, result: Validated) -> None:
    """Draw the best, the median and the worst object of a checkpoint."""
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
