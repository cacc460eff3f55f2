"""Regions in memory, as many as may be; the others are read from the disk at every draw.

What is kept is kept to the end. An epoch draws every region once, in an order of its own: of n
regions with room for a share f, keeping the first ones saves f of the reads; keeping those that
were read last would save f^2 / 2, since most of them are thrown out before their turn comes.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from torch.utils.data import get_worker_info

from interactivenet.system.memory import available_memory

Kept = TypeVar("Kept")

#: bytes of regions that all processes of a training together keep in memory, on the card as well
_MOST = 2**31
_MOST_ON_CARD = 2**29
#: of the memory that there is, at most this part
_PART = 8


def region_bytes(device: str = "cpu") -> int:
    """Return how many bytes of regions may be kept.  device: where they are."""
    if device != "cpu":
        return _MOST_ON_CARD
    return min(_MOST, available_memory() // _PART)


class RegionCache(Generic[Kept]):
    """Returns regions by name, from memory where they are kept there; threads may ask at once.

    read: reads one.  size: its bytes.  most: bytes that all workers together may keep.
    Whatever is kept, the same comes back: nobody may change it.
    """

    def __init__(self, read: Callable[[str], Kept], size: Callable[[Kept], int], most: int) -> None:
        self._read, self._size, self._most = read, size, most
        self._kept: dict[str, Kept] = {}
        self._bytes = 0
        self._lock = Lock()

    def __contains__(self, name: str) -> bool:
        """Whether a region is in the memory of this process."""
        return name in self._kept

    def __len__(self) -> int:
        """Count the regions that are kept."""
        return len(self._kept)

    def __call__(self, name: str) -> Kept:
        """Return a region; raises what reading it raises."""
        if name in self._kept:
            return self._kept[name]
        region = self._read(name)
        size = self._size(region)
        worker = get_worker_info()
        most = self._most // (worker.num_workers if worker else 1)
        with self._lock:
            if name not in self._kept and self._bytes + size <= most:
                self._bytes += size
                self._kept[name] = region
        return region

    def __getstate__(self) -> dict[str, object]:
        """Give worker processes an empty one."""
        return {**self.__dict__, "_kept": {}, "_bytes": 0, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()
