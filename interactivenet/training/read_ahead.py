"""Regions on their way from the disk before they are drawn: the network waits for none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from interactivenet.system.files import read_into_cache
from interactivenet.training.dataset import EpochBatches

#: batches ahead whose regions are read
_AHEAD = 8


class Batches(Sized, Protocol):
    """Batches of keys."""

    def __iter__(self) -> Iterator[list[Any]]: ...


class ReadAhead:
    """The same batches; a thread reads the files of those that come some batches later.

    They are in the system's cache then, whoever opens them: this process or a worker. Nothing that
    is drawn depends on it.

    batches: of keys.  order: of which the regions of the coming batches are taken.
    path: of a region by its number, None for one that need not be read.
    """

    def __init__(
        self, batches: Batches, order: EpochBatches, path: Callable[[int], Path | None]
    ) -> None:
        self._batches, self._order, self._path = batches, order, path

    def __len__(self) -> int:
        """Count the batches of an epoch for one process."""
        return len(self._batches)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield the batches of the epoch that are left."""
        coming = self._order.steps()
        pool = ThreadPoolExecutor(1, "read ahead")
        try:
            for number, keys in enumerate(self._batches):
                for _, ahead in islice(coming, 1 if number else _AHEAD):
                    pool.submit(self._read, [region for _, _, region in ahead])
                yield keys
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, regions: Sequence[int]) -> None:
        for region in regions:
            path = self._path(region)
            if path is not None:
                read_into_cache(path)
