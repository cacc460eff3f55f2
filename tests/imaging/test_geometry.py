"""Geometry: places in the patient survive every change of orientation."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry, coarse_axes
from tests.imaging.any_grid import (
    EYE,
    affine_of,
    centres,
    changed,
    geometries,
    rotation,
    stored_as,
    three,
)


@given(geometries(), st.lists(three(st.floats(-1500, 1500)), min_size=1, max_size=5))
def test_world_to_voxel_to_world_returns_the_point(geometry, points):
    back = geometry.voxel_to_world(geometry.world_to_voxel(points))
    assert np.abs(back - points).max() < 1e-4


@given(geometries())
def test_from_ras_undoes_to_ras(geometry):
    array = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    turned = geometry.to_ras(array)
    assert turned.shape == geometry.ras.shape
    np.testing.assert_array_equal(geometry.from_ras(turned), array)


@given(geometries())
def test_channels_before_the_three_axes_are_left_alone(geometry):
    array = np.arange(2 * np.prod(geometry.shape)).reshape(2, *geometry.shape)
    turned = geometry.to_ras(array)
    np.testing.assert_array_equal(turned[1], geometry.to_ras(array[1]))
    np.testing.assert_array_equal(geometry.from_ras(turned), array)


def test_from_ras_refuses_an_array_of_another_grid():
    geometry = Geometry((2, 3, 4), EYE)
    with pytest.raises(ValueError, match=r"must have shape \(2, 3, 4\)"):
        geometry.from_ras(np.zeros((4, 3, 2)))


@given(geometries())
def test_ras_grid_runs_right_anterior_superior(geometry):
    assert geometry.ras.orientation == "RAS"
    assert geometry.ras.ras is geometry.ras
    directions = geometry.ras.affine[:3, :3] / geometry.ras.spacing
    # no other order or direction of the same axes lies closer to RAS
    best = max(np.abs(directions[list(order), range(3)]).sum() for order in permutations(range(3)))
    assert np.trace(directions) > 1 and np.trace(directions) > 0.85 * best


@given(geometries())
def test_voxel_keeps_its_world_place_on_the_ras_grid(geometry):
    np.testing.assert_allclose(
        geometry.to_ras(centres(geometry)), centres(geometry.ras), rtol=0, atol=1e-9
    )


@given(geometries())
def test_ras_grid_keeps_the_spacing_of_each_axis(geometry):
    assert sorted(geometry.ras.spacing) == pytest.approx(sorted(geometry.spacing), rel=1e-12)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(np.ndindex(2, 2, 2)))
def test_orientation_names_the_side_each_axis_runs_to(order, flips):
    directions = np.eye(3)[:, order] * np.where(flips, -1, 1)
    letters = "".join(
        ("RL", "AP", "SI")[axis][flip] for axis, flip in zip(order, flips, strict=True)
    )
    assert Geometry((2, 3, 4), affine_of(directions, (1, 2, 3), 0)).orientation == letters


@given(geometries(), st.permutations(range(3)), three(st.booleans()))
def test_image_stored_in_another_orientation_is_the_same_lattice(geometry, order, flips):
    assert geometry.is_same_lattice(stored_as(geometry, order, flips))


@pytest.mark.parametrize("axis", range(3))
def test_a_shifted_or_larger_grid_is_another_lattice(axis):
    geometry = Geometry((4, 5, 6), affine_of(np.diag([-1, 1, -1]), (1, 2, 3), (10, 20, 30)))
    shifted, scaled = np.array(geometry.affine), np.array(geometry.affine)
    shifted[axis, 3] += 0.01
    scaled[:3, axis] *= 1.001
    larger = tuple(n + (axis == i) for i, n in enumerate(geometry.shape))
    assert not geometry.is_same_lattice(Geometry(geometry.shape, shifted))
    assert not geometry.is_same_lattice(Geometry(geometry.shape, scaled))
    assert not geometry.is_same_lattice(Geometry(larger, geometry.affine))
    shifted[axis, 3] -= 0.0095
    assert geometry.is_same_lattice(Geometry(geometry.shape, shifted))


@given(geometries(), st.data())
def test_every_point_of_a_voxel_belongs_to_it(geometry, data):
    voxel = [data.draw(st.integers(0, n - 1)) for n in geometry.shape]
    inside = np.array([data.draw(st.floats(-0.499, 0.499)) for _ in range(3)])
    point = geometry.voxel_to_world([voxel + inside])
    assert geometry.contains(point).all()
    np.testing.assert_array_equal(geometry.nearest_voxel(point), [voxel])


@given(geometries(), st.integers(0, 2), st.booleans())
def test_outermost_border_is_inside_and_a_step_beyond_is_not(geometry, axis, upper):
    voxel = np.zeros(3)
    last = geometry.shape[axis] - 1 if upper else 0
    out = 1 if upper else -1
    voxel[axis] = last + 0.5 * out
    border = geometry.voxel_to_world([voxel])
    assert geometry.contains(border).all()
    assert geometry.nearest_voxel(border)[0, axis] == last
    voxel[axis] = last + 0.501 * out
    beyond = geometry.voxel_to_world([voxel])
    assert not geometry.contains(beyond).any()
    with pytest.raises(DataError, match="points outside the image"):
        geometry.nearest_voxel(beyond)


def test_message_for_points_outside_names_only_them():
    geometry = Geometry((10, 10, 10), EYE)
    with pytest.raises(DataError, match=r"image: \(11, 2, 3\) mm \(RAS\); the image has shape 10x"):
        geometry.nearest_voxel([(1, 2, 3), (11, 2, 3)])


@pytest.mark.parametrize("points", [np.zeros(3), np.zeros((2, 2)), np.zeros((1, 2, 3))])
def test_points_of_another_shape_are_refused(points):
    with pytest.raises(ValueError, match=r"must have shape \(N, 3\)"):
        Geometry((2, 2, 2), EYE).world_to_voxel(points)


@pytest.mark.parametrize(
    ("shape", "affine", "message"),
    [
        ((2, 3, 4), changed(0, 1, 0.2), r"sheared: two voxel axes meet at 84\.3 degrees"),
        ((2, 3, 4), changed(1, 0, -0.01), "sheared"),
        ((2, 3, 4), changed(1, 1, 0.0), r"spacing must be positive, got \(1, 0, 3\) mm"),
        ((2, 3, 4), np.ones((4, 4)), "sheared"),  # singular: all axes along one line
        ((2, 3, 4), changed(0, 0, np.nan), "not finite"),
        ((2, 3, 4), changed(2, 3, np.inf), "not finite"),
        ((2, 3, 4), np.eye(3), r"affine must have shape \(4, 4\), got \(3, 3\)"),
        ((2, 0, 4), EYE, r"three positive numbers, got \(2, 0, 4\)"),
        ((2, -1, 4), EYE, r"three positive numbers, got \(2, -1, 4\)"),
        ((2, 3), EYE, r"three positive numbers, got \(2, 3\)"),
    ],
)
def test_impossible_grid_is_refused_with_what_was_found(shape, affine, message):
    with pytest.raises(DataError, match=message):
        Geometry(shape, affine)


def test_rounding_of_a_header_is_not_taken_for_shear():
    turned = affine_of(rotation((0.9, 0.1, -0.2, 0.3)), (0.7, 0.7, 5), (0, 0, 0))
    Geometry((2, 3, 4), np.round(turned, 4))


def test_grid_cannot_be_changed_from_outside():
    affine = np.eye(4)
    geometry = Geometry((2, 3, 4), affine)
    affine[0, 3] = 5
    assert geometry.affine[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 3] = 5


@pytest.mark.parametrize(
    ("spacing", "coarse"),
    [
        ((1, 1, 1), (False, False, False)),
        ((1, 1, 3), (False, False, True)),
        ((1, 1, 2.99), (False, False, False)),
        ((6, 1, 1), (True, False, False)),
        ((1, 6, 1), (False, True, False)),
        ((5, 1, 4), (True, False, True)),
        ((0.2, 10, 10), (False, True, True)),
    ],
)
def test_coarse_axes_are_three_times_the_finest(spacing, coarse):
    assert tuple(coarse_axes(spacing)) == coarse


ORIENTATIONS = [(order, flips) for order in permutations(range(3)) for flips in np.ndindex(2, 2, 2)]
ABOUT_Z = rotation((np.cos(np.pi / 8), 0, 0, np.sin(np.pi / 8)))  # 45 degrees
ABOUT_Y = rotation((np.cos(np.pi / 8), 0, np.sin(np.pi / 8), 0))
ABOUT_X = rotation((np.cos(np.pi / 8), np.sin(np.pi / 8), 0, 0))
TIED = [
    pytest.param(ABOUT_Z, id="z"),
    pytest.param(ABOUT_Y @ ABOUT_X, id="yx"),
    pytest.param(ABOUT_Z @ ABOUT_X @ ABOUT_Z, id="zxz"),
    pytest.param(ABOUT_X @ ABOUT_Z, id="xz"),
]


@pytest.mark.parametrize("directions", TIED)
def test_grid_turned_by_45_degrees_has_an_ras_grid_that_is_its_own(directions):
    geometry = Geometry((3, 4, 5), affine_of(directions, (1, 1, 1), (0, 0, 0)))
    found = [stored_as(geometry, order, flips).ras for order, flips in ORIENTATIONS]
    assert {ras.orientation for ras in found} == {"RAS"}
    assert all(ras.ras is ras for ras in found)


@pytest.mark.parametrize("directions", TIED)
def test_grid_turned_by_45_degrees_is_the_same_lattice_however_stored(directions):
    geometry = Geometry((3, 4, 5), affine_of(directions, (1, 1, 1), (0, 0, 0)))
    others = [stored_as(geometry, order, flips) for order, flips in ORIENTATIONS]
    assert all(geometry.is_same_lattice(other) for other in others)
