"""Contours as voxels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.errors import DataError
from interactivenet.imaging.structures.reading.polygons import even_odd
from interactivenet.imaging.structures.reading.rasterising import Contour, rasterise
from tests.imaging.structures.reading.written_structures import (
    GRIDS,
    SHAPE,
    blobs,
    grid,
    in_plane,
    inside,
    square,
)

AXIAL = GRIDS["axial"]
#: a voxel is 0.8 x 0.7 x 2.5 mm
BOX = square((2, 3), (6, 7))
WITHIN = square((4, 4), (5, 5))


def drawn(polygons, where=AXIAL, axis=2, kind="CLOSED_PLANAR"):
    """Contours of polygons: plane -> polygons (N, 2)."""
    return [
        Contour(in_plane(points, plane, where, axis), kind)
        for plane, members in polygons.items()
        for points in members
    ]


def mask_of(*boxes, planes=(2, 3), shape=SHAPE):
    mask = np.zeros(shape, bool)
    for (u, v), (end_u, end_v) in boxes:
        mask[u : end_u + 1, v : end_v + 1, list(planes)] = True
    return mask


def runs_of(mask, axis):
    """A rectangle for each run of voxels in a row, by plane across an axis."""
    polygons = {}
    for plane, sheet in enumerate(np.moveaxis(mask, axis, 0)):
        for v in range(sheet.shape[1]):
            row = np.flatnonzero(np.diff(np.concatenate([[0], sheet[:, v].astype(int), [0]])))
            for begin, end in row.reshape(-1, 2):
                polygons.setdefault(plane, []).append(square((begin, v), (end - 1, v)))
    return polygons


numbers = st.floats(-2, 11, allow_nan=False).map(lambda value: round(value, 3) + 0.0004)


@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=12))
def test_any_polygon_is_as_point_by_point(points):
    found = even_odd(np.array(points), (-1, -1), (12, 11))
    for u, v in np.ndindex(12, 11):
        assert found[u, v] == inside(points, (u - 1, v - 1)), (u - 1, v - 1)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=9))
def test_the_way_round_and_the_first_point_say_nothing(points):
    points = np.array(points, float)
    found = even_odd(points, (0, 0), (9, 9))
    assert np.array_equal(found, even_odd(points[::-1], (0, 0), (9, 9)))
    assert np.array_equal(found, even_odd(np.roll(points, 2, axis=0), (0, 0), (9, 9)))


def test_of_two_that_share_an_edge_through_centres_one_has_each_voxel():
    left = even_odd(np.array([(0, 0), (4, 0), (4, 6), (0, 6)], float), (0, 0), (9, 7))
    right = even_odd(np.array([(4, 0), (8, 0), (8, 6), (4, 6)], float), (0, 0), (9, 7))
    both = even_odd(np.array([(0, 0), (8, 0), (8, 6), (0, 6)], float), (0, 0), (9, 7))
    assert not (left & right).any()
    assert np.array_equal(left | right, both)
    assert both.sum() == 8 * 6


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks_come_back_whatever_the_grid_and_the_axis(name, axis):
    where = GRIDS[name]
    for seed in range(3):
        mask = blobs(seed)
        found, notes = rasterise(drawn(runs_of(mask, axis), where, axis), where)
        assert np.array_equal(found, mask)
        across = [note for note in notes if "across axis" in note]
        assert list(notes) == across
        assert bool(across) == (axis != 2)


def test_a_contour_within_another_is_a_hole_and_one_in_that_an_island():
    island = square((5, 5), (5, 5))
    polygons = {plane: [BOX, square((3, 4), (5, 6)), island] for plane in (2, 3)}
    found, notes = rasterise(drawn(polygons), AXIAL)
    expected = mask_of(((2, 3), (6, 7)))
    expected[3:6, 4:7, 2:4] = False
    expected[5, 5, 2:4] = True
    assert np.array_equal(found, expected)
    assert notes == ()


@pytest.mark.parametrize("where", GRIDS.values(), ids=GRIDS)
def test_a_keyhole_leaves_its_hole_out_and_its_channel_in(where):
    # to the hole and back again on one line, which no voxel must notice
    slanted = [*BOX, BOX[0], *WITHIN[::-1], WITHIN[-1], BOX[0]]
    found, notes = rasterise(drawn({2: [slanted], 3: [slanted]}, where), where)
    expected = mask_of(((2, 3), (6, 7))) & ~mask_of(((4, 4), (5, 5)))
    assert np.array_equal(found, expected)
    assert notes == ()


def test_closedplanar_xor_is_the_same():
    polygons = {2: [BOX, WITHIN]}
    plain, _ = rasterise(drawn(polygons), AXIAL)
    assert np.array_equal(rasterise(drawn(polygons, kind="CLOSEDPLANAR_XOR"), AXIAL)[0], plain)


def test_what_two_contours_share_that_cross_is_outside_and_said():
    polygons = {2: [square((1, 1), (4, 4)), square((3, 3), (6, 6))]}
    found, (note,) = rasterise(drawn(polygons), AXIAL)
    assert found.sum() == 16 + 16 - 2 * 4
    assert note == (
        "contours of one plane cross or coincide: the 4 voxels that lie in two of them are read as"
        " outside"
    )


def test_copies_of_a_contour_do_not_cancel_out():
    copy = [*BOX[2:], *BOX[:2]][::-1]
    found, (note,) = rasterise(drawn({2: [BOX, copy]}), AXIAL)
    assert np.array_equal(found, mask_of(((2, 3), (6, 7)), planes=[2]))
    assert note == "1 contour is there twice: taken once"


def test_contours_a_little_off_are_placed_and_said():
    found, (note,) = rasterise(drawn({2.05: [BOX], 3: [BOX]}), AXIAL)
    assert np.array_equal(found, mask_of(((2, 3), (6, 7))))
    assert note == "its contours lie up to 0.12 mm from the planes of the image"
    _, notes = rasterise(drawn({2.004: [BOX]}), AXIAL)  # 0.01 mm: as it is written
    assert notes == ()


def test_thin_slices_may_be_written_in_tenths():
    thin = grid(spacing=(0.8, 0.7, 0.625))
    found, (note,) = rasterise(drawn({2.08: [BOX], 3.08: [BOX]}, thin), thin)
    assert np.array_equal(found, mask_of(((2, 3), (6, 7))))
    assert "0.05 mm" in note


@pytest.mark.parametrize(
    ("polygons", "why"),
    [
        ({2.5: [BOX]}, "has contours up to 1.2 mm from the planes of the image, which are 2.5 mm"
         " apart: they were drawn on another image"),
        ({2: [BOX], 3.2: [BOX]}, "has contours up to 0.5 mm from the planes"),
        ({1.96: [BOX], 2.04: [WITHIN]}, "has contours 0.2 mm apart that fall on one plane of the"
         " image, z = 8.00 mm: they are of another image"),
        ({5: [BOX], 6: [BOX]}, "has 25 voxels outside of the image, in 1 of its 2 planes"),
        ({-2: [BOX], 2: [BOX]}, "has 25 voxels outside of the image, in 1 of its 2 planes"),
        ({2: [square((9, 3), (13, 7))]}, "has 10 voxels outside of the image, in 1 of"),
        ({2: [square((90, 3), (99, 7))]}, "has contours far outside of the image"),
        ({0: [BOX], 2: [BOX], 4: [BOX]}, "has contours in 3 planes, mostly every second one of the"
         " image: what lies between them was left to be interpolated"),
    ],
)  # fmt: skip
def test_what_would_be_another_outline_is_refused(polygons, why):
    with pytest.raises(DataError) as refused:
        rasterise(drawn(polygons), AXIAL)
    assert str(refused.value).startswith(why)


def test_contours_of_another_orientation_are_refused():
    contours = drawn({2: [BOX], 3: [BOX]}, GRIDS["oblique"])
    with pytest.raises(DataError, match="drawn on an image of another orientation"):
        rasterise(contours, AXIAL)


def test_an_edge_along_the_border_is_not_outside():
    whole = square((0, 0), (SHAPE[0] - 1, SHAPE[1] - 1))
    found, notes = rasterise(drawn({plane: [whole] for plane in range(6)}), AXIAL)
    assert found.all()
    assert notes == ()


def test_a_forgotten_plane_is_named_and_two_pieces_are_none():
    polygons = {0: [BOX], 1: [BOX], 3: [BOX], 4: [BOX]}
    found, (note,) = rasterise(drawn(polygons), AXIAL)
    assert not found[:, :, 2].any()
    assert note == (
        "1 plane within it has no contour, between z = 5.50 mm and z = 10.50 mm: it stays empty"
    )
    apart = {0: [square((0, 0), (2, 2))], 3: [square((7, 7), (9, 9))]}
    _, notes = rasterise(drawn(apart), AXIAL)
    assert notes == ()


def test_what_encloses_nothing_is_named():
    point = Contour(in_plane([(3, 3)], 2, AXIAL), "POINT")
    line = Contour(in_plane([(3, 3), (5, 5)], 2, AXIAL))
    speck = Contour(in_plane([(3.2, 3.2), (3.4, 3.2), (3.3, 3.4)], 2, AXIAL))
    found, notes = rasterise([point, line, speck, *drawn({3: [BOX]})], AXIAL)
    assert np.array_equal(found, mask_of(((2, 3), (6, 7)), planes=[3]))
    assert notes == (
        "left out 1 contour of type POINT: it encloses nothing",
        "left out 1 contour of fewer than 3 points",
        "1 contour has no voxel's centre inside: nothing is left of it",
    )


def test_open_contours_beside_closed_ones_are_refused_and_alone_no_region():
    line = Contour(in_plane(BOX, 2, AXIAL), "OPEN_PLANAR")
    with pytest.raises(DataError, match="has 1 contour of type OPEN_PLANAR beside 1 closed ones"):
        rasterise([line, *drawn({3: [BOX]})], AXIAL)
    found, (note,) = rasterise([line], AXIAL)
    assert not found.any()
    assert note == "left out 1 contour of type OPEN_PLANAR: it encloses nothing"
    assert rasterise([], AXIAL)[1] == ("has no contours",)
