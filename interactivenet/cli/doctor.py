"""``interactivenet doctor``: what will work here, what will not, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interactivenet.cli.base import Command, processed_option, raw_option, results_option

if TYPE_CHECKING:
    from interactivenet.datasets.roots import Roots
    from interactivenet.doctor import Check

_STYLES = {"problem": "bold red", "note": "yellow", "ok": "green"}


@click.command("doctor", cls=Command)
@click.option("--require-gpu", is_flag=True, help="Report a problem if no GPU can be used.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@raw_option.with_access("ignores")
@processed_option.with_access("ignores")
@results_option.with_access("ignores")
@click.pass_context
def doctor(
    ctx: click.Context,
    require_gpu: bool,
    as_json: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
) -> None:
    """Check this installation, machine or container, and say how to fix what will fail.

    Checks versions, GPU and driver, processor, memory, folders and the MLflow store, in 10 to 30
    seconds. Exit status: 1 if a command will fail, 0 if none will, though some may be slow.
    """
    from interactivenet.doctor import examine

    def choose_roots() -> Roots:
        from interactivenet.datasets.roots import Roots

        return Roots.choose(raw=raw, processed=processed, results=results)

    checks = examine(choose_roots, require_gpu=require_gpu)
    problems = sum(check.status == "problem" for check in checks)
    if as_json:
        _as_json(checks, problems)
    else:
        _as_table(checks, problems)
    if problems:
        ctx.exit(1)


def _as_json(checks: Sequence[Check], problems: int) -> None:
    import json
    from dataclasses import asdict

    from interactivenet import __version__
    from interactivenet.cli.reporting import say

    content = {
        "version": __version__,
        "problems": problems,
        "checks": [asdict(check) for check in checks],
    }
    say(json.dumps(content, indent=2, ensure_ascii=False))


def _as_table(checks: Sequence[Check], problems: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from interactivenet.cli.reporting import console, counted, say
    from interactivenet.errors import sanitize_text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        text = f"{check.found}; remedy: {check.remedy}" if check.remedy else check.found
        status = Text(check.status, style=_STYLES[check.status])
        table.add_row(status, Text(check.subject), Text(sanitize_text(text)))
    console().print(table)
    say(counted(problems, "problem") if problems else "no problems")
