"""Clicks: which are margin points, in which order corrections count, and balls."""

import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.corrections import Correction
from interactivenet.viewer.monai_label.clicks import draw_balls, read_clicks

GRID = Geometry((20, 16, 12), np.diag([-1.0, 1.0, 4.0, 1.0]))


def read(foreground=(), background=()):
    return read_clicks({"foreground": list(foreground), "background": list(background)}, GRID)


def line(count):
    return [[2 * n, 3, 4] for n in range(count)]


def test_the_first_six_are_margin_points():
    clicks = read(line(8), [[1, 1, 1]])
    np.testing.assert_array_equal(clicks.margin_points[:, 0], [-2 * n for n in range(6)])
    assert clicks.corrections() == (
        Correction((-12.0, 3.0, 16.0), True),
        Correction((-14.0, 3.0, 16.0), True),
        Correction((-1.0, 1.0, 4.0), False),
    )


def test_corrections_keep_the_order_in_which_they_came():
    first = read(line(6), [[1, 1, 1]]).corrections()
    second = read(line(7), [[1, 1, 1]]).corrections(first)
    assert [each.positive for each in second] == [False, True]
    third = read(line(7), [[1, 1, 1], [2, 2, 2]]).corrections(second)
    assert third[:2] == second and not third[2].positive
    without = read(line(7), [[2, 2, 2]]).corrections(third)  # one was deleted
    assert without == third[1:]
    twice = read(line(6), [[1, 1, 1], [1, 1, 1]]).corrections(first)
    assert twice == (*first, *first)


@pytest.mark.parametrize(
    ("placed", "waiting", "message"),
    [
        (0, 0, "0 of 6 points"),
        (5, 1, "5 of 6 points; 1 background click waits for them"),
        (5, 2, "5 of 6 points; 2 background clicks wait for them"),
        (6, 2, "6 of 6 points"),
        (9, 0, "6 of 6 points"),
    ],
)
def test_what_is_there_is_said(placed, waiting, message):
    assert read(line(placed), line(waiting)).message == message


def test_a_click_at_the_edge_is_inside():
    assert len(read([[0, 0, 0], [19, 15, 11]]).foreground) == 2
    with pytest.raises(DataError, match=r"foreground point 2 .* at voxel 20, 15, 11 of 20 x 16 x"):
        read([[0, 0, 0], [20, 15, 11]])


def test_more_clicks_than_anybody_places_are_refused():
    with pytest.raises(RequestError, match="at most 1000 voxel indices"):
        read([[1, 1, 1]] * 1001)


def test_a_ball_is_round_in_the_patient():
    mask = draw_balls(GRID.voxel_to_world([[10, 8, 6]]), GRID)
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1}
    found = np.argwhere(mask)
    np.testing.assert_array_equal(found.min(0), [8, 6, 6])  # slices are 4 mm apart
    np.testing.assert_array_equal(found.max(0), [12, 10, 6])
    assert mask.sum() == 13


def test_balls_are_cut_at_the_edge():
    mask = draw_balls(GRID.voxel_to_world([[0, 0, 0], [19, 15, 11]]), GRID)
    assert mask[0, 0, 0] and mask[19, 15, 11] and mask.sum() == 12
