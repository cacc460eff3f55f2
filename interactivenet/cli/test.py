"""``interactivenet test``: everything about a task's test cases, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interactivenet.cli.base import (
    Command,
    max_gb_option,
    required,
)
from interactivenet.cli.export_options import codes_option
from interactivenet.cli.network_options import (
    mlflow_option,
    network_options,
    output_options,
    roots_options,
)
from interactivenet.cli.picture_options import pictures_option
from interactivenet.cli.shard_options import shard_options

if TYPE_CHECKING:
    from interactivenet.inference.options import InferenceOptions


@click.command("test", cls=Command)
@roots_options
@click.option("--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="Folds to use; all: every fold of the plan.")  # fmt: skip
@output_options
@pictures_option
@click.option("--format", multiple=True, metavar="FORMAT",
              help="Export the results of all folds, too, once for each: dcm-seg (DICOM SEG),"
              " rtstruct, seg.nrrd (3D Slicer).")  # fmt: skip
@codes_option
@network_options
@mlflow_option
@shard_options
@max_gb_option
@click.pass_context
def test(
    ctx: click.Context,
    /,
    task: str | None,
    folds: str,
    nifti: bool,
    probabilities: bool,
    pictures: bool,
    format: tuple[str, ...],
    codes: Path | None,
    mlflow: bool,
    overwrite: bool,
    shard: str | None,
    gather: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    options: InferenceOptions,
) -> None:
    """Choose the postprocessing, segment the test cases with each and all folds, and evaluate.

    Does the same as 'postprocess', 'predict', 'ensemble' and 'evaluate', one after the other, with
    identical results; finished work is kept. --no-nifti skips the label maps of single folds.
    Writes predictions/ and evaluation/ into the task's results folder.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.models.model import parse_folds
    from interactivenet.pipeline.test import test as run_stage

    result = run_stage(
        required(task, "-t / --task"),
        folds=parse_folds(folds),
        nifti=nifti,
        probabilities=probabilities,
        pictures=pictures,
        format=format,
        codes=codes,
        options=options,
        mlflow=mlflow,
        overwrite=overwrite,
        shard=shard,
        gather=gather,
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        reporter=Terminal(),
    )
    if result.failures:
        ctx.exit(1)
