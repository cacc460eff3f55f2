"""The stage ``test``: everything about a task's test cases, at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interactivenet.datasets.roots import (
    EVALUATION,
    PREDICTIONS,
    Roots,
    check_no_raw_task,
    predictions_folder,
)
from interactivenet.datasets.task import read_test_set
from interactivenet.errors import RequestError
from interactivenet.evaluation.earlier import earlier_evaluation
from interactivenet.evaluation.evaluate import Evaluation
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.export_formats import chosen_exports
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.output_checks import check_outputs
from interactivenet.inference.outputs import Output
from interactivenet.inference.requirements import check_model
from interactivenet.inference.timings import all_seconds, check_timings
from interactivenet.models.bundle_codes import read_label_codes
from interactivenet.models.model import CHOICE, own_model
from interactivenet.pipeline.case_summary import check_summary, write_summary
from interactivenet.pipeline.crowding import report_crowding
from interactivenet.pipeline.evaluate import evaluate_output
from interactivenet.pipeline.export import (
    Exports,
    add_export_failures,
    check_used,
    export_cases,
)
from interactivenet.pipeline.gathering import check_here, gather_cases, not_segmented
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, loading
from interactivenet.pipeline.segmenting import (
    add_failures,
    describe_model,
    follow_cases,
    say_unused_codes,
)
from interactivenet.pipeline.select import is_current, make_selection
from interactivenet.pipeline.sharding import (
    Part,
    ShardLike,
    say_missing,
    shard_backends,
    shard_reasons,
)
from interactivenet.pipeline.stage import running_stage, tracked_run
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.planning.planned_task import PlannedTask


@dataclass(frozen=True)
class TaskTest:
    """What became of a task's test cases.

    Attributes:
        folder: Of the predictions.
        cases: How many there are.
        evaluation: None where no case has a label.
        failures: Case to why it could not be segmented, or compared.
    """

    folder: Path
    cases: int
    evaluation: Evaluation | None
    failures: Mapping[str, str]


def test(
    task: str,
    *,
    folds: Sequence[int] | None = None,
    nifti: bool = True,
    probabilities: bool = False,
    pictures: bool = True,
    format: str | Sequence[str] = (),
    codes: Path | str | None = None,
    options: InferenceOptions | None = None,
    mlflow: bool = True,
    overwrite: bool = False,
    shard: ShardLike | None = None,
    gather: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> TaskTest:
    """Choose the postprocessing, segment the test cases with each fold and all of them, evaluate.

    The same as the stages ``select``, ``predict``, ``ensemble`` and ``evaluate``, one after the
    other, and the same voxels; finished work is kept. Writes ``predictions/`` and ``evaluation/``
    into the task's results.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        folds: Numbers of the folds; by default those of the plan.
        nifti: Write the label maps of single folds, too.
        probabilities: Write all probabilities, too.
        pictures: Write a small picture of each case's mean of all folds, and sheets of them, too.
        format: Any of 'dcm-seg', 'rtstruct' and 'seg.nrrd', in which the results of all folds are
            exported, too.
        codes: What the labels are, for exports: a JSON file, name -> codes; for others, their names
            say it.
        options: How the networks are used: device, precision, mirroring.
        mlflow: Record it in MLflow.
        overwrite: Redo finished work; of a shard, that of its own cases.
        shard: Segment one of several shares of the cases alone, such as '3/16': any number of jobs
            may do the others at the same time, once ``select`` has chosen. Nothing is compared.
        gather: Segment nothing: look up what shards have done, with the same arguments, and make
            what is one for all of it. A case that no shard has done is among the failures.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        Where the predictions are, how they compare with the labels, and which cases failed.

    Raises:
        RequestError: The task has no test cases with points, a fold is not trained, or what it was
            trained on has changed since; a shard, or a gather, finds no choice that was made of it.
    """
    part = Part.chosen(shard, gather, overwrite=overwrite)
    options, roots = options or InferenceOptions(), roots or Roots.choose()
    found = read_test_set(roots, task)
    cases = [case for case in found if part.has(case.name)]
    reporter.say(loading(f"the trained folds of {task}", roots.results / task))
    # refused at once, before anything is written
    check_sources(roots, PlannedTask.load(roots.processed_task(task)), reporter)
    untouched = own_model(roots, task, folds, choice=False)
    check_here(options, part)
    if not part.gather:
        check_model(untouched, options.chosen_device)
    numbers = untouched.folds
    results = roots.results / task
    folder = results / PREDICTIONS
    exports = chosen_exports(format) if format else ()
    check_used(codes, exports)
    label_codes, others = read_label_codes(codes, untouched.plan)
    say_unused_codes(others, reporter)
    ensemble = Output(
        predictions_folder(roots, task, None),
        numbers,
        True,
        probabilities,
        exports=exports,
        pictures=pictures,
    )
    single = [
        Output(predictions_folder(roots, task, number), (number,), nifti, probabilities)
        for number in numbers
    ]
    outputs = [*single, ensemble]
    check_no_raw_task(folder, "results")
    part.check_begun(folder)
    check_outputs(outputs, cases)
    for output in outputs:
        check_summary(output)
    check_timings(folder)
    if part.is_one_for_all and any(case.label for case in cases):
        earlier_evaluation(results / EVALUATION, [case.name for case in cases if case.label])
    if part.is_shared and not is_current(roots, task, folds):
        given = "" if folds is None else f", folds={list(folds)}"
        raise RequestError(
            f"{results / CHOICE}: is not there, or not chosen from what there is now: shards all"
            " need the same",
            remedy=f"run `select(task={task!r}{given})` first",
        )
    arguments = {
        "task": task, "folds": folds and list(folds), "nifti": nifti,
        "probabilities": probabilities, "pictures": pictures, "format": format,
        "codes": codes, "mlflow": mlflow, "overwrite": overwrite, **part.arguments(),
        "options": options, "roots": roots,
    }  # fmt: skip
    settings = options.as_json()
    with (
        running_stage(
            "test", folder, arguments, others=[output.folder for output in outputs],
            shard=part.shard,
        ) as stage,
        tracked_run(
            roots, task, "test", {"folds": list(numbers), **settings},
            mlflow=mlflow and part.is_one_for_all, reporter=reporter,
        ) as tracker,
    ):  # fmt: skip
        if not part.is_shared and not is_current(roots, task, folds):
            make_selection(roots, task, folds, reporter)
        model = own_model(roots, task, folds)
        for line in describe_model(model, options):
            reporter.say(line)
        part.announce(len(cases), len(found), reporter)
        stage.run.note(
            plan=model.plan.digest, seed=model.plan.seed, weights=model.digests,
            choices=model.choices(), **settings,
        )  # fmt: skip
        # the folders of single folds are alike
        report_crowding(ensemble.folder, len(found), 2 + probabilities, reporter, stage.run)
        names = [case.name for case in cases]
        with stage.run.step("predict"):
            if part.gather:
                predicted = gather_cases(
                    cases, model, outputs, options, shard_reasons(folder, "test"),
                    backends=shard_backends(folder), signals=stage.signals,
                )  # fmt: skip
            else:
                predicted = predict_cases(
                    cases, model, outputs, options, overwrite=overwrite, signals=stage.signals
                )
            failures = follow_cases(
                predicted, names, "test", stage.run, stage.folder, reporter, gather=part.gather
            )
        if part.gather:
            say_missing(folder, not_segmented(failures), reporter)
        reporter.say(f"{folder}: {counted(len(cases) - len(failures), 'case')}")
        exported: Exports | None = None
        if exports:
            with stage.run.step("export"):
                exported = export_cases(
                    ensemble, [case.name for case in cases if case.name not in failures], exports,
                    stage, codes=label_codes, names=model.plan.labels, overwrite=overwrite,
                    all_cases=part.is_one_for_all, reporter=reporter,
                )  # fmt: skip
        labelled = [case for case in cases if case.label and part.is_one_for_all]
        evaluation: Evaluation | None = None
        if not labelled and part.is_one_for_all:
            reporter.say("no test case has a label: nothing to evaluate")
        elif labelled:
            with stage.run.step("evaluate"):
                evaluation = evaluate_output(
                    labelled, ensemble, results / EVALUATION, model, mirrored=options.mirrored,
                    title=f"{task}: {counted(len(labelled), 'test case')}, mean of"
                    f" {counted(len(model.folds), 'fold')}",
                    failures={case.name: failures[case.name] for case in labelled
                              if case.name in failures},
                    signals=stage.signals, tracker=tracker, reporter=reporter,
                )  # fmt: skip
            add_failures(failures, evaluation.failures, "test", stage.run, stage.folder, reporter)
        if exported is not None:
            add_export_failures(failures, exported, "test", stage, reporter)
        if part.is_one_for_all:
            with stage.run.step("summary"):
                seconds = all_seconds(folder)
                for output in outputs:  # those of single folds are not to be of an earlier run
                    write_summary(
                        output, names, failures, seconds,
                        title=f"{task}: {counted(len(cases), 'test case')}, {output.folder.name}",
                        reporter=reporter, tell=output is ensemble,
                    )  # fmt: skip
    return TaskTest(folder, len(cases), evaluation, failures)
