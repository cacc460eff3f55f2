"""``interactivenet demo``: the whole way, from scans to a deployed model, within minutes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interactivenet.cli.base import Command, max_gb_option
from interactivenet.cli.folders import DataPath
from interactivenet.cli.wording import translate
from interactivenet.errors import InteractiveNetError, RequestError, one_line

if TYPE_CHECKING:
    from interactivenet.datasets.findings import Finding
    from interactivenet.pipeline.demo_stages import Step
    from interactivenet.pipeline.reporting import Reporter, Table


@click.command("demo", cls=Command)
@click.option("-o", "--output", default="demo", show_default=True, metavar="FOLDER",
              type=DataPath("writes", file_okay=False),
              help="Folder for everything that the demo writes.")  # fmt: skip
@click.option("--data", type=DataPath("reads"), metavar="FOLDER",
              help="Your own scans (images/ and labels/, or a Decathlon or nnU-Net dataset). The"
              " demo uses some of them and alters none.  [default: synthetic scans]")  # fmt: skip
@click.option("-m", "--modality", "modalities", multiple=True, metavar="NAME",
              help="Name of a modality of --data, if that does not name them; use CT for a CT scan."
              " Repeat the option for several.")  # fmt: skip
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME",
              help="Name of a label of --data, as for 'dataset convert'. Repeat the option for"
              " several.")  # fmt: skip
@click.option(
    "--merge-labels",
    default="",
    metavar="NAME",
    help="Merge all labels of --data into one with this name.",
)
@click.option("--cases", type=click.IntRange(min=2),
              help="Number of training cases.  [default: 24, or 20 with --data]")  # fmt: skip
@click.option(
    "--test-cases",
    type=click.IntRange(min=1),
    help="Number of test cases.  [default: 6, or 4 with --data]",
)
@click.option(
    "-e",
    "--epochs",
    type=click.IntRange(min=1),
    help="Number of training epochs.  [default: 50, or 30 with --data]",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="Train reproducibly: the same weights every time, but slower.",
)
@max_gb_option
@click.pass_context
def demo(
    ctx: click.Context,
    output: Path,
    data: Path | None,
    modalities: tuple[str, ...],
    labels: tuple[str, ...],
    merge_labels: str,
    cases: int | None,
    test_cases: int | None,
    epochs: int | None,
    deterministic: bool,
) -> None:
    """Run every stage on a small task: make or import it, train, test, deploy, infer.

    At the end the starter, which needs no training, segments the same scans.
    Each command is printed as you would type it in the demo's folder. Run again, the demo
    continues where it stopped.
    """
    from interactivenet.cli.reporting import say
    from interactivenet.pipeline.demo import demo as run_demo

    if data is None and (modalities or labels or merge_labels):
        raise click.UsageError("-m, -l and --merge-labels can only be used with --data.")
    result = run_demo(
        output,
        data=data,
        modalities=modalities,
        labels=labels,
        merge_labels=merge_labels,
        cases=cases,
        test_cases=test_cases,
        epochs=epochs,
        deterministic=deterministic,
        reporter=_shell(output),
        during=partial(_in_words_of_its_command, ctx),
    )
    say("\nDone.")
    dice = result.dice
    if dice:
        between = f" ({dice['min']:.3f} to {dice['max']:.3f})" if dice["n"] > 1 else ""
        say(f"Dice of the test cases: {dice['mean']:.3f}{between}, n = {dice['n']}")
    say(f"the report (open it in a browser): {result.report}")
    say(f"the deployed model and its card: {result.model}")
    say(f"segmentations of new scans: {result.segmentations}")
    if result.starter_segmentations.is_dir():
        say(f"the same without training, by the starter: {result.starter_segmentations}")
    say("next: your own scans, with interactivenet demo --data FOLDER -o FOLDER; then step by step,"
        " with more epochs and without --preset tiny: docs/tutorials/your-own-data.md")  # fmt: skip
    if result.failures:
        ctx.exit(1)


def _shell(folder: Path) -> Reporter:
    """Return a terminal that shows each step as one would type it in the demo's folder."""
    from interactivenet.cli.reporting import say
    from interactivenet.cli.terminal import Terminal

    def from_inside(text: str) -> str:
        return inside(text, folder)

    class Shell(Terminal):
        entered = False

        def say(self, message: str) -> None:
            if not self.entered:
                say(f"$ cd {shlex.quote(str(folder))}")
                self.entered = True
            heading, prompt, call = message.partition("\n>>> ")
            say(f"{heading}\n$ {typed(call)}" if prompt else from_inside(message))

        def findings(self, findings: Sequence[Finding]) -> None:
            super().findings([replace(f, message=from_inside(f.message)) for f in findings])

        def table(self, table: Table) -> None:
            rows = tuple(tuple(map(from_inside, row)) for row in table.rows)
            super().table(replace(table, rows=rows))

    return Shell()


def inside(text: str, folder: Path) -> str:
    """Return a text with the paths that lie in a folder as one types them there."""
    for prefix in {str(folder), str(folder.resolve())} - {".", "/"}:
        # not where it is only the end of another path or word
        text = re.sub(rf"(?<![\w./-]){re.escape(prefix)}/+(?=[^\s/])", "", text)
    return text


def typed(call: str) -> str:
    """Return the command of a step's call, as one would type it."""
    return translate(call).removeprefix("'").removesuffix("'")


@contextmanager
def _in_words_of_its_command(ctx: click.Context, step: Step) -> Iterator[None]:
    """Let a step's messages name the options of its own command."""
    command: click.Command = ctx.find_root().command
    for word in shlex.split(typed(step.call))[1:]:
        subcommand = command.get_command(ctx, word) if isinstance(command, click.Group) else None
        if subcommand is None:
            break
        command = subcommand
    with click.Context(command, parent=ctx) as inner:
        try:
            yield
        except InteractiveNetError as error:
            message = f"the demo stopped: {translate(one_line(error), inner)}"
            raise RequestError(message) from error
