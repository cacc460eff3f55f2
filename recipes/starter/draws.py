"""New samples, without an end: by processes on a CPU, by threads on a graphics card."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from interactivenet.planning.plan import Plan
from interactivenet.training.dataset import settle_worker
from interactivenet.training.made_up import LabelledImage, make_up, recoloured
from interactivenet.training.object_samples import ANYTHING, draw_sample
from interactivenet.training.random_fields import RandomSource
from interactivenet.training.threaded_draws import ThreadedDraws
from recipes.starter.data import KINDS

#: images (B, C, N, N, N) and labels (B, 1, N, N, N)
Batch = tuple[Tensor, Tensor]
Objects = list[tuple[str, LabelledImage]]


@contextmanager
def batches(
    objects: Objects, plan: Plan, size: int, seed: list[int], workers: int
) -> Iterator[Iterable[Batch]]:
    """Give batches of new samples without an end, drawn where the objects are.

    seed: of the draws; every worker draws others.  workers: processes, or threads on a graphics
    card; 0 processes for this one.
    """
    draws = Draws(objects, plan, seed)
    if draws.device.type != "cuda":
        yield DataLoader(draws, size, num_workers=workers, worker_init_fn=settle_worker)
        return
    with closing(threaded(draws, size, max(workers, 1))) as drawn:
        yield drawn


def threaded(draws: Draws, size: int, threads: int) -> Generator[Batch, None, None]:
    """Yield batches drawn by threads: those of one process, in order."""
    return iter(ThreadedDraws(draws, _Endless(size), threads, draws.device))


class Draws(IterableDataset[Batch]):
    """Endless samples of some objects; what a worker draws follows from the seed and its number."""

    def __init__(self, objects: Objects, plan: Plan, seed: list[int]) -> None:
        self._objects, self._plan, self._seed = objects, plan, seed
        weights = np.array([KINDS[kind] for kind, _ in objects])
        self._chances = weights / weights.sum()

    @property
    def device(self) -> torch.device:
        """Where samples are made: where the objects are."""
        return self._objects[0][1].mask.device

    def __iter__(self) -> Iterator[Batch]:
        """Yield samples (C, N, N, N) and labels (1, N, N, N)."""
        info = torch.utils.data.get_worker_info()
        worker = info.id if info else 0
        for number in count():
            yield self[worker, number]

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        """Draw the sample (C, N, N, N) and its label (1, N, N, N) of a worker and a number."""
        random = RandomSource([*self._seed, *key], self.device)
        if random.chance(ANYTHING.made_up):
            thing = make_up(1, random)
        else:
            index = random.host.choice(len(self._chances), p=self._chances)
            thing = self._objects[int(index)][1]
            if random.chance(ANYTHING.recoloured):
                thing = recoloured(thing, random)
        sample, label = draw_sample(thing, self._plan, ANYTHING, random)
        return sample, label[None].to(torch.uint8)


class _Endless:
    """The keys of batches of some size, without an end: those of one worker."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return sys.maxsize

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for start in count(0, self._size):
            yield [(0, start + number) for number in range(self._size)]
