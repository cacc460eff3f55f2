"""``interactivenet plan``: fingerprint, plan and preprocess a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


@click.command("plan", cls=Command)
@task_option
@click.option(
    "-s",
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the splits and the training; it is stored in the plan.",
)
@click.option(
    "-f", "--folds", default=5, show_default=True, help="Number of cross-validation folds."
)
@click.option(
    "--leave-one-out", is_flag=True, help="Make one fold per subtype, instead of --folds."
)
@click.option(
    "--stratified/--no-stratified", default=True, show_default=True,
    help="Whether to give each fold its share of every subtype.",
)  # fmt: skip
@click.option(
    "--relax", default=0.1, show_default=True,
    help="Smallest margin around the points' box, as a fraction of its size.",
)  # fmt: skip
@click.option(
    "--spacing", type=(float, float, float), metavar="R A S",
    help="Voxel spacing of the target grid, in mm; larger voxels train faster.  [default: chosen"
    " from the data]",
)  # fmt: skip
@click.option(
    "--grid", type=click.Choice(["auto", "object", "spacing"]), default="auto", show_default=True,
    help="Target grid: each object's own, of a fixed number of voxels; one spacing for all; or"
    " whichever suits the data.",
)  # fmt: skip
@click.option(
    "--grid-voxels", type=int, metavar="N",
    help="Voxels of an object's own grid along each axis: 32, 48 ... 128.  [default: by --preset"
    " and --memory-gb]",
)  # fmt: skip
@click.option(
    "--like", metavar="MODEL",
    help="Take network, grid, margins and encoding from a model, whose weights the training can"
    " then begin with: 'starter' (built in), the name of an installed model, or its folder or"
    " zip.",
)  # fmt: skip
@click.option(
    "--memory-gb",
    default=8.0,
    show_default=True,
    help="Memory that a training step may take, in GB.",
)
@click.option(
    "--preset", type=click.Choice(["tiny", "small", "default", "large"]), default="default",
    show_default=True, help="Size of the network.",
)  # fmt: skip
@click.option(
    "--encoding",
    type=click.Choice(["exact", "scan", "geodistk", "gradient", "euclidean", "gaussian", "none"]),
    default="gradient", show_default=True,
    help="How the points are encoded as a map for the network.",
)  # fmt: skip
@click.option(
    "--extent/--no-extent", default=True, show_default=True,
    help="Whether to add a second map: the ellipsoid through the points' extent.",
)  # fmt: skip
@click.option(
    "--corrections", is_flag=True,
    help="Let the network learn to see clicks that correct its result. Training takes two fifths"
    " longer.",
)  # fmt: skip
@click.option(
    "-v",
    "--verbose",
    "snapshots",
    is_flag=True,
    help="Draw a picture of every prompt into snapshots/.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Redo finished work, even if its files are unchanged, and replace a plan with trained"
    " folds.",
)
@raw_option
@processed_option.with_access("writes")
@results_option.with_access("ignores")  # where there are trained folds, a plan is not just replaced
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Number of processes.  [default: all available cores]",
)
@max_gb_option
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    task: str | None,
    folds: int,
    leave_one_out: bool,
    stratified: bool,
    encoding: str,
    extent: bool,
    snapshots: bool,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    jobs: int | None,
    **options: Any,
) -> None:
    """Measure a checked task, decide how it is trained, and preprocess it.

    Writes plans.json, regions/, run.json and, with -v, snapshots/ into the processed task. Work
    that is finished and whose files are unchanged is skipped.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.plan import FoldOptions
    from interactivenet.pipeline.plan import plan as run_stage
    from interactivenet.planning.options import PlanningOptions, encoding_named

    result = run_stage(
        required(task, "-t / --task"),
        PlanningOptions(encoding=encoding_named(encoding, extent=extent), **options),
        folds=FoldOptions(folds, stratified=stratified, leave_one_out=leave_one_out),
        snapshots=snapshots,
        overwrite=overwrite,
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        jobs=jobs,
        reporter=Terminal(),
    )
    if result.failures:
        ctx.exit(1)
