"""Reading ahead and writing behind, so that the networks need not wait for either.

Threads do for that: reading, gzip, NumPy's loops and compiled kernels release the interpreter's
lock. How many cases are in memory is bounded by their number and, where they are large, by what
memory there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from interactivenet.system.memory import SMALL, available_memory
from interactivenet.system.parallel import available_cores

Item = TypeVar("Item")
Work = TypeVar("Work")
Result = TypeVar("Result")

#: threads of either kind beside a graphics card, at most
_MOST_READERS, _MOST_WRITERS = 8, 4
#: beside networks that take all cores themselves
_MOST_ON_CPU = 2
#: what a case takes while it is read or written, in terms of its voxels
_TIMES = 4


@dataclass(frozen=True)
class Threads:
    """How many threads read cases, and how many write results."""

    readers: int = 1
    writers: int = 1


def choose_threads(device: str) -> Threads:
    """Return how many threads suit the cores that there are; device: 'cpu' or 'cuda'.

    Networks on a CPU take all of its cores and many times as long as the rest: two threads beside
    them are enough. A graphics card is done before one thread has read a case.
    """
    cores = available_cores()
    if device == "cpu":
        number = min(max(cores // 2, 1), _MOST_ON_CPU)
        return Threads(number, number)
    return Threads(min(max(cores - 1, 1), _MOST_READERS), min(max(cores // 2, 1), _MOST_WRITERS))


class Room:
    """Whether there is memory for one more case, judged by the largest one so far."""

    def __init__(self) -> None:
        self._largest = 0

    def note(self, voxels: int) -> None:
        """Note the bytes of a case's voxels."""
        self._largest = max(self._largest, voxels)

    def for_one_more(self) -> bool:
        """Tell it; small cases are not worth the question."""
        needed = self._largest * _TIMES
        return needed <= SMALL or needed <= available_memory()


class PrefetchQueue(Generic[Item, Work]):
    """Reads items on other threads, some ahead, and hands them out in their order.

    most: items that are read and not yet taken, at most.  room: asked before any but the one that
    is taken next.
    """

    def __init__(
        self,
        pool: Executor,
        items: Iterable[Item],
        read: Callable[[Item], Work],
        most: int,
        room: Callable[[], bool],
    ) -> None:
        self._pool, self._read, self._most, self._room = pool, read, most, room
        self._items = iter(items)
        self._waiting: deque[Future[Work]] = deque()

    def __iter__(self) -> Iterator[Work]:
        """Yield what each item was read as; waits for it."""
        while self._waiting or self._begin():
            yield self._waiting.popleft().result()

    def fill(self) -> None:
        """Begin to read as many items ahead as there may be."""
        while len(self._waiting) < self._most and self._room() and self._begin():
            pass

    def then(self, function: Callable[[Work], Work]) -> None:
        """Have a function finish what was read ahead already, on the same threads."""

        def finish(earlier: Future[Work]) -> Work:
            return function(earlier.result())

        # each is begun after the one that it waits for: the threads cannot wait for each other
        self._waiting = deque(self._pool.submit(finish, one) for one in self._waiting)

    def cancel(self) -> None:
        """Begin no other; what is being read is finished."""
        self._items = iter(())
        for one in self._waiting:
            one.cancel()

    def _begin(self) -> bool:
        for item in self._items:
            self._waiting.append(self._pool.submit(self._read, item))
            return True
        return False


class WriteBehind(Generic[Result]):
    """Writes on other threads, at most so many at once, and hands out results in their order."""

    def __init__(self, pool: Executor, most: int) -> None:
        self._pool, self._most = pool, most
        self._writing: deque[Future[Result]] = deque()

    def add(self, write: Callable[[], Result]) -> Iterator[Result]:
        """Begin to write; yields the results before it that are there or have to be awaited."""
        while len(self._writing) >= self._most or (self._writing and self._writing[0].done()):
            yield self._writing.popleft().result()
        self._writing.append(self._pool.submit(write))

    def finish(self) -> Iterator[Result]:
        """Yield all results that are still due."""
        while self._writing:
            yield self._writing.popleft().result()
