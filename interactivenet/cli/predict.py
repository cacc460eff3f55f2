"""``interactivenet predict``: segment a task's test cases with each fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interactivenet.cli.base import (
    Command,
    max_gb_option,
    required,
)
from interactivenet.cli.network_options import network_options, output_options, roots_options
from interactivenet.cli.shard_options import shard_options

if TYPE_CHECKING:
    from interactivenet.inference.options import InferenceOptions


@click.command("predict", cls=Command)
@roots_options
@click.option("-f", "--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="Folds to segment with, in turn; all: every trained fold.")  # fmt: skip
@output_options
@network_options
@shard_options
@max_gb_option
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    task: str | None,
    folds: str,
    nifti: bool,
    probabilities: bool,
    overwrite: bool,
    shard: str | None,
    gather: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    options: InferenceOptions,
) -> None:
    """Segment the test cases of a task with each of its folds.

    Writes predictions/fold_K/CASE.nii.gz (and CASE.npz with -w, which 'ensemble' needs) into
    the task's results folder.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.models.model import parse_folds
    from interactivenet.pipeline.predict import predict as run_stage

    result = run_stage(
        required(task, "-t / --task"),
        folds=parse_folds(folds),
        nifti=nifti,
        probabilities=probabilities,
        options=options,
        overwrite=overwrite,
        shard=shard,
        gather=gather,
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        reporter=Terminal(),
    )
    if result.failures:
        ctx.exit(1)
