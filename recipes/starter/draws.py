"""New samples, without an end: by processes on a CPU, by threads on a graphics card.

On a graphics card a sample is thousands of small kernels: one thread that starts them keeps it
waiting, some of them, each with a stream of its own, do not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from queue import Full, Queue

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from interactivenet.planning.plan import Plan
from interactivenet.training.dataset import settle_worker
from interactivenet.training.made_up import LabelledImage, make_up, recoloured
from interactivenet.training.object_samples import ANYTHING, draw_sample
from interactivenet.training.random_fields import RandomSource
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
    torch.linalg.inv(torch.eye(3, device=draws.device))  # loaded once, by no two threads at a time
    queue: Queue[Batch | BaseException] = Queue(4 * max(workers, 1))
    ended = threading.Event()
    threads = [
        threading.Thread(target=_draw, args=(draws, worker, queue, ended), daemon=True)
        for worker in range(max(workers, 1))
    ]
    for thread in threads:
        thread.start()
    try:
        yield _taken(queue, size)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


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
            yield self.draw(worker, number)

    def draw(self, worker: int, number: int) -> Batch:
        """Draw one sample (C, N, N, N) and its label (1, N, N, N)."""
        random = RandomSource([*self._seed, worker, number], self.device)
        if random.chance(ANYTHING.made_up):
            thing = make_up(1, random)
        else:
            index = random.host.choice(len(self._chances), p=self._chances)
            thing = self._objects[int(index)][1]
            if random.chance(ANYTHING.recoloured):
                thing = recoloured(thing, random)
        sample, label = draw_sample(thing, self._plan, ANYTHING, random)
        return sample, label[None].to(torch.uint8)


def _draw(
    draws: Draws, worker: int, queue: Queue[Batch | BaseException], ended: threading.Event
) -> None:
    """Put samples into a queue until the end; what goes wrong goes there, too."""
    stream = torch.cuda.Stream(draws.device)  # type: ignore[no-untyped-call]
    for number in count():
        item: Batch | BaseException
        try:
            with torch.cuda.stream(stream):
                item = draws.draw(worker, number)
            stream.synchronize()
        except BaseException as error:
            item = error
        while not ended.is_set():
            try:
                queue.put(item, timeout=1)
                break
            except Full:
                continue
        if ended.is_set() or isinstance(item, BaseException):
            return


def _taken(queue: Queue[Batch | BaseException], size: int) -> Iterator[Batch]:
    while True:
        images: list[Tensor] = []
        labels: list[Tensor] = []
        for _ in range(size):
            item = queue.get()
            if isinstance(item, BaseException):
                raise item
            for kept, tensor in zip((images, labels), item, strict=True):
                # another stream's memory: not to be used again before this one is done with it
                tensor.record_stream(torch.cuda.current_stream(tensor.device))
                kept.append(tensor)
        yield torch.stack(images), torch.stack(labels)
