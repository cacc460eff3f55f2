"""How long a training goes on: a number of epochs, or minutes on the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interactivenet.planning.plan import Plan

Row = Mapping[str, Any]

#: fewest draws of an epoch, in batches
FEWEST_BATCHES = 10
#: steps of an epoch with a grid of the object's own, where nobody says
OBJECT_GRID_STEPS = 100

#: finished epochs whose time says how long the next ones take
_RECENT = 10


def batches_of(objects: int, batch_size: int) -> int:
    """Count the batches in which an epoch draws every object once, at the least ten."""
    return max(-(-objects // batch_size), FEWEST_BATCHES)


def steps_of_epoch(plan: Plan, objects: int) -> int:
    """Count the steps of an epoch, where nobody says and one device trains."""
    return OBJECT_GRID_STEPS if plan.grid else batches_of(objects, plan.batch_size)


class Clock:
    """Counts the seconds that a training has taken, those of before interruptions included."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def restore(self, seconds: float) -> None:
        """Take over what earlier runs have counted."""
        self._before = seconds

    def start(self) -> None:
        """Count from now on."""
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)


@dataclass(frozen=True)
class Budget:
    """The end of a training: after so many epochs, or once the clock has counted the minutes.

    One of the two is None. With minutes, the last epoch ends with the step that uses them up.
    """

    epochs: int | None
    minutes: float | None = None

    @property
    def seconds(self) -> float:
        """The minutes in seconds; 0 where epochs count."""
        return 60 * (self.minutes or 0.0)

    def is_over(self, epochs: int, seconds: float) -> bool:
        """Whether so many finished epochs, or the seconds on the clock, are all of it."""
        if self.epochs is not None:
            return epochs >= self.epochs
        return seconds >= self.seconds

    def progress(self, step: int, epoch: int, seconds: float) -> float:
        """Return how much is over, 0 to 1.

        step: steps so far.  epoch: steps of an epoch.  seconds: on the clock.
        """
        if self.epochs is not None:
            return step / (self.epochs * epoch)
        return min(seconds / self.seconds, 1.0)

    def seconds_left(self, history: Sequence[Row], seconds: float) -> float:
        """Return the seconds that are left after the finished epochs: expected, or on the clock."""
        if self.epochs is None:
            return max(self.seconds - seconds, 0.0)
        recent = [float(row["seconds"]) for row in history[-_RECENT:]]
        return sum(recent) / len(recent) * (self.epochs - len(history))

    def __str__(self) -> str:
        number, unit = (self.epochs, "epoch") if self.minutes is None else (self.minutes, "minute")
        return f"{number:g} {unit}{'' if number == 1 else 's'}"
