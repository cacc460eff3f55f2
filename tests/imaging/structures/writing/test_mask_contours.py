"""Contours of masks: the centres inside of them are the mask, whatever it looks like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from interactivenet.imaging.structures.writing.mask_contours import contours_of
from tests.imaging.structures.writing.plain_readers import inside

MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def filled(mask):
    """Rasterise the contours of a mask: how many of them each centre is inside of."""
    counts = np.zeros(mask.shape, int)
    for polygon in contours_of(mask):
        counts += inside(polygon, *mask.shape)
    return counts


def drawn(*rows):
    return np.array([[char == "#" for char in row] for row in rows]).T


def area(polygon):
    x, y = polygon.T
    return abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


@given(MASKS)
def test_the_centres_inside_are_the_mask(mask):
    """By even-odd and by union alike: contours of one mask do not lie in each other."""
    np.testing.assert_array_equal(filled(mask), mask.astype(int))


@given(MASKS)
def test_the_area_is_that_of_the_pixels(mask):
    assert sum(area(polygon) for polygon in contours_of(mask)) == np.count_nonzero(mask)


@given(MASKS)
def test_points_lie_on_corners_of_pixels_and_lines_along_edges(mask):
    for polygon in contours_of(mask):
        assert len(polygon) >= 4
        np.testing.assert_array_equal(polygon % 1, 0.5)
        steps = np.roll(polygon, -1, axis=0) - polygon
        assert (np.count_nonzero(steps, axis=1) == 1).all()
        assert (polygon >= -0.5).all() and (polygon <= np.array(mask.shape) - 0.5).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_large_masks_full_of_holes(seed, share):
    mask = np.random.default_rng(seed).random((40, 33)) < share
    np.testing.assert_array_equal(filled(mask), mask.astype(int))


@pytest.mark.parametrize(
    ("mask", "count"),
    [
        (drawn("#"), 1),
        (drawn("#.", ".#"), 2),  # at a corner alone
        (drawn("###", "#.#", "###"), 1),
        (drawn("#####", "#...#", "#.#.#", "#...#", "#####"), 2),  # an island in a hole
        (drawn("#######", "#.#.#.#", "#######"), 1),  # holes side by side
        (drawn("####", "#.##", "##.#", "####"), 1),  # holes that touch at a corner
        (drawn("###.", "#.#.", "##.."), 1),  # a hole that touches the outside at a corner
        (drawn("...", "..."), 0),
    ],
)
def test_a_contour_is_a_piece_with_its_holes(mask, count):
    assert len(contours_of(mask)) == count
    np.testing.assert_array_equal(filled(mask), mask.astype(int))


def test_a_square_has_its_four_corners_alone():
    mask = np.zeros((6, 5), bool)
    mask[1:4, 2:5] = True
    (polygon,) = contours_of(mask)
    assert sorted(map(tuple, polygon)) == [(0.5, 1.5), (0.5, 4.5), (3.5, 1.5), (3.5, 4.5)]
