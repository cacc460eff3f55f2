"""``interactivenet ensemble``: the mean of the folds' predictions of the test cases."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import (
    Command,
    max_gb_option,
    required,
)
from interactivenet.cli.network_options import mlflow_option, output_options, roots_options
from interactivenet.cli.picture_options import pictures_option


@click.command("ensemble", cls=Command)
@roots_options
@click.option("-f", "--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="Folds to average; all: every fold with probabilities.")  # fmt: skip
@output_options
@pictures_option
@mlflow_option
@max_gb_option
@click.pass_context
def ensemble(
    ctx: click.Context,
    task: str | None,
    folds: str,
    nifti: bool,
    probabilities: bool,
    pictures: bool,
    mlflow: bool,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
) -> None:
    """Average the probabilities that 'predict -w' wrote for each fold, however many there are.

    Writes predictions/ensemble/CASE.nii.gz into the task's results folder; no network is run.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.models.model import parse_folds
    from interactivenet.pipeline.ensemble import ensemble as run_stage

    result = run_stage(
        required(task, "-t / --task"),
        folds=parse_folds(folds),
        nifti=nifti,
        probabilities=probabilities,
        pictures=pictures,
        mlflow=mlflow,
        overwrite=overwrite,
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        reporter=Terminal(),
    )
    if result.failures:
        ctx.exit(1)
