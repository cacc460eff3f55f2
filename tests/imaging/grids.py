"""Small images on grids of every kind, for the tests."""

import numpy as np
import pytest

from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_image, write_volume

SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")
SHAPE = (4, 5, 6)
LPS = np.array([-1.0, -1.0, 1.0])


def turned(degrees, axis):
    """(3, 3) rotation about one of the patient's axes."""
    a, b = [other for other in range(3) if other != axis]
    rotation = np.eye(3)
    rotation[a, a] = rotation[b, b] = np.cos(np.radians(degrees))
    rotation[a, b] = -np.sin(np.radians(degrees))
    rotation[b, a] = np.sin(np.radians(degrees))
    return rotation


def affine_of(directions, spacing, origin=(-91.3, 120.7, -1033.1)):
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing)
    affine[:3, 3] = origin
    return affine


PIR = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
OBLIQUE = turned(17.3, 0) @ turned(-8.1, 1) @ turned(31.7, 2)
AFFINES = {
    "ras": affine_of(np.eye(3), (1, 1, 1)),
    "lps": affine_of(np.diag(LPS), (0.7, 0.7, 2.5)),
    "left_handed": affine_of(np.diag([1, 1, -1]), (0.7, 0.8, 0.9)),
    "pir": affine_of(PIR, (1.5, 0.3, 1.1)),
    "oblique": affine_of(OBLIQUE, (1, 1, 1)),
    "oblique_permuted_flipped_anisotropic": affine_of(OBLIQUE @ PIR, (0.2, 10, 1 / 3)),
}
every_grid = pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
every_format = pytest.mark.parametrize("suffix", SUFFIXES)


def voxels(dtype=np.int16, shape=SHAPE):
    """Distinct values, negative ones where the type has them, in stored order."""
    array = np.arange(np.prod(shape)).reshape(shape)
    return (array - (0 if np.dtype(dtype).kind == "u" else 50)).astype(dtype)


def write(path, stored, affine):
    grid = Geometry(stored.shape, affine)
    write_volume(path, grid.to_ras(stored), grid)


def stored_voxels(volume):
    return volume.source.from_ras(volume.array[0])


def equal(path, array=None, affine=None):
    """Assert which voxels a file holds, as stored, and where; returns what was read."""
    volume = read_image(path)
    np.testing.assert_array_equal(stored_voxels(volume), voxels() if array is None else array)
    if affine is not None:
        np.testing.assert_allclose(volume.source.affine, affine, rtol=0, atol=1e-4)
    return volume
