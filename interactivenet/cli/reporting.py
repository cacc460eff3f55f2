"""What a user sees: tables, progress; plain lines where the output is no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import track as rich_track
from rich.table import Table
from rich.text import Text

from interactivenet.case_files import Finding

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
    """Print one line."""
    click.echo(message)


def counted(count: int, noun: str) -> str:
    """Return '1 case', '2 cases'."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def track(items: Iterable[Item], total: int, description: str) -> Iterator[Item]:
    """Pass items through under a progress bar, or with one line at the end in a log."""
    out = console()
    if out.is_terminal:
        yield from rich_track(items, description, total=total, console=out, transient=True)
        return
    count = 0
    for item in items:
        count += 1
        yield item
    say(f"{description}: {count} of {total} cases")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], level: bool = False) -> None:
    """Print a table; with ``level``, the first column says how serious a row is."""
    out = console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        last = index == len(columns) - 1
        table.add_column(column, overflow="fold", no_wrap=not last, justify="left")
    for row in rows:
        style = _STYLES.get(row[0], "") if level else ""
        cells = [Text(cell) for cell in row]
        if style:
            cells[0] = Text(row[0], style=style)
        table.add_row(*cells)
    out.print(table)


def show_findings(findings: Sequence[Finding]) -> None:
    """Print one table of findings, the worst first, equal ones of several cases as one row."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for finding in sorted(findings, key=lambda one: (_LEVELS.index(one.level), one.case)):
        message = finding.message
        if finding.case:  # "hippocampus_003.nii.gz: ..." is the same finding in every case
            message = message.replace(finding.case, "CASE") if finding.level != "error" else message
        grouped.setdefault((finding.level, message), []).append(finding.case)
    rows = []
    for (level, message), found in grouped.items():
        cases = list(dict.fromkeys(found))
        if len(cases) == 1:
            times = f" ({len(found)} times)" if len(found) > 1 else ""
            rows.append((level, cases[0], message.replace("CASE", cases[0]) + times))
            continue
        more = f" and {len(cases) - _NAMED} more" if len(cases) > _NAMED else ""
        rows.append(
            (level, f"{len(cases)} cases", f"{message} ({', '.join(cases[:_NAMED])}{more})")
        )
    if rows:
        show_table(("", "case", "finding"), rows, level=True)
