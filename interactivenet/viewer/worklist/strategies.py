"""In which order cases are offered: the ones first from which the most is to be gained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from interactivenet.viewer.worklist.worklist import WorklistEntry


class Strategy(Protocol):
    """An order of cases, of which the first is the next to be outlined.

    Attributes:
        name: What it is called by: letters and '_'.
        description: What it does, for a person; one sentence.
    """

    name: str
    description: str

    def order(self, entries: Sequence[WorklistEntry]) -> list[WorklistEntry]:
        """Return all of the entries, the next one first; equal ones keep their order."""


class LowestExpectedDice:
    """Cases with points first, by their expected Dice; then new ones; saved ones last.

    The lower the Dice that is expected of an outline, the more a person's look can mend. Of a case
    with points of which nothing is known yet, no more is known than that it is in work: it comes
    after those of which something is. What cannot be opened is at the end.
    """

    name = "lowest_expected_dice"
    description = "The case whose outline is expected to be the worst, then new ones."

    def order(self, entries: Sequence[WorklistEntry]) -> list[WorklistEntry]:
        """Return the entries in this order."""
        return sorted(entries, key=_gain)


class First:
    """Cases as they are listed; saved ones, and those that cannot be opened, at the end."""

    name = "first"
    description = "The first case in the list that is not saved yet."

    def order(self, entries: Sequence[WorklistEntry]) -> list[WorklistEntry]:
        """Return the entries in this order."""
        return sorted(entries, key=lambda entry: (bool(entry.problem), entry.status == "outlined"))


def _gain(entry: WorklistEntry) -> tuple[bool, int, float]:
    """Return what sorts an entry: openable, its state, its expected Dice."""
    stage = {"points": 0, "new": 1, "outlined": 2}[entry.status]
    unknown = 2.0  # above any Dice
    return (
        bool(entry.problem), stage,
        unknown if entry.expected_dice is None else entry.expected_dice,
    )  # fmt: skip


#: all that there are, by their names
STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy for strategy in (LowestExpectedDice(), First())
}
