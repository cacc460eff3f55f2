"""``interactivenet postprocess``: choose checkpoint and postprocessing by cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interactivenet.cli.base import (
    Command,
    processed_option,
    required,
    results_option,
    task_option,
)

if TYPE_CHECKING:
    from interactivenet.datasets.task import Roots
    from interactivenet.pipeline.select import Selection


@click.command("postprocess", cls=Command)
@task_option
@click.option("--folds", metavar="0,1,2|all", default="all", show_default=True,
              help="The folds to pool.")  # fmt: skip
@processed_option
@results_option
@click.pass_context
def postprocess(
    ctx: click.Context,
    task: str | None,
    folds: str,
    processed: Path | None,
    results: Path | None,
) -> None:
    """Choose checkpoint and postprocessing on the cross-validation predictions of all folds.

    Writes postprocessing.json into TASK of the results: the whole table, the choice, and what the
    agreement of predictions says of their quality. Prediction and inference use it.
    """
    from interactivenet.cli.predicting import stage
    from interactivenet.datasets.task import Roots
    from interactivenet.models.model import parse_folds

    name = required(task, "-t / --task")
    roots = Roots.choose(processed=processed, results=results)
    roots.processed_task(name)
    folder = roots.results / name
    with stage(ctx, "postprocess", folder / "postprocess") as (run, _):
        choice = make_choice(roots, name, parse_folds(folds))
        run.note(
            plan=choice.plan, folds=choice.folds, made_from=choice.made_from,
            checkpoint=choice.checkpoint, chosen=choice.postprocessing.name,
        )  # fmt: skip
    if choice.failures:
        ctx.exit(1)


def make_choice(roots: Roots, task: str, folds: list[int] | None) -> Selection:
    """Choose, write and show."""
    from interactivenet.cli.reporting import counted, say
    from interactivenet.pipeline.select import choose, save_choice
    from interactivenet.plotting.figures import save_reliability

    choice = choose(roots, task, folds)
    results = roots.results / task
    save_reliability(
        results / "postprocess" / "reliability.png",
        [row["expected_dice"] for row in choice.objects],
        [row["dice"] for row in choice.objects],
        f"{task}: cross-validation, each object by the others' calibration",
    )
    path = save_choice(choice, results)
    show_choice(choice)
    for case, reason in choice.failures.items():
        say(f"warning: {case} has no say, it could not be segmented: {reason}")
    say(
        f"{path}: {choice.checkpoint} checkpoint, postprocessing {choice.postprocessing.name}, from"
        f" {counted(len(choice.objects), 'object')} of {counted(len(choice.folds), 'fold')}"
    )
    return choice  # fmt: skip


def show_choice(choice: Selection) -> None:
    """Print the whole table, the chosen row marked, and what expected Dice is worth."""
    from rich.table import Table

    from interactivenet.cli.reporting import console, say

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("", "postprocessing", "checkpoint"):
        table.add_column(column)
    for column in ("n", "missed", "Dice", "NSD 2 mm", "HD95 mm"):
        table.add_column(column, justify="right")
    for row in choice.table:
        mine = (row["checkpoint"], row["name"]) == (choice.checkpoint, choice.postprocessing.name)
        values = ["-" if row[name] is None else f"{row[name]:.4f}" for name in
                  ("dice", "nsd", "hd95")]  # fmt: skip
        table.add_row("*" if mine else "", row["name"], row["checkpoint"], str(row["objects"]),
                      str(row["missed"]), *values)  # fmt: skip
    console().print(table)
    found = choice.calibrations.get("mirrored")
    if found is None:
        return
    say(f"expected Dice ({found.kind}): off by {found.error:.3f} on the mean, on cases left out;"
        f" {found.error_constant:.3f} if the mean were expected of each")  # fmt: skip
    if found.hit_rate is not None and found.sensitivity is not None:
        say(f"'look first': {found.hit_rate:.0%} of the flagged are among the worst fifth (Dice"
            f" below {found.poor_below:.3f}; {found.chance:.0%} by chance),"
            f" {found.sensitivity:.0%} of the worst fifth are flagged")  # fmt: skip
