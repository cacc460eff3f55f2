"""Which of two ways to the same numbers takes less time: the graphics card's or the CPU's.

Both give the same bits, so that the choice changes no result.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Way = Literal["card", "cpu"]
#: seconds a voxel that no CPU needs less than (a fast one takes some 7e-8 on one core): a card
#: that needs less is taken without a look at the CPU
NO_CPU = 1e-8
#: how often a card is tried before its least time counts against the CPU's: the first use of a
#: card does more than its work
TRIES = 3


@dataclass
class _Times:
    """Seconds that one kind of map of about one size took."""

    card: list[float] = field(default_factory=list)
    cpu: float | None = None


class Pace:
    """Measures, once a process, whether a card or the CPU is faster for maps of a kind and size.

    The card is tried first, the CPU only where it could be faster; then the faster one is taken.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._times: dict[Hashable, _Times] = {}
        self._lock = threading.Lock()

    def choose(self, kind: Hashable, voxels: int) -> Way:
        """Return the way to take now."""
        with self._lock:
            times = self._of(kind, voxels)
            if len(times.card) < TRIES or min(times.card) < NO_CPU * voxels:
                return "card"
            if times.cpu is None:
                return "cpu"
            return "card" if min(times.card) < times.cpu else "cpu"

    @contextmanager
    def timed(self, way: Way, kind: Hashable, voxels: int) -> Iterator[None]:
        """Measure what a way takes; what fails is not counted."""
        start = self._clock()
        yield
        seconds = self._clock() - start
        with self._lock:
            times = self._of(kind, voxels)
            if way == "card":
                times.card = sorted([*times.card, seconds])[:TRIES]
            else:
                times.cpu = seconds

    def _of(self, kind: Hashable, voxels: int) -> _Times:
        # sizes of one class differ by less than a factor of two
        return self._times.setdefault((kind, voxels.bit_length()), _Times())
