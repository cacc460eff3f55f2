"""The command line as a stage's reporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from interactivenet.cli.progress import EpochProgress
from interactivenet.cli.reporting import say, show_findings, show_table, track
from interactivenet.cli.wording import translate
from interactivenet.datasets.findings import Finding
from interactivenet.pipeline import reporting

Item = TypeVar("Item")


class Terminal:
    """The command line as a reporter (:class:`~interactivenet.pipeline.reporting.Reporter`)."""

    def say(self, message: str) -> None:
        """Print one line."""
        say(message)

    def text(self, message: str) -> str:
        """Return a message in the words of the command line."""
        return translate(message)

    def findings(self, findings: Sequence[Finding]) -> None:
        """Print a table of findings."""
        show_findings(findings)

    def table(self, table: reporting.Table) -> None:
        """Print a table."""
        show_table(table)

    def track(
        self, items: Iterable[Item], total: int, description: str, names: Sequence[str] = ()
    ) -> Iterator[Item]:
        """Show a live bar; in a log a line every minute, and one at the end."""
        yield from track(items, total, description, names)

    def epochs(self, total: int | None) -> AbstractContextManager[reporting.EpochObserver]:
        """Show the epochs of a training."""
        return EpochProgress(total)
