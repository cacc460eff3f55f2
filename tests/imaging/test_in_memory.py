"""Images in memory are read as their files are, and odd ones refused."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.in_memory import as_volume, label_to_nibabel, label_to_sitk
from interactivenet.imaging.io import read_image
from tests.imaging.any_grid import geometries
from tests.imaging.grids import AFFINES, every_grid, voxels, write


@every_grid
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_nibabel_images_are_read_as_their_files(tmp_path, affine, dtype):
    path = tmp_path / "a.nii.gz"
    write(path, voxels(dtype), affine)
    from_file, in_memory = read_image(path), as_volume(nib.load(path))
    np.testing.assert_array_equal(in_memory.array, from_file.array)
    np.testing.assert_array_equal(in_memory.source.affine, from_file.source.affine)
    assert in_memory.array.dtype == from_file.array.dtype
    assert in_memory.source.native == from_file.source.native


def test_scaled_voxels_are_read_as_from_the_file(tmp_path):
    image = nib.Nifti1Image(voxels(np.int16), AFFINES["pir"])
    image.header.set_slope_inter(0.1, 3)
    nib.save(image, tmp_path / "a.nii")
    from_file, in_memory = read_image(tmp_path / "a.nii"), as_volume(nib.load(tmp_path / "a.nii"))
    assert in_memory.array.dtype == from_file.array.dtype == np.float32
    np.testing.assert_array_equal(in_memory.array, from_file.array)


@every_grid
def test_simpleitk_images_are_read_as_their_files(tmp_path, affine):
    path = tmp_path / "a.mha"
    write(path, voxels(), affine)
    from_file, in_memory = read_image(path), as_volume(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(in_memory.array, from_file.array)
    np.testing.assert_array_equal(in_memory.source.affine, from_file.source.affine)


@given(geometries())
@settings(max_examples=40)
def test_labels_go_out_on_the_grid_they_came_from(geometry):
    stored = np.arange(np.prod(geometry.shape)).reshape(geometry.shape) % 200
    image = nib.Nifti1Image(stored.astype(np.int16), geometry.affine)
    volume = as_volume(image)
    made = label_to_nibabel(volume.array[0], volume.source)
    np.testing.assert_array_equal(made.affine, image.affine)
    np.testing.assert_array_equal(np.asanyarray(made.dataobj), stored)
    # through SimpleITK and back: the same voxels in the same place
    again = as_volume(label_to_sitk(volume.array[0], volume.source))
    assert again.source.difference_mm(volume.source) < 1e-6
    np.testing.assert_array_equal(again.array, volume.array)


def test_other_formats_of_nibabel():
    affine = AFFINES["lps"]
    image = nib.freesurfer.MGHImage(voxels(), affine)
    volume = as_volume(image)
    np.testing.assert_array_equal(volume.stored[0], voxels())
    np.testing.assert_allclose(volume.source.affine, image.affine)
    made = label_to_nibabel(volume.array[0] + 50, volume.source)
    assert isinstance(made, nib.Nifti1Image) and np.array_equal(made.affine, image.affine)


def test_an_affine_changed_in_memory_counts():
    image = nib.Nifti1Image(voxels(), AFFINES["ras"])
    image.affine[:3, 3] += 5
    volume = as_volume(image)
    np.testing.assert_array_equal(volume.source.affine, image.affine)
    made = label_to_nibabel(volume.array[0] + 50, volume.source)
    np.testing.assert_allclose(made.header.get_best_affine(), image.affine, rtol=1e-6)


def test_a_fourth_axis_of_one_voxel_is_left_out():
    stored = voxels()
    for image in (
        nib.Nifti1Image(stored[..., None], np.eye(4)),
        sitk.JoinSeries([sitk.GetImageFromArray(stored.transpose(2, 1, 0))]),
    ):
        np.testing.assert_array_equal(as_volume(image).stored[0], stored)


NAN = voxels(np.float32)
NAN[1, 2, 3] = np.nan
RGB = np.zeros((2, 3, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (nib.Nifti1Image(np.zeros((2, 3, 4, 5), np.int16), np.eye(4)), "has 4 axes 2x3x4x5, exp"),
        (nib.Nifti1Image(NAN, np.eye(4)), "has 1 voxels that are NaN"),
        (nib.Nifti1Image(RGB, np.eye(4)), "expected one real number per voxel"),
        (nib.Nifti1Image(np.ones((2, 3, 4), np.complex64), np.eye(4)), "voxels of type complex64"),
        (sitk.Image([4, 4, 4], sitk.sitkComplexFloat32), "voxels of type complex64, expected one"),
        (nib.spatialimages.SpatialImage(voxels(), None), "has no affine"),
        (nib.Nifti1Image(voxels(), np.array([[1, 1, 0, 0], *np.eye(4)[1:]])), "sheared"),
        (sitk.Image([4, 4], sitk.sitkInt16), "has 2 axes 4x4, expected 3"),
        (sitk.Image([4, 4, 4, 2], sitk.sitkInt16), "has 4 axes 4x4x4x2, expected 3"),
        (sitk.Image([4, 4, 4], sitk.sitkVectorUInt8, 3), "has 3 values per voxel"),
        (sitk.GetImageFromArray(NAN), "has 1 voxels that are NaN"),
    ],
)
def test_odd_images_are_refused(image, message):
    with pytest.raises(DataError, match=message):
        as_volume(image)


def test_what_is_no_image_is_refused():
    with pytest.raises(RequestError, match=r"alone does not say .* `Volume\.from_stored\(array, "):
        as_volume(np.zeros((2, 3, 4)))
    with pytest.raises(RequestError, match="a str is not an image"):
        as_volume("scan.nii.gz")
