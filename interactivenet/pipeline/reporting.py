"""How a stage tells what it does: a protocol for the command line, a viewer or a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from interactivenet.datasets.file_matching import Finding

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
    """Is told how a training goes on."""

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Batch ``batch`` of ``batches`` of an epoch, both from 1, was trained."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch was finished: a row of metrics.csv, with 'best' and 'seconds_left'."""


class Reporter(Protocol):
    """Is told what a stage does while it runs."""

    def say(self, message: str) -> None:
        """Tell one line."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """Tell what was noticed about cases: errors, warnings, notes."""

    def table(self, table: Table) -> None:
        """Show a table."""

    def track(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        """Pass items through, showing how far it is.  total: how many.  what: is done with them."""

    def epochs(self, total: int) -> AbstractContextManager[EpochObserver]:
        """Show the epochs of a training."""


class _SilentEpochs:
    def step(self, epoch: int, batch: int, batches: int) -> None:
        pass

    def epoch(self, row: Mapping[str, Any]) -> None:
        pass


class SilentReporter:
    """Tells nothing: what a stage returns, and the files that it writes, say all of it."""

    def say(self, message: str) -> None:
        """Tell nothing."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """Tell nothing."""

    def table(self, table: Table) -> None:
        """Show nothing."""

    def track(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        """Pass items through."""
        yield from items

    def epochs(self, total: int) -> AbstractContextManager[EpochObserver]:
        """Show nothing."""
        return nullcontext(_SilentEpochs())


SILENT = SilentReporter()


def counted(count: int, noun: str) -> str:
    """Return '1 case', '2 cases'."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
