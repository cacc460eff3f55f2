"""Samples drawn by threads: those of one process, in order; errors where they are due."""

import threading
import time

import pytest
import torch

from interactivenet.training.threaded_draws import ThreadedDraws


class Slow:
    """Draws by key; the later of a batch are ready first. Notes who drew."""

    def __init__(self):
        self.names = set()

    def __getitem__(self, key):
        self.names.add(threading.current_thread().name)
        time.sleep(0.02 if key % 2 == 0 else 0.0)
        if key == 99:
            raise ValueError("a region cannot be read")
        return torch.full((1, 2, 2, 2), float(key)), torch.full((1, 2, 2, 2), key % 2)


def read(batches, threads=3):
    return list(ThreadedDraws(Slow(), batches, threads, "cpu"))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_come_in_order_whoever_draws_them(threads):
    batches = [[4, 1, 2], [7, 3, 0], [8, 9, 6], [5, 10, 12], [11, 14, 13]]
    draws = Slow()
    found = list(ThreadedDraws(draws, batches, threads, "cpu"))
    assert [image[:, 0, 0, 0, 0].tolist() for image, _ in found] == batches
    assert [label[:, 0, 0, 0, 0].tolist() for _, label in found] == [
        [key % 2 for key in keys] for keys in batches
    ]
    assert 1 <= len(draws.names) <= threads
    assert threading.current_thread().name not in draws.names


def test_an_epoch_knows_its_length_and_can_be_drawn_again():
    draws = ThreadedDraws(Slow(), [[1, 2], [3, 4]], 2, "cpu")
    assert len(draws) == 2
    first, second = list(draws), list(draws)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))


def test_an_error_comes_where_its_batch_is_due():
    batches = iter(ThreadedDraws(Slow(), [[1, 2], [3, 99], [5, 6]], 2, "cpu"))
    assert next(batches)[0].shape == (2, 1, 2, 2, 2)
    with pytest.raises(ValueError, match="cannot be read"):
        next(batches)


def test_whoever_stops_early_leaves_no_thread():
    before = threading.active_count()
    batches = iter(ThreadedDraws(Slow(), [[number, number + 1] for number in range(50)], 4, "cpu"))
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_fewer_batches_than_are_drawn_ahead():
    assert [image.flatten()[0].item() for image, _ in read([[3]])] == [3.0]
    assert read([]) == []
