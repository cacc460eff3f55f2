import pytest

from interactivenet.encoding.pace import NO_CPU, TRIES, Pace

VOXELS = 100_000


class Clock:
    """Time that passes where it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def spend(pace, clock, card, cpu, turns, kind="geodistk", voxels=VOXELS):
    """Take turns as chosen, with these seconds each; the ways that were taken."""
    ways = []
    for _ in range(turns):
        way = pace.choose(kind, voxels)
        with pace.timed(way, kind, voxels):
            clock.now += card if way == "card" else cpu
        ways.append(way)
    return ways


def test_a_fast_card_is_taken_without_a_look_at_the_cpu(clock):
    fast = 0.9 * NO_CPU * VOXELS
    assert spend(Pace(clock), clock, fast, 1.0, 10) == ["card"] * 10


def test_a_card_that_is_slower_is_left_after_its_tries(clock):
    assert spend(Pace(clock), clock, 0.5, 0.1, 8) == ["card"] * TRIES + ["cpu"] * 5


def test_a_card_that_is_faster_stays_after_one_look_at_the_cpu(clock):
    ways = spend(Pace(clock), clock, 0.5, 0.8, 8)
    assert ways == ["card"] * TRIES + ["cpu"] + ["card"] * 4


def test_the_first_use_of_a_card_does_not_count_against_it(clock):
    pace = Pace(clock)
    spend(pace, clock, 30.0, 0.8, 1)
    assert spend(pace, clock, 0.5, 0.8, 8)[TRIES:] == ["card"] * 5


def test_kinds_and_sizes_are_measured_for_themselves(clock):
    pace = Pace(clock)
    spend(pace, clock, 0.5, 0.1, 8)
    assert pace.choose("geodistk", VOXELS) == pace.choose("geodistk", VOXELS + 1) == "cpu"
    assert pace.choose("geodistk", 4 * VOXELS) == pace.choose("gradient", VOXELS) == "card"


def test_what_fails_is_not_counted(clock):
    pace = Pace(clock)
    for _ in range(5):
        with pytest.raises(RuntimeError), pace.timed("card", "geodistk", VOXELS):
            raise RuntimeError
    assert spend(pace, clock, 0.5, 0.1, TRIES + 1) == ["card"] * TRIES + ["cpu"]
