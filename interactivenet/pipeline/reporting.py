"""How a stage reports what it does: a protocol for the command line, a viewer or a notebook.

Lines and findings name parameters and stages in backticks, as errors do (errors.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from interactivenet.datasets.findings import Finding

Item = TypeVar("Item")


@dataclass(frozen=True)
class Table:
    """A small table of text; the first column is aligned to the left, numbers to the right.

    columns: their headings.  rows: a cell per column.  left: how many columns are text.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


class EpochObserver(Protocol):
    """Is told how far a training is."""

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Take note that batch ``batch`` of ``batches`` of an epoch, both from 1, was trained."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Take note of a finished epoch: its row of metrics.csv, 'best' and 'seconds_left'."""


class Reporter(Protocol):
    """Is told what a stage does while it runs, and what came of it."""

    def say(self, message: str) -> None:
        """Report one line."""

    def text(self, message: str) -> str:
        """Return a message in the words of whoever reads it, to be written to a file."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """Report what was noticed about cases: errors, warnings, notes."""

    def table(self, table: Table) -> None:
        """Show a table."""

    def track(
        self, items: Iterable[Item], total: int, description: str, names: Sequence[str] = ()
    ) -> Iterator[Item]:
        """Pass items through while showing the progress.

        total: how many items.  description: what was done with them, such as 'measured'.
        names: of the cases that the items come from, in order, where they are known: the one that
        is worked on is named. An item that is ``kept`` was done before.
        """

    def epochs(self, total: int | None) -> AbstractContextManager[EpochObserver]:
        """Show the epochs of a training; total: None where their number is not known."""


class _SilentEpochs:
    def step(self, epoch: int, batch: int, batches: int) -> None:
        pass

    def epoch(self, row: Mapping[str, Any]) -> None:
        pass


class SilentReporter:
    """Reports nothing: what a stage returns, and the files that it writes, hold all of it."""

    def say(self, message: str) -> None:
        """Report nothing."""

    def text(self, message: str) -> str:
        """Return the message as it is, in the words of Python."""
        return message

    def findings(self, findings: Sequence[Finding]) -> None:
        """Report nothing."""

    def table(self, table: Table) -> None:
        """Show nothing."""

    def track(
        self, items: Iterable[Item], total: int, description: str, names: Sequence[str] = ()
    ) -> Iterator[Item]:
        """Pass items through."""
        yield from items

    def epochs(self, total: int | None) -> AbstractContextManager[EpochObserver]:
        """Show nothing."""
        return nullcontext(_SilentEpochs())


SILENT = SilentReporter()

#: how the reason begins of a case that failed after it was segmented: its result is that of the run
SEGMENTED = "segmented, but not"


def recorded_reasons(failures: Mapping[str, str], reporter: Reporter) -> dict[str, str]:
    """Return case -> why it failed as files say it: in the words of whoever started the stage."""
    return {case: reporter.text(reason) for case, reason in failures.items()}


def recorded_notes(notes: Mapping[str, Sequence[str]], reporter: Reporter) -> dict[str, list[str]]:
    """Return case -> what is to be told of it, in the words of whoever started the stage."""
    return {case: [reporter.text(note) for note in told] for case, told in notes.items()}


def loading(what: str, place: Path) -> str:
    """Return the line that a log begins with, before anything that takes long is read."""
    return f"loading {what} from {place}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return '1 case', '2 cases'; plural: where it is not the noun with an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
