"""Headers that place the voxels impossibly are refused, doubtful ones are noted."""

import nibabel as nib
import numpy as np
import pytest

from interactivenet.imaging.io import read_image
from tests.imaging.spoiled_files import (
    AFFINE,
    SHEARED,
    header_with,
    mha_with,
    nrrd_with,
    refusal,
    voxels,
    write,
)


@pytest.mark.parametrize(
    ("pixdim", "found"), [(0, "0"), (-1.5, "-1.5"), (np.nan, "nan"), (np.inf, "inf")]
)
def test_nifti_with_impossible_spacing_is_refused(tmp_path, pixdim, found):
    path = header_with(tmp_path / "image.nii", pixdim=[1, 0.7, pixdim, 2.5, 0, 0, 0, 0])
    assert f"spacing must be positive, got (0.7, {found}, 2.5) mm" in refusal(path)


def test_metaimage_with_impossible_spacing_is_refused(tmp_path):
    refusal(mha_with(tmp_path / "image.mha", ElementSpacing="1 0 1"))


def test_metaimage_with_negative_spacing_has_that_axis_reversed(tmp_path):
    path = mha_with(tmp_path / "image.mha", ElementSpacing="1 -1.5 1")
    np.testing.assert_array_equal(read_image(path).source.affine, np.diag([-1, 1.5, 1, 1]))


def test_nrrd_with_impossible_spacing_is_refused(tmp_path):
    refusal(nrrd_with(tmp_path / "image.nrrd", space_directions=np.diag([1.0, 0, 1])))


def test_sheared_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    nib.save(nib.Nifti1Image(voxels(), SHEARED), path)
    assert "sheared: two voxel axes meet at 76.0 degrees, expected 90" in refusal(path)


def test_sheared_metaimage_is_refused(tmp_path):
    path = mha_with(tmp_path / "image.mha", TransformMatrix="1 0 0 0.25 1 0 0 0 1")
    assert "sheared: two voxel axes meet at 76.0 degrees, expected 90" in refusal(path)


def test_sheared_nrrd_is_refused_though_itk_straightens_it(tmp_path):
    directions = np.array([[1, 0, 0], [0.25, 1, 0], [0, 0, 1]])
    path = nrrd_with(tmp_path / "image.nrrd", space_directions=directions)
    assert "sheared: two voxel axes meet at 76.0 degrees, expected 90" in refusal(path)


def test_nrrd_of_another_space_is_refused(tmp_path):
    path = nrrd_with(tmp_path / "image.nrrd", space="scanner-xyz")
    assert "has space 'scanner-xyz', expected a patient space" in refusal(path)


def test_nifti_with_singular_affine_is_refused(tmp_path):
    refusal(header_with(tmp_path / "image.nii", sform_code=1, srow_y=[0, 0, 0, 0]))


def test_nifti_with_an_affine_that_is_not_finite_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=1, srow_y=[0, np.nan, 0, 0])
    assert "affine has values that are not finite" in refusal(path)


@pytest.mark.parametrize("dim", [[3, 4, 0, 6, 1, 1, 1, 1], [3, 4, -5, 6, 1, 1, 1, 1]])
def test_nifti_with_impossible_shape_is_refused(tmp_path, dim):
    path = header_with(tmp_path / "image.nii", dim=dim)
    assert f"three positive numbers, got (4, {dim[2]}, 6)" in refusal(path)


@pytest.mark.parametrize("count", [0, 8, -1])
def test_nifti_with_impossible_number_of_axes_is_refused(tmp_path, count):
    path = header_with(tmp_path / "image.nii", dim=[count, 4, 5, 6, 1, 1, 1, 1])
    assert f"{count} axes in its header" in refusal(path)


def test_nifti_that_promises_more_voxels_than_it_has_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
    assert "is truncated" in refusal(path)


def test_nifti2_that_promises_more_voxels_than_can_be_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    data = bytearray(nib.Nifti2Image(voxels(), AFFINE).to_bytes())
    data[16:48] = np.array([3, 2**40, 2**40, 2**40], "<i8").tobytes()  # dim
    path.write_bytes(data)
    assert "voxels" in refusal(path)


@pytest.mark.parametrize(("units", "name"), [(1, "metres"), (3, "micrometres")])
def test_nifti_in_other_units_is_refused(tmp_path, units, name):
    path = header_with(tmp_path / "image.nii", xyzt_units=units)
    assert refusal(path) == f"gives its geometry in {name}, expected millimetres"


def test_nifti_with_no_valid_orientation_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=0, qform_code=1, quatern_b=2)
    assert "has no valid orientation" in refusal(path)


def test_nifti_without_orientation_codes_is_noted(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=0, qform_code=0)
    volume = read_image(path)
    assert len(volume.notes) == 1
    assert "left and right are a guess" in volume.notes[0]
    np.testing.assert_array_equal(volume.source.affine, nib.load(path).affine)


@pytest.mark.parametrize("turn", [np.diag([-1, 1, 1, 1]), np.eye(4) + 5 * np.eye(4, k=3)])
def test_disagreement_of_sform_and_qform_is_noted(tmp_path, turn):
    path = tmp_path / "image.nii"
    image = nib.Nifti1Image(voxels(), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(turn @ AFFINE, 1)
    nib.save(image, path)
    volume = read_image(path)
    assert len(volume.notes) == 1
    assert "sform and qform place its corners" in volume.notes[0]
    np.testing.assert_allclose(volume.source.affine, AFFINE, rtol=1e-6)


def test_broken_qform_beside_a_sound_sform_does_no_harm(tmp_path):
    path = header_with(tmp_path / "image.nii", sform_code=1, qform_code=1, quatern_b=2)
    np.testing.assert_allclose(read_image(path).source.affine, AFFINE, rtol=1e-6)


def test_pixdim_that_contradicts_the_sform_is_noted(tmp_path):
    pixdim = [1, 1, 1, 1, 0, 0, 0, 0]
    path = header_with(tmp_path / "image.nii", sform_code=1, qform_code=0, pixdim=pixdim)
    volume = read_image(path)
    assert volume.source.spacing == pytest.approx((0.7, 0.8, 2.5))
    assert "contradicts the spacing of its sform" in volume.notes[0]


def test_sound_image_has_no_notes(tmp_path):
    write(tmp_path / "image.nii.gz", voxels())
    assert read_image(tmp_path / "image.nii.gz").notes == ()
