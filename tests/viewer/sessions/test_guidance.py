"""Which end of an object is to be marked next, in whatever order points are placed."""

import itertools

import pytest

from interactivenet.viewer.sessions.guidance import EXTREMES, missing_extreme, next_step

ENDS = {
    name: tuple(10.0 * sign if axis == each else 0.0 for each in range(3))
    for axis, sign, name in EXTREMES
}


def test_they_are_offered_in_one_order():
    points = []
    for _, _, name in EXTREMES:
        assert missing_extreme(points) == name
        points.append(ENDS[name])
    assert missing_extreme(points) == "" == next_step(points)


@pytest.mark.parametrize("missing", ENDS)
def test_the_one_that_is_missing_is_found_in_any_order(missing):
    others = [end for name, end in ENDS.items() if name != missing]
    for order in itertools.islice(itertools.permutations(others), 0, 120, 17):
        assert missing_extreme(order) == missing
    assert missing in next_step(others)


def test_where_the_object_lies_does_not_matter():
    moved = [(x + 70, y - 200, z + 9) for x, y, z in list(ENDS.values())[:4]]
    assert missing_extreme(moved) == EXTREMES[4][2]
