"""Volumes: voxels stay where the affine of their file puts them, and other arrays are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume
from tests.imaging.any_grid import EYE, affine_of, centres, changed, geometries, stored_as, three


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
