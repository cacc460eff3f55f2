"""What a user sees: tables and progress, plain lines where the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from interactivenet.cli.wording import translate
from interactivenet.datasets.findings import Finding
from interactivenet.pipeline import reporting
from interactivenet.pipeline.reporting import counted
from interactivenet.system.names import escaped, printable

__all__ = ["console", "counted", "say", "show_findings", "show_table", "track"]

Item = TypeVar("Item")

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_LEVELS = list(_STYLES)
#: this many cases are named beside a finding that several share
_NAMED = 4


def console() -> Console:
    """Return a console on standard output; in a log, lines are never wrapped."""
    out = Console(highlight=False, markup=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=100_000)


def say(message: str) -> None:
    """Print one line, in the words of the command line."""
    click.echo(printable(translate(message)))


def track(
    items: Iterable[Item], total: int, description: str, names: Sequence[str] = ()
) -> Iterator[Item]:
    """Pass items through under a live bar; in a log with lines now and then, and one at the end.

    names: of the cases in order, so that the one that is worked on is named.
    """
    from interactivenet.cli.case_progress import CaseProgress, logged, shown

    out, progress = console(), CaseProgress(total, names)
    if out.is_terminal:
        yield from shown(items, progress, description, out)
        return
    yield from logged(items, progress, description)
    say(f"{description}: {progress.counted()}")


def show_findings(findings: Sequence[Finding]) -> None:
    """Print one table of findings, the worst first, equal ones of several cases as one row."""
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(
        findings, key=lambda finding: (_LEVELS.index(finding.level), finding.case)
    ):
        message = finding.message
        if finding.case and message.startswith(finding.case):
            # "hippocampus_003.nii.gz: ..." is the same finding in every case
            message = "CASE" + message[len(finding.case) :]
        grouped.setdefault((finding.level, message), []).append(finding)
    if not grouped:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    out = console()
    # names with a UID would leave the findings a few letters a line: these are folded, never cut
    table.add_column("", no_wrap=True)
    table.add_column("case", overflow="fold", max_width=max(out.width // 3, 12))
    table.add_column("finding", overflow="fold")
    for (level, message), group in grouped.items():
        cases = list(dict.fromkeys(finding.case for finding in group))
        if len(cases) == 1:
            subject = cases[0]
            text = group[0].message + (f" ({len(group)} times)" if len(group) > 1 else "")
        else:
            more = f" and {len(cases) - _NAMED} more" if len(cases) > _NAMED else ""
            subject = f"{len(cases)} cases"
            text = f"{message} ({', '.join(cases[:_NAMED])}{more})"
        table.add_row(
            Text(level, style=_STYLES[level]),
            Text(escaped(subject)),
            Text(printable(translate(text))),
        )
    out.print(table)


def show_table(table: reporting.Table) -> None:
    """Print a table: text to the left, numbers to the right."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(table.columns):
        justify: Literal["left", "right"] = "left" if number < table.left else "right"
        shown.add_column(column, justify=justify, overflow="fold")  # never cut: it may be a name
    for row in table.rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    console().print(shown)
