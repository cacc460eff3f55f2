"""``interactivenet simulate``: margin points from label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import (
    Command,
    jobs_option,
    max_gb_option,
    raw_option,
    required,
    task_option,
)


@click.command("simulate", cls=Command)
@task_option
@click.option(
    "-s",
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the points; the same seed gives the same files.",
)
@click.option(
    "--depth-mm",
    type=float,
    help="Depth of the points below the object's extremes, in mm."
    "  [default: 5 voxels; 1 along coarse axes]",
)
@click.option(
    "--random", type=int, default=0, help="Write this many random points instead of margin points."
)
@click.option("--centre", is_flag=True, help="Write the centre point instead of margin points.")
@click.option(
    "--jitter-mm",
    default=0.0,
    show_default=True,
    help="Standard deviation of noise on each coordinate, in mm.",
)
@click.option(
    "--per-component/--per-label",
    default=False,
    help="What counts as one object: each connected component, or each label."
    "  [default: per-label]",
)
@click.option(
    "--largest-component/--all-components", default=True, show_default=True,
    help="Use only the largest component of each label, or all of them.",
)  # fmt: skip
@click.option(
    "--format", type=click.Choice(["nii.gz", "json"]), default="nii.gz",
    show_default=True,
    help="Format of the prompt files; json is used anyway if two objects of a case share a label.",
)  # fmt: skip
@click.option(
    "--overwrite",
    is_flag=True,
    help="Also replace prompts that were not simulated here; those are kept in set_aside/.",
)
@raw_option.with_access("writes")
@jobs_option
@max_gb_option
@click.pass_context
def simulate(
    ctx: click.Context,
    /,
    task: str | None,
    overwrite: bool,
    raw: Path | None,
    jobs: int | None,
    **options: Any,
) -> None:
    """Write six interior margin points per object, from the label maps of a raw task.

    Points go to interactionsTr and interactionsTs, the settings to simulation.json. Images and
    labels are never changed. Prompt files that were not simulated here are kept.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.simulate import simulate as run_stage
    from interactivenet.prompts.simulation import SimulationOptions

    result = run_stage(
        required(task, "-t / --task"),
        SimulationOptions(**options),
        roots=Roots.choose(raw=raw),
        jobs=jobs,
        overwrite=overwrite,
        reporter=Terminal(),
    )
    if result.failures:
        ctx.exit(1)
