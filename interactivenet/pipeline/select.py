"""What the cross-validation predictions of all folds choose: checkpoint and postprocessing.

Every object is measured once for each checkpoint and each postprocessing, on the grid of its
scan, by the fold that never saw it (validate.py). Here these are pooled, the best mean Dice is
chosen, and what an agreement is worth is learned for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.metric_names import METRIC
from interactivenet.models.fold_results import WEIGHTS, FoldResults
from interactivenet.models.model import CHOICE, CHOICE_VERSION, read_choice
from interactivenet.pipeline.pooled_objects import (
    Row,
    as_processed,
    calibrations_of,
    mean_metrics,
    with_expected_dice,
)
from interactivenet.pipeline.reporting import SILENT, Reporter, Table, counted
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.pipeline.validation_records import made_from_validations, read_validations
from interactivenet.pipeline.validation_results import SHOWN
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.postprocessing.calibration import Calibration
from interactivenet.postprocessing.components import CANDIDATES, Postprocessing
from interactivenet.system.files import read_object, write_json

#: means of Dice that differ by less are a tie
TIE = 1e-4
#: in the task's results, what the stage writes beside ``postprocessing.json``
FOLDER = "postprocess"


@dataclass(frozen=True)
class Selection:
    """What cross-validation chose.

    Attributes:
        task: Name of the task.
        plan: Digest of its plan.
        folds: Numbers of the pooled folds.
        checkpoint: The chosen weights: 'best' or 'last'.
        postprocessing: The chosen steps after the network.
        table: A row for each checkpoint and postprocessing, the simplest first: 'checkpoint',
            'name', the mean of each shown metric, 'objects' and how many were 'missed'.
        objects: A row per object with the chosen ones: its metrics, 'case', 'fold', 'agreement'
            and 'expected_dice', by a calibration that never saw its case.
        calibrations: What an agreement of predictions lets expect.
        failures: Case to why it could not be segmented and counts for nothing.
        made_from: Fold to what its validation was made from.
        warnings: Why the figures of a fold are too good: its training started from a model that
            had seen its validation cases.
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
    warnings: tuple[str, ...] = ()

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
            "uncertainty": {
                members: asdict(calibration) for members, calibration in self.calibrations.items()
            },
            "objects": list(self.objects),
            "failures": dict(self.failures),
            "made_from": dict(self.made_from),
            "warnings": list(self.warnings),
        }


