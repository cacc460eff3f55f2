"""``interactivenet test``: everything about a task's test cases, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import Command, required
from interactivenet.cli.predicting import (
    mlflow_option,
    network_options,
    output_options,
    roots_options,
)


@click.command("test", cls=Command)
@roots_options
@click.option("--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="The folds to use; all: those of the plan.")  # fmt: skip
@output_options
@network_options
@mlflow_option
@click.pass_context
def test(
    ctx: click.Context,
    /,
    task: str | None,
    folds: str,
    nifti: bool,
    probabilities: bool,
    mlflow: bool,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    **network: Any,
) -> None:
    """Choose the postprocessing, segment the test cases with each fold and all of them, evaluate.

    The same as 'postprocess', 'predict', 'ensemble' and 'evaluate', one after the other, and the
    same voxels; what is done is kept. --no-nifti leaves out the label maps of single folds.
    Writes predictions/ and evaluation/ into TASK of the results.
    """
    from interactivenet.cli.postprocess import make_choice
    from interactivenet.cli.predicting import (
        describe_model,
        evaluate_output,
        finish,
        how_of,
        predictor_for,
        stage,
        tracked,
    )
    from interactivenet.cli.reporting import counted, say
    from interactivenet.datasets.task import (
        EVALUATION,
        PREDICTIONS,
        Roots,
        predictions_folder,
        read_test_set,
    )
    from interactivenet.inference.batch import Output, predict_cases
    from interactivenet.models.model import own_model, parse_folds
    from interactivenet.pipeline.select import is_current

    name = required(task, "-t / --task")
    roots = Roots.choose(raw=raw, processed=processed, results=results)
    cases = read_test_set(roots, name)
    wanted = parse_folds(folds)
    # refused at once, before anything is written
    numbers = own_model(roots, name, wanted, choice=False).folds
    how = how_of(**network)
    folder = roots.results / name
    target = folder / PREDICTIONS
    ensemble = Output(predictions_folder(roots, name, None), numbers, True, probabilities)
    single = [
        Output(predictions_folder(roots, name, number), (number,), nifti, probabilities)
        for number in numbers
    ]
    places = [one.folder for one in (*single, ensemble)]
    with (
        stage(ctx, "test", target, places) as (run, signals),
        tracked(roots, name, "test", {"folds": list(numbers), **how}, mlflow) as tracker,
    ):
        if not is_current(roots, name, wanted):
            make_choice(roots, name, wanted)
        model = own_model(roots, name, wanted)
        for line in describe_model(model, how, network["device"]):
            say(line)
        run.note(
            plan=model.plan.digest, seed=model.plan.seed, weights=model.digests,
            choices=model.choices(), **how,
        )  # fmt: skip
        with run.step("predict"):
            done = predict_cases(
                cases, predictor_for(model, how, network["device"]), model, [*single, ensemble],
                how, overwrite=overwrite, signals=signals,
            )  # fmt: skip
            failures = finish(done, len(cases), "test", run, target)
        say(f"{target}: {counted(len(cases) - len(failures), 'case')}")
        labelled = [case for case in cases if case.label]
        if not labelled:
            say("no test case has a label: nothing to evaluate")
        else:
            with run.step("evaluate"):
                evaluation = evaluate_output(
                    labelled, ensemble, folder / EVALUATION, model, how["mirrored"],
                    f"{name}: {counted(len(labelled), 'test case')}, mean of"
                    f" {counted(len(model.folds), 'fold')}",
                    {case: why for case, why in failures.items()
                     if case in {one.name for one in labelled}}, signals, tracker,
                )  # fmt: skip
            failures |= evaluation.failures
    if failures:
        ctx.exit(1)
