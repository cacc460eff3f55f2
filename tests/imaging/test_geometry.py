"""Geometry: places in the patient survive every change of orientation."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry, coarse_axes
from interactivenet.imaging.volume import Volume

EYE = np.eye(4)


def rotation(quaternion):
    """(w, x, y, z) -> (3, 3)."""
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def affine_of(directions, spacing, origin):
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing)
    affine[:3, 3] = origin
    return affine


def is_tied(directions):
    """Whether an axis runs as much along one side of the patient as along another."""
    ranked = np.sort(np.abs([*directions, *directions.T]), axis=1)
    return bool((ranked[:, 2] - ranked[:, 1] < 1e-6).any())


def three(values):
    return st.tuples(values, values, values)


@st.composite
def geometries(draw):
    """Any grid a scanner can make, stored in any orientation."""
    order = draw(st.permutations(range(3)))
    flips = draw(three(st.sampled_from((1.0, -1.0))))
    quaternion = draw(
        st.one_of(
            st.just((1.0, 0.0, 0.0, 0.0)),
            st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
        )
    )
    turned = rotation(quaternion)
    assume(not is_tied(turned))  # see the tests of grids turned by 45 degrees
    return Geometry(
        draw(three(st.integers(1, 9))),
        affine_of(
            turned[:, order] * flips,
            draw(three(st.floats(0.2, 10))),
            draw(three(st.floats(-1000, 1000))),
        ),
    )


def centres(geometry):
    """World coordinate of each voxel, by the stored affine: (3, *shape)."""
    voxels = np.indices(geometry.shape).reshape(3, -1)
    world = geometry.affine[:3, :3] @ voxels + geometry.affine[:3, 3:]
    return world.reshape(3, *geometry.shape)


def stored_as(geometry, order, flips):
    """The same lattice with its axes in another order and direction."""
    affine = np.array(geometry.affine)
    shape = tuple(geometry.shape[axis] for axis in order)
    affine[:3, :3] = geometry.affine[:3, order]
    affine[:3, 3] += affine[:3, :3] @ np.where(flips, np.array(shape) - 1, 0)
    affine[:3, :3] *= np.where(flips, -1, 1)
    return Geometry(shape, affine)


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


def changed(row, column, value):
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[row, column] = value
    return affine


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


def test_volume_lies_on_the_ras_grid_of_its_source():
    affine = affine_of(np.eye(3)[:, [2, 0, 1]], (1, 2, 3), (5, 6, 7))
    volume = Volume.from_stored(np.zeros((2, 3, 4)), affine, notes=["a note"])
    assert volume.array.shape == (1, 3, 4, 2) and volume.notes == ("a note",)
    assert volume.shape == (3, 4, 2)
    assert volume.spacing == (2, 3, 1)
    np.testing.assert_allclose(volume.voxel_to_world([(2, 0, 1)]), [(9, 6, 8)])
    np.testing.assert_allclose(volume.world_to_voxel([(9, 6, 8)]), [(2, 0, 1)])
    np.testing.assert_array_equal(volume.affine, volume.source.ras.affine)


@given(geometries(), st.integers(1, 3))
def test_stored_voxels_stay_where_their_affine_puts_them(geometry, channels):
    """Each voxel says where it lies: it must lie there in the volume, on any grid."""
    stored = np.stack([centres(geometry)[axis] for axis in range(channels)])
    volume = Volume.from_stored(stored, geometry.affine)
    np.testing.assert_allclose(volume.array, centres(volume.grid)[:channels], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(volume.stored, stored)
    assert volume.source.shape == geometry.shape and volume.grid.orientation == "RAS"
    again = Volume.from_ras(volume.array, volume.grid)
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_array_equal(again.affine, volume.affine)


@given(geometries())
def test_a_single_channel_needs_no_axis_of_its_own(geometry):
    stored = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    volume = Volume.from_stored(stored, geometry)
    np.testing.assert_array_equal(volume.array[0], geometry.to_ras(stored))
    assert volume.source is geometry


@given(geometries(), st.permutations(range(3)), three(st.booleans()))
def test_mirrored_or_permuted_arrays_do_not_pass_for_ras(geometry, order, flips):
    """Of the 48 ways to store a lattice, one runs along RAS+; the others are refused."""
    turned = stored_as(geometry.ras, order, flips)
    array = np.zeros(turned.shape)
    if tuple(order) == (0, 1, 2) and not any(flips):
        assert Volume.from_ras(array, turned.affine).source.orientation == "RAS"
        return
    for grid in (turned, turned.affine):
        with pytest.raises(DataError, match=rf"run along {turned.orientation}, expected RAS: use"):
            Volume.from_ras(array, grid)
    assert Volume.from_stored(array, turned.affine).grid.orientation == "RAS"


def test_a_volume_is_not_made_of_an_array_of_unknown_axes():
    with pytest.raises(
        TypeError, match=r"`Volume\.from_stored\(array, affine\)`, from an array in"
    ):
        Volume(np.zeros((1, 2, 3, 4)), Geometry((2, 3, 4), EYE))


@pytest.mark.parametrize("make", [Volume.from_stored, Volume.from_ras])
def test_a_volume_of_another_shape_than_its_grid_is_refused(make):
    grid = Geometry((2, 3, 4), EYE)
    with pytest.raises(ValueError, match=r"must have shape \(C, 2, 3, 4\), got \(1, 4, 3, 2\)"):
        make(np.zeros((1, 4, 3, 2)), grid)
    with pytest.raises(ValueError, match=r"\(X, Y, Z\) or \(C, X, Y, Z\), got \(3, 4\)"):
        make(np.zeros((3, 4)), EYE)
    with pytest.raises(DataError, match="sheared"):
        make(np.zeros((2, 3, 4)), changed(0, 1, 0.2))


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
