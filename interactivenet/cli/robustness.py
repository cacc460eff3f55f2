"""``interactivenet robustness``: how much results depend on where exactly the points are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from interactivenet.cli.network_options import network_options
from interactivenet.cli.shard_options import shard_options

if TYPE_CHECKING:
    from interactivenet.inference.options import InferenceOptions


def _access_to_results(options: Mapping[str, Any]) -> Access:
    """Say whether what is measured goes there as well, and not to another folder."""
    return "writes" if options["output"] is None else "reads"


@click.command("robustness", cls=Command)
@click.option("-o", "--output", type=DataPath("writes"), metavar="FOLDER",
              help="Folder to write to.  [default: robustness/ in the task's results"
              " folder]")  # fmt: skip
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1),
              help="Number of times each perturbation is drawn.")  # fmt: skip
@click.option("-s", "--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Seed of the perturbations.")  # fmt: skip
@task_option
@raw_option
@processed_option
@results_option.with_access(_access_to_results)
@click.option("--overwrite", is_flag=True, help="Redo finished work.")
@shard_options
@network_options
@max_gb_option
@click.pass_context
def robustness(
    ctx: click.Context,
    /,
    output: Path | None,
    repeats: int,
    seed: int,
    task: str | None,
    overwrite: bool,
    shard: str | None,
    gather: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    options: InferenceOptions,
) -> None:
    """Measure how much a task's results depend on the exact placement of the points.

    Its labelled test cases are segmented again from perturbed points: moved by a few millimetres,
    with one missing, or all simulated again. Without labelled test cases, its training cases are
    used, each with the fold that never saw it.
    Writes robustness.json, robustness.csv, robustness.png and run.json.
    """
    run_robustness(
        ctx, task, raw, processed, results, output=output, repeats=repeats, seed=seed,
        options=options, overwrite=overwrite, shard=shard, gather=gather,
    )  # fmt: skip


def run_robustness(
    ctx: click.Context,
    task: str | None,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    *,
    output: Path | None,
    repeats: int,
    seed: int,
    options: InferenceOptions,
    overwrite: bool,
    shard: str | None = None,
    gather: bool = False,
) -> None:
    """Run the stage, for this command and for ``evaluate --robustness``."""
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.robustness import robustness as run_stage

    result = run_stage(
        required(task, "-t / --task"),
        output=output,
        repeats=repeats,
        seed=seed,
        options=options,
        overwrite=overwrite,
        shard=shard,
        gather=gather,
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        reporter=Terminal(),
    )
    if result.failures:
        ctx.exit(1)
