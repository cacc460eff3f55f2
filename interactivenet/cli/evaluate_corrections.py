"""``interactivenet evaluate-corrections``: what correcting clicks are worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from interactivenet.cli.base import (
    Command,
    max_gb_option,
    processed_option,
    raw_option,
    required,
    results_option,
    task_option,
)
from interactivenet.cli.folders import Access, DataPath
from interactivenet.cli.network_options import access_to_models, mlflow_option, network_options
from interactivenet.cli.shard_options import shard_options

if TYPE_CHECKING:
    from interactivenet.inference.options import InferenceOptions

#: what --model says of the task's own folds
_OWN = (None, "own")


def _access_to_results(options: Mapping[str, Any]) -> Access:
    """Say whether what is measured goes there, or only the model is read, if at all."""
    return "writes" if options["output"] is None else access_to_models(options)


def _access_to_processed(options: Mapping[str, Any]) -> Access:
    """Say whether the plan is read: the task's own folds stand on it, other models do not."""
    return "reads" if options["model"] in _OWN else "ignores"


@click.command("evaluate-corrections", cls=Command)
@task_option
@click.option("--model", metavar="own|deployed|NAME|PATH",
              help="Model to measure, if not the task's own folds: 'starter' (built in), the name"
              " of an installed model, or its folder or zip.")  # fmt: skip
@click.option("-o", "--output", type=DataPath("writes"), metavar="FOLDER",
              help="Folder to write to.  [default: corrections/ or corrections_MODEL/ in the"
              " task's results folder]")  # fmt: skip
@click.option("--clicks", default=5, show_default=True, type=click.IntRange(min=1),
              help="Clicks that each object gets at most.")  # fmt: skip
@click.option("--robot", type=click.Choice(["cvpr", "sloppy"]), default="cvpr", show_default=True,
              help="Who clicks; cvpr: the middle of the largest error, as in the CVPR 2025"
              " challenge; sloppy: anywhere in it, missed by up to 2 mm.")  # fmt: skip
@click.option("-s", "--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Seed of the sloppy robot.")  # fmt: skip
@network_options
@mlflow_option
@click.option("--overwrite", is_flag=True, help="Redo finished work.")
@shard_options
@raw_option
@processed_option.with_access(_access_to_processed)
@results_option.with_access(_access_to_results)
@max_gb_option
@click.pass_context
def evaluate_corrections(
    ctx: click.Context,
    /,
    task: str | None,
    model: str | None,
    output: Path | None,
    clicks: int,
    robot: Literal["cvpr", "sloppy"],
    seed: int,
    mlflow: bool,
    overwrite: bool,
    shard: str | None,
    gather: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    options: InferenceOptions,
) -> None:
    """Measure what correcting clicks are worth, by a robot that clicks on the largest error.

    The task's labelled test cases are segmented and corrected click by click; without any, its
    training cases, each with the fold that never saw it. Another model is measured on all labelled
    cases of the task, as one that never saw them.
    Writes corrections.json, .csv, .png and .html, and run.json.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.evaluate_corrections import evaluate_corrections as run_stage

    result = run_stage(
        required(task, "-t / --task"),
        model=model,
        output=output,
        clicks=clicks,
        robot=robot,
        seed=seed,
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
