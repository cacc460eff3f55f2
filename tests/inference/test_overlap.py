"""Reading ahead and writing behind: the order, and never more than there may be."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from interactivenet.inference import overlap
from interactivenet.inference.overlap import (
    PrefetchQueue,
    Room,
    Threads,
    WriteBehind,
    choose_threads,
)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3) as threads:
        yield threads


def taken(pool, items, most, room=lambda: True):
    """Take all items; returns them, and the most that were read and not yet taken."""
    begun, most_ahead, results = [], 0, []
    ahead = PrefetchQueue(pool, (begun.append(item) or item for item in items), str, most, room)
    for result in ahead:
        results.append(result)
        ahead.fill()
        most_ahead = max(most_ahead, len(begun) - len(results))
    return results, most_ahead


@pytest.mark.parametrize("most", [1, 2, 4])
def test_items_come_in_their_order_and_few_ahead(pool, most):
    assert taken(pool, range(9), most) == ([str(n) for n in range(9)], most)
    assert taken(pool, [], most) == ([], 0)


def test_without_room_only_what_is_taken_is_read(pool):
    assert taken(pool, range(5), 4, room=lambda: False) == (["0", "1", "2", "3", "4"], 0)


def test_one_read_quickly_waits_for_one_read_slowly(pool):
    slow = threading.Event()

    def read(item):
        if item == 1:
            assert slow.wait(30)
        elif item == 2:
            slow.set()  # the second is read only once the third is
        return item

    ahead = PrefetchQueue(pool, range(4), read, 3, lambda: True)
    results = []
    for result in ahead:
        results.append(result)
        ahead.fill()
    assert results == [0, 1, 2, 3]


def test_what_was_read_ahead_is_finished_in_order(pool):
    ahead = PrefetchQueue(pool, range(5), lambda item: [item], 3, lambda: True)
    results = []
    for number, result in enumerate(ahead):
        results.append(result)
        ahead.fill()
        if number == 0:
            ahead.then(lambda work: [*work, "finished"])
    assert results == [[0], [1, "finished"], [2, "finished"], [3, "finished"], [4]]


def test_an_error_comes_in_its_place_and_nothing_is_begun_after_the_end(pool):
    begun = []

    def read(item):
        begun.append(item)
        if item == 1:
            raise KeyboardInterrupt
        return item

    ahead = PrefetchQueue(pool, range(9), read, 1, lambda: True)
    with pytest.raises(KeyboardInterrupt):
        for _ in ahead:
            ahead.fill()
    ahead.cancel()
    assert list(ahead) == [] and begun == [0, 1]


@pytest.mark.parametrize("most", [1, 2, 4])
def test_results_are_written_in_order_and_few_at_once(pool, most):
    lock, writing, highest = threading.Lock(), [], []

    def write(number):
        with lock:
            writing.append(number)
            highest.append(len(writing))
        with lock:
            writing.remove(number)
        return number

    behind = WriteBehind(pool, most)
    results = []
    for number in range(12):
        results += behind.add(lambda number=number: write(number))
        assert number + 1 - len(results) <= most  # the others are still in memory
    results += behind.finish()
    assert results == list(range(12)) and max(highest) <= most


def test_large_cases_need_room(monkeypatch):
    monkeypatch.setattr(overlap, "available_memory", lambda: 500_000_000)
    room = Room()
    for voxels, free in ((0, True), (1_000_000, True), (100_000_000, True), (200_000_000, False)):
        room.note(voxels)
        assert room.for_one_more() is free
    room.note(1)  # the largest one so far counts: what comes next is not known
    assert not room.for_one_more()


@pytest.mark.parametrize(
    ("cores", "device", "expected"),
    [(1, "cpu", (1, 1)), (2, "cpu", (1, 1)), (8, "cpu", (2, 2)), (64, "cpu", (2, 2)),
     (1, "cuda", (1, 1)), (4, "cuda", (3, 2)), (16, "cuda", (8, 4))],
)  # fmt: skip
def test_threads_follow_the_cores(monkeypatch, cores, device, expected):
    monkeypatch.setattr(overlap, "available_cores", lambda: cores)
    assert choose_threads(device) == Threads(*expected)
