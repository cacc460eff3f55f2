"""``interactivenet ensemble``: the mean of the folds' predictions of the test cases."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Command, required
from interactivenet.cli.predicting import mlflow_option, output_options, roots_options


@click.command("ensemble", cls=Command)
@roots_options
@click.option("-f", "--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="The folds; all: those whose probabilities were kept.")  # fmt: skip
@output_options
@mlflow_option
@click.pass_context
def ensemble(
    ctx: click.Context,
    task: str | None,
    folds: str,
    nifti: bool,
    probabilities: bool,
    mlflow: bool,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
) -> None:
    """Average the probabilities that 'predict -w' kept of each fold, however many there are.

    Writes predictions/ensemble/CASE.nii.gz into TASK of the results; no network is needed.
    """
    from interactivenet.cli.predicting import finish, stage, tracked
    from interactivenet.cli.reporting import counted, say
    from interactivenet.datasets.task import Roots, predictions_folder, read_test_set
    from interactivenet.errors import RequestError
    from interactivenet.inference.batch import Output
    from interactivenet.inference.ensemble import ensemble_cases
    from interactivenet.models.model import own_model, parse_folds

    name = required(task, "-t / --task")
    roots = Roots.choose(raw=raw, processed=processed, results=results)
    cases = read_test_set(roots, name)
    wanted = parse_folds(folds)
    model = own_model(roots, name, wanted)
    folders = {number: predictions_folder(roots, name, number) for number in model.folds}
    if wanted is None:
        folders = {number: one for number, one in folders.items() if any(one.glob("*.npz"))}
    if not folders:
        raise RequestError(
            f"{roots.results / name}: no fold's probabilities were kept: run"
            f" 'interactivenet predict -t {name} -w' first"
        )
    output = Output(
        predictions_folder(roots, name, None), tuple(folders), nifti, probabilities
    )  # fmt: skip
    with (
        stage(ctx, "ensemble", output.folder, seed=model.plan.seed) as (run, signals),
        tracked(roots, name, "ensemble", {"folds": list(folders)}, mlflow) as tracker,
    ):
        run.note(plan=model.plan.digest, folds=list(folders), weights=model.digests)
        done = ensemble_cases(
            cases, model, folders, output, overwrite=overwrite, signals=signals
        )  # fmt: skip
        failures = finish(done, len(cases), "ensemble", run, output.folder)
        tracker.metrics({"cases": len(cases), "failed": len(failures)})
    say(f"{output.folder}: the mean of {counted(len(folders), 'fold')}")
    if failures:
        ctx.exit(1)
