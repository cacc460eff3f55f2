"""Images come back as they were written, in every format and on every grid."""

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.errors import DataError
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_image, write_volume
from tests.imaging.grids import (
    AFFINES,
    LPS,
    SHAPE,
    affine_of,
    every_format,
    every_grid,
    stored_voxels,
    voxels,
    write,
)


@every_format
@every_grid
def test_image_comes_back_as_it_was_written(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), affine)
    volume = read_image(path)
    np.testing.assert_array_equal(stored_voxels(volume), voxels())
    assert volume.array.dtype == np.int16
    assert volume.notes == ()
    assert volume.source.orientation == Geometry(SHAPE, affine).orientation
    assert volume.source.is_same_lattice(Geometry(SHAPE, affine))


@every_grid
def test_nrrd_keeps_the_affine_exactly(tmp_path, affine):
    path = tmp_path / "image.nrrd"
    write(path, voxels(), affine)
    np.testing.assert_array_equal(read_image(path).source.affine, affine)


@every_format
@every_grid
def test_result_has_exactly_the_affine_of_its_image(tmp_path, suffix, affine):
    image, result = tmp_path / f"image{suffix}", tmp_path / f"result{suffix}"
    write(image, voxels(), affine)
    volume = read_image(image)
    write_volume(result, volume.array[0], volume.source)
    np.testing.assert_array_equal(read_image(result).source.affine, volume.source.affine)


@every_format
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64]
)
def test_number_type_is_kept(tmp_path, suffix, dtype):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(dtype), AFFINES["pir"])
    volume = read_image(path)
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(stored_voxels(volume), voxels(dtype))


@every_format
@pytest.mark.parametrize("shape", [(1, 5, 6), (4, 1, 6), (4, 5, 1), (1, 1, 1)])
def test_axis_of_one_voxel_is_kept(tmp_path, suffix, shape):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(shape=shape), AFFINES["pir"])
    volume = read_image(path)
    assert volume.source.shape == shape
    np.testing.assert_array_equal(stored_voxels(volume), voxels(shape=shape))


@every_format
@every_grid
def test_simpleitk_finds_the_same_values_at_the_same_places(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), affine)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), voxels())
    for index in ((0, 0, 0), (3, 4, 5), (1, 0, 4)):
        world = affine[:3, :3] @ index + affine[:3, 3]
        position = image.TransformIndexToPhysicalPoint(index) * LPS
        np.testing.assert_allclose(position, world, rtol=0, atol=1e-3)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@every_grid
def test_nibabel_finds_the_same_values_at_the_same_places(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), affine)
    image = nib.load(path)
    np.testing.assert_array_equal(np.asarray(image.dataobj), voxels())
    np.testing.assert_allclose(image.get_sform(), affine, rtol=0, atol=1e-4)
    np.testing.assert_allclose(image.get_qform(), affine, rtol=0, atol=1e-3)
    assert image.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii"])
@every_grid
def test_image_written_by_simpleitk_is_read_alike(tmp_path, suffix, affine):
    path = tmp_path / f"image{suffix}"
    image = sitk.GetImageFromArray(voxels().transpose(2, 1, 0))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((affine[:3, 3] * LPS).tolist())
    image.SetDirection((affine[:3, :3] / spacing * LPS[:, None]).ravel().tolist())
    sitk.WriteImage(image, str(path))
    volume = read_image(path)
    np.testing.assert_array_equal(stored_voxels(volume), voxels())
    np.testing.assert_allclose(volume.source.affine, affine, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
        ("LPS", (-1, -1, 1)),
    ],
)
def test_nrrd_is_placed_by_the_space_it_names(tmp_path, space, signs):
    path = tmp_path / "image.nrrd"
    directions = np.array([[1.5, 0, 0], [0, 0, 2.5], [0, 0.5, 0]])
    header = {"space": space, "space directions": directions, "space origin": np.array([1, 2, 3.0])}
    nrrd.write(str(path), voxels(), header)
    affine = read_image(path).source.affine
    np.testing.assert_array_equal(affine[:3, :3], directions.T * np.array(signs)[:, None])
    np.testing.assert_array_equal(affine[:3, 3], np.array([1, 2, 3]) * signs)


def test_nrrd_without_a_space_is_noted(tmp_path):
    path = tmp_path / "image.nrrd"
    nrrd.write(str(path), voxels(), {"spacings": [1.0, 2.0, 3.0]})
    volume = read_image(path)
    assert volume.source.spacing == (1, 2, 3)
    assert "left and right are a guess" in volume.notes[0]


def test_channels_of_other_formats_and_orders_on_one_grid_are_stacked(tmp_path):
    ras = Geometry(SHAPE, AFFINES["lps"]).to_ras(voxels())
    grid = Geometry(SHAPE, AFFINES["lps"])
    write_volume(tmp_path / "a.nii.gz", ras, grid)
    write_volume(tmp_path / "b.mha", ras, grid.ras)
    both = read_channels([tmp_path / "a.nii.gz", tmp_path / "b.mha"])
    np.testing.assert_array_equal(both.array, [ras, ras])
    assert both.source.orientation == "LPS"


def test_channels_on_two_grids_are_refused_with_both(tmp_path):
    write(tmp_path / "a.nii.gz", voxels(), affine_of(np.eye(3), (1, 1, 1)))
    write(tmp_path / "b.nii.gz", voxels(), affine_of(np.eye(3), (1, 1, 2)))
    with pytest.raises(DataError) as caught:
        read_channels([tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"])
    message = str(caught.value)
    assert "a.nii.gz" in message and "b.nii.gz" in message
    assert "spacing (1, 1, 1) mm" in message and "spacing (1, 1, 2) mm" in message
