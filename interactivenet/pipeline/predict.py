"""The stage ``predict``: a task's test cases, segmented with each of its folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interactivenet.datasets.roots import Roots, check_no_raw_task, predictions_folder
from interactivenet.datasets.task import read_test_set
from interactivenet.errors import RequestError
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.output_checks import check_outputs
from interactivenet.inference.outputs import Output
from interactivenet.inference.requirements import check_model
from interactivenet.inference.timings import all_seconds
from interactivenet.models.model import own_model
from interactivenet.pipeline.case_summary import check_summary, write_summary
from interactivenet.pipeline.crowding import report_crowding
from interactivenet.pipeline.gathering import check_here, gather_cases, not_segmented
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, loading
from interactivenet.pipeline.segmenting import describe_model, follow_cases
from interactivenet.pipeline.select import check_choice
from interactivenet.pipeline.sharding import (
    Part,
    ShardLike,
    say_missing,
    shard_backends,
    shard_reasons,
)
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.planning.planned_task import PlannedTask


@dataclass(frozen=True)
class Predictions:
    """What became of a task's test cases.

    Attributes:
        folders: Number of a fold to the folder of its predictions.
        cases: How many test cases there are.
        failures: Case to why it could not be segmented.
    """

    folders: Mapping[int, Path]
    cases: int
    failures: Mapping[str, str]


def predict(
    task: str,
    *,
    folds: Sequence[int] | None = None,
    nifti: bool = True,
    probabilities: bool = False,
    options: InferenceOptions | None = None,
    overwrite: bool = False,
    shard: ShardLike | None = None,
    gather: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> Predictions:
    """Segment the test cases of a task with each of its folds.

    Writes ``predictions/fold_K/CASE.nii.gz`` into the task's results, and ``CASE.npz`` of
    probabilities, which the stage ``ensemble`` needs. Finished work is kept.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        folds: Numbers of the folds; by default those that are trained.
        nifti: Write label maps.
        probabilities: Write probabilities.
        options: How the networks are used: device, precision, mirroring.
        overwrite: Redo finished work; of a shard, that of its own cases.
        shard: Do one of several shares of the cases alone, such as '3/16', with each fold: any
            number of jobs may do the others at the same time.
        gather: Segment nothing: look up what shards have done, with the same arguments, and make
            what is one for all of it. A case that no shard has done is among the failures.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        Where the predictions are, and which cases failed.

    Raises:
        RequestError: The task has no test cases with points, a fold is not trained, or what it was
            trained on or chosen from has changed since.
    """
    part = Part.chosen(shard, gather, overwrite=overwrite)
    options, roots = options or InferenceOptions(), roots or Roots.choose()
    if not (nifti or probabilities):
        raise RequestError(
            "`nifti=False` without `probabilities`: nothing would be written",
            expected="at least one of the two",
        )
    found = read_test_set(roots, task)
    cases = [case for case in found if part.has(case.name)]
    reporter.say(loading(f"the trained folds of {task}", roots.results / task))
    check_sources(roots, PlannedTask.load(roots.processed_task(task)), reporter)
    model = own_model(roots, task, folds)
    check_choice(roots, task)
    check_here(options, part)
    if not part.gather:
        check_model(model, options.chosen_device)
    outputs = {
        number: Output(predictions_folder(roots, task, number), (number,), nifti, probabilities)
        for number in model.folds
    }
    check_no_raw_task(roots.results / task, "results")
    for output in outputs.values():
        part.check_begun(output.folder)
    check_outputs(list(outputs.values()), cases)
    for output in outputs.values():
        check_summary(output)
    for line in describe_model(model, options):
        reporter.say(line)
    part.announce(len(cases), len(found), reporter)
    folders: dict[int, Path] = {}
    failures: dict[str, str] = {}
    arguments = {
        "task": task, "folds": folds and list(folds), "nifti": nifti,
        "probabilities": probabilities, "overwrite": overwrite, **part.arguments(),
        "options": options, "roots": roots,
    }  # fmt: skip
    for number in model.folds:
        output = outputs[number]
        folder = folders[number] = output.folder
        network = model.fold(number)
        with running_stage(
            "predict", folder, arguments, seed=model.plan.seed, shard=part.shard
        ) as stage:
            stage.run.note(
                plan=model.plan.digest, weights=network.digests, **options.as_json(),
                **found[0].reading.as_json(),
            )  # fmt: skip
            report_crowding(folder, len(found), 1 + nifti + probabilities, reporter, stage.run)
            name, names = f"fold {number}", [case.name for case in cases]
            if part.gather:
                results = gather_cases(
                    cases, network, [output], options, shard_reasons(folder, name),
                    backends=shard_backends(folder), signals=stage.signals,
                )  # fmt: skip
            else:
                results = predict_cases(
                    cases, network, [output], options, overwrite=overwrite, signals=stage.signals
                )
            failed = follow_cases(
                results, names, name, stage.run, stage.folder, reporter, gather=part.gather
            )
            if part.gather:
                say_missing(folder, not_segmented(failed), reporter)
            if part.is_one_for_all:
                write_summary(
                    output, names, failed, all_seconds(folder),
                    title=f"{task}: {counted(len(names), 'test case')}, fold {number}",
                    reporter=reporter,
                )  # fmt: skip
            failures |= failed
        reporter.say(f"{folder}: fold {number}")
    return Predictions(folders, len(cases), failures)
