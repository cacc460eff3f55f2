"""``interactivenet predict``: segment a task's test cases with each fold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import Command, required
from interactivenet.cli.predicting import network_options, output_options, roots_options


@click.command("predict", cls=Command)
@roots_options
@click.option("-f", "--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="The folds, one after the other; all: those that are trained.")  # fmt: skip
@output_options
@network_options
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    task: str | None,
    folds: str,
    nifti: bool,
    probabilities: bool,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    **network: Any,
) -> None:
    """Segment the test cases of a task with each of its folds.

    Writes predictions/fold_K/CASE.nii.gz (and CASE.npz with -w, which 'ensemble' needs) into TASK
    of the results.
    """
    from interactivenet.cli.predicting import (
        describe_model,
        finish,
        how_of,
        predictor_for,
        stage,
    )
    from interactivenet.cli.reporting import say
    from interactivenet.datasets.task import Roots, predictions_folder, read_test_set
    from interactivenet.errors import RequestError
    from interactivenet.inference.batch import Output, predict_cases
    from interactivenet.models.model import own_model, parse_folds

    if not (nifti or probabilities):
        raise RequestError("--no-nifti without -w / --probabilities: nothing would be written")
    name = required(task, "-t / --task")
    roots = Roots.choose(raw=raw, processed=processed, results=results)
    cases = read_test_set(roots, name)
    model = own_model(roots, name, parse_folds(folds))
    how = how_of(**network)
    failed = False
    for line in describe_model(model, how, network["device"]):
        say(line)
    for number in model.folds:
        output = Output(
            predictions_folder(roots, name, number), (number,), nifti, probabilities
        )  # fmt: skip
        one = model.fold(number)
        with stage(ctx, "predict", output.folder, seed=model.plan.seed) as (run, signals):
            run.note(plan=model.plan.digest, weights=one.digests, **how)
            found = predict_cases(
                cases, predictor_for(one, how, network["device"]), one, [output], how,
                overwrite=overwrite, signals=signals,
            )  # fmt: skip
            failed |= bool(finish(found, len(cases), f"fold {number}", run, output.folder))
        say(f"{output.folder}: fold {number}")
    if failed:
        ctx.exit(1)
