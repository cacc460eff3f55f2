"""Images and label maps on the grid of another, against plain arithmetic."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Doubt, Geometry
from interactivenet.imaging.grid_resampling import (
    onto_grid,
    percent,
    resample_linearly,
    resample_nearest,
)
from interactivenet.imaging.volume import Volume
from tests.sample_cases import stored_grid

#: an oblique grid with permuted and mirrored axes, and one that it covers in part
SOURCE = stored_grid((17, 13, 11), (1.2, 0.9, 2.5), (2, 0, 1), (1, -1, 1), (0.1, -0.2, 0.3))
TARGETS = [
    stored_grid((9, 12, 14), (1.7, 1.1, 1.3), (1, 2, 0), (-1, 1, -1), (-0.3, 0.1, 0.2)),
    stored_grid((17, 13, 11), (1.2, 0.9, 2.5), (2, 0, 1), (1, -1, 1), (0.1, -0.2, 0.31)),
    stored_grid((40, 4, 4), (0.3, 3.0, 5.0)),
]


def places(grid):
    """The voxel of SOURCE, with fractions, that each voxel (X, Y, Z, 3) of a grid lies at."""
    world = grid.voxel_to_world(np.indices(grid.shape).reshape(3, -1).T)
    return SOURCE.world_to_voxel(world).reshape(*grid.shape, 3)


def is_beyond(at):
    return ((at < -0.5) | (at >= np.array(SOURCE.shape) - 0.5)).any(axis=-1)


@pytest.fixture
def image():
    return np.random.default_rng(1).normal(100, 50, SOURCE.shape).astype(np.float32)


@pytest.mark.parametrize("target", TARGETS)
def test_trilinear_between_the_centres_of_voxels(image, target):
    done = resample_linearly(image, SOURCE, target)
    at = places(target)
    beyond = is_beyond(at)
    assert beyond.any() == (target is not TARGETS[1])
    np.testing.assert_array_equal(done.beyond, beyond)
    expected = map_coordinates(image.astype(float), np.moveaxis(at, -1, 0), order=1, mode="nearest")
    expected[beyond] = image.min()
    np.testing.assert_allclose(done.array, expected, atol=2e-3)
    assert done.array.dtype == np.float32
    assert done.outside == pytest.approx(beyond.mean())
    assert done.fill == image.min()


@pytest.mark.parametrize("target", TARGETS)
def test_the_nearest_voxel_of_a_label_map(target):
    label = np.random.default_rng(2).integers(0, 4, SOURCE.shape).astype(np.uint8)
    at = places(target)
    nearest = np.rint(at).astype(int).clip(0, np.array(SOURCE.shape) - 1)
    expected = np.where(is_beyond(at), 0, label[tuple(np.moveaxis(nearest, -1, 0))])
    got = resample_nearest(label, SOURCE, target)
    assert got.dtype == label.dtype
    np.testing.assert_array_equal(got, expected)


def test_a_field_of_the_place_stays_what_it_is(image):
    """An image whose value is a linear function of the place, wherever it was measured."""
    slope = np.array([0.7, -1.3, 0.4])

    def field(grid):
        world = grid.voxel_to_world(np.indices(grid.shape).reshape(3, -1).T)
        return (world @ slope + 5).reshape(grid.shape).astype(np.float32)

    done = resample_linearly(field(SOURCE), SOURCE, TARGETS[0])
    at = places(TARGETS[0])
    inside = ((at >= 0) & (at <= np.array(SOURCE.shape) - 1)).all(axis=-1)
    assert inside.any()
    np.testing.assert_allclose(done.array[inside], field(TARGETS[0])[inside], atol=1e-3)


def test_as_many_threads_as_there_may_be_give_the_same(image):
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    try:
        for threads in (1, 3, 8):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            results.append(resample_linearly(image, SOURCE, TARGETS[0]).array)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_a_volume_on_the_grid_stays_as_it_is(image):
    volume = Volume.from_stored(image, SOURCE, notes=["a"])
    assert onto_grid(volume, SOURCE.ras) is volume
    moved = onto_grid(volume, TARGETS[0])
    assert moved.source is TARGETS[0] and moved.notes[0] == "a"
    assert moved.notes[1].startswith("resampled linearly from 11x17x13 voxels of 2.5x1.2x0.9 mm to")
    np.testing.assert_array_equal(
        moved.stored[0], resample_linearly(image, SOURCE, TARGETS[0]).array
    )


def test_whole_numbers_are_resampled_as_they_are():
    image = np.random.default_rng(3).integers(-1000, 3000, SOURCE.shape).astype(np.int16)
    whole = resample_linearly(image, SOURCE, TARGETS[0])
    np.testing.assert_array_equal(
        whole.array, resample_linearly(image.astype(np.float32), SOURCE, TARGETS[0]).array
    )


def test_grids_that_lie_apart_or_nobody_knows_where(image):
    affine = np.array(TARGETS[0].affine)
    affine[:3, 3] += 1000
    away = Geometry(TARGETS[0].shape, affine)
    with pytest.raises(DataError, match="lies nowhere within the grid"):
        resample_linearly(image, SOURCE, away)
    doubtful = Geometry(SOURCE.shape, SOURCE.affine, doubt=Doubt("two forms", {}))
    with pytest.raises(DataError, match="not certain where it lies: two forms"):
        onto_grid(Volume.from_stored(image, doubtful), TARGETS[0])


def test_shares_are_never_rounded_to_nothing_or_all():
    assert [percent(x) for x in (1e-9, 0.123, 0.99999, 1)] == [
        "0.1 %", "12.3 %", "99.9 %", "100 %"
    ]  # fmt: skip
