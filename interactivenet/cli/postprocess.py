"""``interactivenet postprocess``: choose checkpoint and postprocessing by cross-validation."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import (
    Command,
    processed_option,
    raw_option,
    required,
    results_option,
    task_option,
)


@click.command("postprocess", cls=Command)
@task_option
@click.option("--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="Folds to pool; all: every fold of the plan.")  # fmt: skip
@raw_option.with_access("ignores")  # where it is there, its files are compared with the plan's
@processed_option
@results_option
@click.pass_context
def postprocess(
    ctx: click.Context,
    task: str | None,
    folds: str,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
) -> None:
    """Choose the checkpoint and postprocessing on the cross-validation predictions of all folds.

    Writes postprocessing.json into the task's results folder: the whole table, the choice, and
    what the agreement of predictions says about their quality. Prediction and inference use it.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.models.model import parse_folds
    from interactivenet.pipeline.select import select

    selection = select(
        required(task, "-t / --task"),
        folds=parse_folds(folds),
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        reporter=Terminal(),
    )
    if selection.failures:
        ctx.exit(1)
