"""The stage ``ensemble``: the mean of what the folds predicted of a task's test cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interactivenet.datasets.roots import Roots, check_no_raw_task, predictions_folder
from interactivenet.datasets.task import read_test_set
from interactivenet.errors import RequestError
from interactivenet.inference.ensemble import ensemble_cases
from interactivenet.inference.output_checks import check_outputs
from interactivenet.inference.outputs import Output
from interactivenet.inference.timings import all_seconds
from interactivenet.models.model import own_model
from interactivenet.pipeline.case_summary import check_summary, write_summary
from interactivenet.pipeline.crowding import report_crowding
from interactivenet.pipeline.reporting import SILENT, Reporter, counted
from interactivenet.pipeline.segmenting import follow_cases
from interactivenet.pipeline.select import check_choice
from interactivenet.pipeline.stage import running_stage, tracked_run
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.planning.planned_task import PlannedTask


@dataclass(frozen=True)
class Ensemble:
    """What became of a task's test cases.

    Attributes:
        folder: Of the predictions.
        folds: Numbers of the folds whose mean they are.
        cases: How many test cases there are.
        failures: Case to why it has no mean.
    """

    folder: Path
    folds: tuple[int, ...]
    cases: int
    failures: Mapping[str, str]


def ensemble(
    task: str,
    *,
    folds: Sequence[int] | None = None,
    nifti: bool = True,
    probabilities: bool = False,
    pictures: bool = True,
    mlflow: bool = True,
    overwrite: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> Ensemble:
    """Average the probabilities that the stage ``predict`` kept of each fold.

    Writes ``predictions/ensemble/CASE.nii.gz`` into the task's results; no network is needed.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        folds: Numbers of the folds; by default those whose probabilities were kept.
        nifti: Write label maps.
        probabilities: Write the averaged probabilities.
        pictures: Write a small picture of each case, and sheets of them.
        mlflow: Record it in MLflow.
        overwrite: Redo finished work.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        Where the predictions are, and which cases failed.

    Raises:
        RequestError: No fold's probabilities were kept, one of the folds is not trained, or what it
            was trained on or chosen from has changed since.
    """
    roots = roots or Roots.choose()
    cases = read_test_set(roots, task)
    check_sources(roots, PlannedTask.load(roots.processed_task(task)), reporter)
    model = own_model(roots, task, folds)
    check_choice(roots, task)
    single = [Output(predictions_folder(roots, task, number), (number,)) for number in model.folds]
    if folds is None:
        single = [output for output in single if any(output.folder.glob("*.npz"))]
    if not single:
        raise RequestError(
            f"{roots.results / task}: no fold's probabilities were kept",
            remedy=f"run `predict(task={task!r}, probabilities=True)` first",
        )
    averaged = tuple(number for output in single for number in output.folds)
    output = Output(
        predictions_folder(roots, task, None), averaged, nifti, probabilities, pictures=pictures
    )
    check_no_raw_task(output.folder, "results")
    check_outputs([output], cases)
    check_summary(output)
    arguments = {
        "task": task, "folds": folds and list(folds), "nifti": nifti,
        "probabilities": probabilities, "pictures": pictures, "mlflow": mlflow,
        "overwrite": overwrite, "roots": roots,
    }  # fmt: skip
    with (
        running_stage("ensemble", output.folder, arguments, seed=model.plan.seed) as stage,
        tracked_run(
            roots, task, "ensemble", {"folds": list(averaged)}, mlflow=mlflow, reporter=reporter
        ) as tracker,
    ):
        stage.run.note(plan=model.plan.digest, folds=averaged, weights=model.digests)
        report_crowding(output.folder, len(cases), 1 + nifti + probabilities, reporter, stage.run)
        results = ensemble_cases(
            cases, model, single, output, overwrite=overwrite, signals=stage.signals
        )
        failures = follow_cases(
            results, [case.name for case in cases], "ensemble", stage.run, output.folder, reporter
        )
        write_summary(
            output, [case.name for case in cases], failures, all_seconds(output.folder),
            title=f"{task}: {counted(len(cases), 'test case')}, {output.folder.name}",
            reporter=reporter,
        )  # fmt: skip
        tracker.metrics({"cases": len(cases), "failed": len(failures)})
    reporter.say(f"{output.folder}: the mean of {counted(len(averaged), 'fold')}")
    return Ensemble(output.folder, averaged, len(cases), failures)
