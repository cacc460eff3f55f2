"""The stage ``validate``: a trained fold's validation cases, segmented as new ones would be.

Each checkpoint segments every case from its image and its points alone, on the case's own grid.
What every postprocessing would make of it is measured at once, for the choice that is made when
all folds are there (select.py).
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task, record_failures
from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_label
from interactivenet.inference.predictor import Predictor
from interactivenet.inference.requirements import check_plan
from interactivenet.models.fold_results import (
    VALIDATION_METRICS,
    WEIGHTS,
    FoldResults,
)
from interactivenet.models.model import Model
from interactivenet.pipeline.crowding import report_crowding
from interactivenet.pipeline.reporting import (
    SILENT,
    Reporter,
    counted,
    recorded_notes,
    recorded_reasons,
)
from interactivenet.pipeline.segmenting import report_notes
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.pipeline.validated_cases import (
    planned_sources,
    read_validation_case,
    segment_cases,
)
from interactivenet.pipeline.validation_records import take_in
from interactivenet.pipeline.validation_results import (
    MEASURES_VERSION,
    Validated,
    ValidatedFold,
    csv_rows,
    object_name,
    ranked,
    validation_table,
)
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.plotting.overlays import save_overlay
from interactivenet.preprocessing.folds import Fold, read_fold
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import (
    read_bytes,
    remove,
    sha256,
    write_bytes,
    write_csv,
    write_json,
)
from interactivenet.system.journal import Journal
from interactivenet.system.signals import Signals

#: what is measured so far, until metrics.json has it
_JOURNAL = ".metrics.journal"


def validate(
    task: str,
    fold: int | str = "all",
    *,
    device: str = "auto",
    precision: str = "auto",
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> list[ValidatedFold]:
    """Segment and measure the validation cases of folds that are trained.

    Writes ``validation/`` into the results of each fold: segmentations of both checkpoints,
    ``metrics.json``, ``metrics.csv``, pictures and ``run.json``. Cases that were done before with
    the same weights and data are kept. Training does the same at its end.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        fold: Number of the fold; 'all' for those that are trained to their end.
        device: 'auto', 'cpu' or 'cuda'.
        precision: 'auto', 'bf16', 'fp16' or 'fp32'.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the progress and the metrics.

    Returns:
        The metrics of each fold.

    Raises:
        RequestError: There is no such task or fold, it is not trained to its end, or scans, labels
            or points of the task have changed since.
        DataError: A file of the task other than those of its cases cannot be used.
        Interrupted: A signal came; called again, it continues.
    """
    roots = roots or Roots.choose()
    planned = PlannedTask.load(roots.processed_task(task))
    check_plan(planned.plan)
    dataset = Task.load(roots.raw_task(task))
    folds = [FoldResults(roots.results / task, number) for number in fold_numbers(planned, fold)]
    trained = [results for results in folds if results.is_finished]
    if len(trained) < len(folds) and (fold != "all" or not trained):
        raise RequestError(
            f"{folds[0].folder}: its training is not finished",
            remedy=f"`train(task={task!r}, fold={fold!r})` first",
        )
    arguments = {
        "task": task, "fold": fold, "device": device, "precision": precision, "roots": roots,
    }  # fmt: skip
    check_sources(roots, planned, reporter)
    for results in trained:
        for checkpoint in WEIGHTS:
            results.check_current(planned, checkpoint)
    validated = []
    for results in trained:
        chosen = read_fold(planned, results.number)
        with running_stage(
            "validate", results.validation, arguments, others=[results.folder]
        ) as stage:
            stage.run.note(plan=chosen.plan.digest, fold=chosen.number)
            stage.run.inputs(chosen.inputs)
            report_crowding(results.validation / "best", len(chosen.cases), 1, reporter, stage.run)
            outcome = validate_fold(
                dataset, chosen, results,
                device=device, precision=precision, reporter=reporter, signals=stage.signals,
            )  # fmt: skip
            if outcome.warning:
                stage.run.note(warnings=[outcome.warning])
            stage.run.note(
                failures=recorded_reasons(outcome.failures, reporter),
                notes=recorded_notes(outcome.notes, reporter),
            )
        validated.append(outcome)
    return validated


def fold_numbers(planned: PlannedTask, fold: int | str) -> list[int]:
    """Return the folds that a number or 'all' mean; raises RequestError where there is none such.

    A number may be given as text.
    """
    numbers = list(range(len(planned.splits)))
    if fold == "all":
        return numbers
    chosen = [number for number in numbers if str(number) == str(fold)]
    if not chosen:
        expected = f"all or one of {', '.join(map(str, numbers))}"
        raise RequestError(field="fold", value=fold, expected=expected)
    return chosen


def validate_fold(
    task: Task,
    fold: Fold,
    results: FoldResults,
    *,
    device: str = "auto",
    precision: str = "auto",
    tolerance_mm: float = 2.0,
    reporter: Reporter = SILENT,
    signals: Signals | None = None,
) -> ValidatedFold:
    """Segment and measure a trained fold's validation cases, for the best and last checkpoint.

    Writes ``validation/{best,last}/CASE.nii.gz``, ``validation/metrics.json`` and ``.csv``, and
    pictures of the best, the median and the worst object.
    tolerance_mm: of the NSD.  signals: asks for the end, at once.

    Cases that were done before with the same weights and data are kept. Raises Interrupted where
    a signal came.
    """
    path = results.validation / VALIDATION_METRICS
    records, journal = results.read_validation(), Journal(results.validation / _JOURNAL)
    if take_in(journal, records):
        write_json(path, records)
    journal.remove()
    checkpoints: list[Validated] = []
    for checkpoint in WEIGHTS:
        folder = results.validation / checkpoint
        weights = results.weights(checkpoint)
        key = CacheKey(
            {
                "weights": results.digest(checkpoint),
                "regions": fold.digest,
                "tolerance_mm": tolerance_mm,
                "measures": MEASURES_VERSION,
            }
        )
        record = records.get(checkpoint, {})
        if not key.matches(record):
            shutil.rmtree(folder, ignore_errors=True)
            record = records[checkpoint] = {"made_from": key.content, "epoch": 0, "cases": {}}
            if results.start_warning:
                record["warning"] = results.start_warning
        measured = record["cases"]
        due = [case for case in fold.cases if not _is_done(folder, case, measured)]
        if checkpoints and key.matches(records[checkpoints[0].checkpoint]):
            _take_over(record, checkpoints[0], results.validation, folder)
            write_json(path, records)
            due = []
        if due:
            model = Model(fold.plan, (weights,), (fold.number,), checkpoint)
            predictor = Predictor(model, device=device, precision=precision)
            record["epoch"] = predictor.facts[0]["epoch"]
            interrupt = (signals or Signals()).check
            write_json(path, records)  # what the journal's lines belong to
            segmented = segment_cases(task, fold, predictor, folder, due, tolerance_mm, interrupt)
            told = f"validated {checkpoint}"
            try:
                for case, found in reporter.track(segmented, len(due), told, due):
                    measured[case] = found
                    journal.add([checkpoint, key.digest, case, found])
                    interrupt()
            finally:
                write_json(path, records)
                journal.remove()
        cases = {case: measured[case] for case in fold.cases}
        checkpoints.append(Validated(checkpoint, record["epoch"], cases))
    write_csv(path.with_suffix(".csv"), csv_rows(checkpoints))
    _save_pictures(task, fold, results.validation, checkpoints[0])
    validated = ValidatedFold(results, tuple(checkpoints), results.start_warning)
    _report(validated, reporter)
    return validated


def _is_done(folder: Path, case: str, measured: Mapping[str, Mapping[str, Any]]) -> bool:
    return case in measured and not measured[case]["error"] and (folder / f"{case}.nii.gz").exists()


def _take_over(record: dict[str, Any], same: Validated, validation: Path, folder: Path) -> None:
    """Take over the validation of another checkpoint that has the same weights.

    record: gets what was measured.  folder: gets the segmentations.
    """
    record["epoch"] = same.epoch
    record["cases"].update(copy.deepcopy(dict(same.cases)))
    for case in same.cases:
        source = validation / same.checkpoint / f"{case}.nii.gz"
        target = folder / source.name
        if not source.exists():
            remove(target)
        elif not target.exists() or sha256(target) != sha256(source):
            write_bytes(target, read_bytes(source))


def _save_pictures(task: Task, fold: Fold, folder: Path, validated: Validated) -> None:
    """Draw the best, the median and the worst object of a checkpoint."""
    cases, sources = {case.name: case for case in task.training}, planned_sources(task, fold)
    for old in folder.glob("*.png"):
        remove(old)
    for rank, row in ranked(validated.objects).items():
        scan = read_validation_case(sources, cases, row["case"], fold)
        prompt = scan.prompts[row["prompt"]]
        label = read_label(folder / validated.checkpoint / f"{row['case']}.nii.gz").array[0]
        save_overlay(
            folder / f"{rank}.png",
            scan.image.array,
            scan.image.grid.spacing,
            label=scan.objects.mask(prompt, scan.prompts, scan.image.grid),
            prediction=label == prompt.label,
            points=scan.image.grid.nearest_voxel(prompt.points),
            title=f"{object_name(row)}: Dice {row['dice']:.3f}, NSD {row['nsd']:.3f} ({rank})",
            names=fold.plan.modalities,
        )


def _report(validated: ValidatedFold, reporter: Reporter) -> None:
    """Report the metrics of a fold, and record which of its cases failed."""
    results, failures = validated.results, validated.failures
    reporter.table(validation_table(validated.checkpoints))
    if validated.warning:
        reporter.say(f"warning: {validated.warning}")
    # under the name of the stage that validates, too: what one mends, the other had noted
    report_notes(validated.notes, reporter)
    recorded = record_failures(results.folder, "train", recorded_reasons(failures, reporter))
    if failures:
        reporter.findings([Finding("error", case, reason) for case, reason in failures.items()])
        reporter.say(f"{counted(len(failures), 'case')} failed, see {recorded}")
    done = len(validated.checkpoints[0].cases) - len(failures)
    reporter.say(f"{results.validation}: {counted(done, 'case')}")