def select(
    task: str,
    *,
    folds: Sequence[int] | None = None,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> Selection:
    """Choose checkpoint and postprocessing on the cross-validation predictions of all folds.

    Writes ``postprocessing.json`` into the task's results: the whole table, the choice, and what
    the agreement of predictions says of their quality. Prediction and inference use it.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        folds: Numbers of the folds to pool; by default all of the plan's.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        The choice, and the table that it was made from.

    Raises:
        RequestError: A fold is not trained or not validated, or what it was trained on has changed
            since; the message names it.
    """
    roots = roots or Roots.choose()
    check_sources(roots, PlannedTask.load(roots.processed_task(task)), reporter)
    folder = roots.results / task / FOLDER
    arguments = {"task": task, "folds": folds and list(folds), "roots": roots}
    with running_stage("postprocess", folder, arguments) as stage:
        selection = make_selection(roots, task, folds, reporter)
        stage.run.note(
            plan=selection.plan, folds=selection.folds, made_from=selection.made_from,
            checkpoint=selection.checkpoint, chosen=selection.postprocessing.name,
        )  # fmt: skip
    return selection


def make_selection(
    roots: Roots, task: str, folds: Sequence[int] | None, reporter: Reporter
) -> Selection:
    """Choose, write and report, as a part of this stage or another."""
    from interactivenet.plotting.figures import save_reliability

    selection = choose(roots, task, folds)
    results = roots.results / task
    save_reliability(
        results / FOLDER / "reliability.png",
        [row["expected_dice"] for row in selection.objects],
        [row["dice"] for row in selection.objects],
        f"{task}: cross-validation, calibrated on the other cases",
    )
    path = results / CHOICE
    write_json(path, selection.as_json())
    _report(selection, reporter)
    reporter.say(
        f"{path}: {selection.checkpoint} checkpoint, postprocessing"
        f" {selection.postprocessing.name}, from {counted(len(selection.objects), 'object')} of"
        f" {counted(len(selection.folds), 'fold')}"
    )
    return selection


def choose(roots: Roots, task: str, folds: Sequence[int] | None = None) -> Selection:
    """Pool the validation of the folds, all of the plan's where none are named, and choose.

    Raises RequestError where a fold is not trained or not validated, naming those.
    """
    planned = PlannedTask.load(roots.processed_task(task))
    results = roots.results / task
    records = read_validations(planned, results, folds)
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
            processed = [as_processed(row, candidate) for row in rows[checkpoint]]
            options.append((checkpoint, candidate, processed))
            table.append(
                {"checkpoint": checkpoint, "name": candidate.name, **mean_metrics(processed)}
            )
    best = max(row["dice"] for row in table)
    index = next(i for i, row in enumerate(table) if row["dice"] > best - TIE)
    checkpoint, postprocessing, objects = options[index]
    calibrations = calibrations_of(objects)
    return Selection(
        task=task, plan=planned.plan.digest, folds=tuple(records), checkpoint=checkpoint,
        postprocessing=postprocessing, table=tuple(table),
        objects=tuple(with_expected_dice(objects, calibrations)), calibrations=calibrations,
        failures=failures, made_from=made_from_validations(records),
        warnings=tuple(
            warning for number in records
            if (warning := FoldResults(results, number).start_warning)
        ),
    )  # fmt: skip


def is_current(roots: Roots, task: str, folds: Sequence[int] | None = None) -> bool:
    """Whether ``postprocessing.json`` was chosen from just what is there now."""
    results = roots.results / task
    try:
        content = read_object(results / CHOICE)
        planned = PlannedTask.load(roots.processed_task(task))
        made_from = made_from_validations(read_validations(planned, results, folds))
    except (DataError, RequestError):
        return False
    return content.get("schema_version") == CHOICE_VERSION and content.get("made_from") == made_from


def check_choice(roots: Roots, task: str) -> None:
    """Raise RequestError where a task's choice was made from other validations than there are now.

    A fold whose validation is not there is not compared, nor is a task without a choice.
    """
    path = roots.results / task / CHOICE
    if not path.exists():
        return
    content = read_choice(path)
    for number in content["folds"]:
        results = FoldResults(roots.results / task, number)
        record = results.read_validation()
        if not all(checkpoint in record for checkpoint in WEIGHTS):
            continue
        now = made_from_validations({number: record})[f"fold_{number}"]
        current = content.get("made_from", {}).get(f"fold_{number}") == now and all(
            now[checkpoint].get("weights") == results.digest(checkpoint) for checkpoint in WEIGHTS
        )
        if not current:
            raise RequestError(
                f"{path}: is out of date: the weights of fold {number}, or what its validation"
                " measured, are not those that it was chosen from",
                remedy=f"run `select(task={task!r})` again",
            )


def _report(selection: Selection, reporter: Reporter) -> None:
    """Report the whole table, the chosen row marked, and what expected Dice is worth."""
    chosen = (selection.checkpoint, selection.postprocessing.name)
    rows = tuple(
        ("*" if (row["checkpoint"], row["name"]) == chosen else "", row["name"], row["checkpoint"],
         str(row["objects"]), str(row["missed"]),
         *(METRIC[metric].text(row[metric]) for metric in SHOWN))
        for row in selection.table
    )  # fmt: skip
    headings = (METRIC[metric].heading for metric in SHOWN)
    columns = ("", "postprocessing", "checkpoint", "n", "missed", *headings)
    reporter.table(Table(columns, rows, left=3))
    calibration = selection.calibrations.get("mirrored")
    if calibration is not None:
        reporter.say(
            f"expected Dice ({calibration.kind}): off by {calibration.error:.3f} on average, on"
            f" cases left out; the mean Dice would be off by {calibration.error_constant:.3f}"
        )
        if calibration.hit_rate is not None and calibration.sensitivity is not None:
            reporter.say(
                f"flagged for review: {calibration.hit_rate:.0%} of those are among the worst fifth"
                f" (Dice below {calibration.poor_below:.3f}; {calibration.chance:.0%} by chance),"
                f" {calibration.sensitivity:.0%} of the worst fifth are flagged"
            )
    for warning in selection.warnings:
        reporter.say(f"warning: {warning}")
    for case, reason in selection.failures.items():
        reporter.say(f"warning: {case} is ignored, since it could not be segmented: {reason}")
