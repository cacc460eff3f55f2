"""Files that people have besides .nii.gz, .mha and .nrrd: read, or refused with the true reason."""

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import read_image, read_label
from tests.imaging.grids import AFFINES, equal, every_grid, voxels
from tests.imaging.spoiled_files import AFFINE, SHAPE, header_with, refusal


@every_grid
@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
def test_a_pair_is_read_as_one_image(tmp_path, affine, kind):
    nib.save(kind(voxels(), affine), tmp_path / "a.hdr")
    equal(tmp_path / "a.hdr", affine=affine)
    assert [path.name for path in files_of(tmp_path / "a.hdr").values()] == ["a.hdr", "a.img"]


def test_half_a_pair_is_refused_with_what_is_missing(tmp_path):
    nib.save(nib.Nifti1Pair(voxels(), AFFINE), tmp_path / "a.hdr")
    assert refusal(tmp_path / "a.img") == "holds the voxels of a .hdr file: expected the .hdr file"
    (tmp_path / "a.img").write_bytes((tmp_path / "a.img").read_bytes()[:-20])
    assert refusal(tmp_path / "a.hdr") == "is truncated: 220 bytes of voxels, expected 240"
    (tmp_path / "a.img").unlink()
    assert refusal(tmp_path / "a.hdr") == "lacks its voxels: a.img does not exist beside it"


def test_analyze_does_not_tell_left_from_right(tmp_path):
    nib.save(nib.AnalyzeImage(voxels(), None), tmp_path / "a.hdr")
    assert "Analyze 7.5 header, which does not tell left from right" in refusal(tmp_path / "a.hdr")


def test_a_whole_nifti_named_as_a_header_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(voxels(), AFFINE), tmp_path / "a.nii")
    (tmp_path / "a.nii").rename(tmp_path / "a.hdr")
    assert "expected the name .nii" in refusal(tmp_path / "a.hdr")


@pytest.mark.parametrize(
    ("dim", "vertices"),
    [([3, 27307, 1, 6, 1, 1, 1, 1], 163842), ([3, -1, 1, 1, 1, 1, 1, 1], 40962)],
)
def test_values_on_a_surface_are_no_image(tmp_path, dim, vertices):
    path = header_with(tmp_path / "a.nii", dim=dim, glmin=40962)
    assert f"the {vertices} vertices of a FreeSurfer surface" in refusal(path)


@pytest.mark.parametrize("value", [1e30, 3e38, 1e7, 1e-9])
@pytest.mark.parametrize("where", ["spacing", "origin"])
def test_a_header_near_infinity_is_broken(tmp_path, value, where):
    if where == "origin" and value < 1e9:
        pytest.skip("far away, but a number")
    affine = np.eye(4)
    affine[(0, 0) if where == "spacing" else (0, 3)] = value
    path = header_with(
        tmp_path / "a.nii", sform_code=1, srow_x=affine[0], srow_y=affine[1], srow_z=affine[2],
        qform_code=0,
    )  # fmt: skip
    assert refusal(path).startswith("no scan has a spacing of")


def test_real_files_that_were_refused(shared_cases, capfd):
    folder = shared_cases("b12_other_refused")
    packed = read_image(folder / "BallBinary30x30x30_bz2.nrrd")
    beside = read_image(folder / "BallBinary30x30x30.nhdr")
    np.testing.assert_array_equal(packed.array, beside.array)
    np.testing.assert_array_equal(
        packed.stored[0], nrrd.read(str(folder / "BallBinary30x30x30.nhdr"))[0]
    )
    pair = read_image(folder / "ras.hdr")
    np.testing.assert_array_equal(pair.stored[0], np.asarray(nib.load(folder / "ras.hdr").dataobj))
    np.testing.assert_allclose(pair.source.affine, nib.load(folder / "ras.hdr").affine)
    assert refusal(folder / "cut.mha") == (
        "is truncated: 64573 bytes of compressed voxels, expected 131270"
    )
    assert "FreeSurfer surface" in refusal(folder / "freesurfer_dims.nii.gz")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("value", [0.9999999, 1.00002, 2.0004, 1e-7])
def test_labels_off_by_rounding_are_whole_and_that_is_said(tmp_path, suffix, value):
    path = tmp_path / f"label{suffix}"
    array = np.zeros(SHAPE, np.float32)
    array[1:3, 1:3] = value
    image = sitk.GetImageFromArray(array.T)
    sitk.WriteImage(image, str(path))
    label = read_label(path)
    np.testing.assert_array_equal(label.stored[0], np.rint(array))
    assert label.array.dtype == np.uint8
    assert "stored as float32, off by up to" in label.notes[-1]


@pytest.mark.parametrize("value", [0.5, 0.99, 1.01, 0.002, 12.2])
def test_a_true_fraction_is_none(tmp_path, value):
    array = np.ones(SHAPE, np.float32)
    array[1, 2, 3] = value
    path = tmp_path / "label.nii"
    nib.save(nib.Nifti1Image(array, AFFINES["pir"]), path)
    assert refusal(path, read_label) == (
        f"holds label values that are not whole numbers, such as {value:g}"
    )


@pytest.mark.parametrize("name", ["almost_one", "saved_with_the_images_header"])
def test_real_labels_off_by_rounding(shared_cases, name):
    folder = shared_cases("a08_labels_scaled_by_nibabel/Task503_SCALED/labelsTr")
    label = read_label(folder / f"{name}.nii.gz")
    expected = np.rint(nib.load(folder / f"{name}.nii.gz").get_fdata())
    np.testing.assert_array_equal(label.stored[0], expected)
    assert "labels are stored as float32, off by up to" in label.notes[-1]


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_a_header_without_the_size_of_its_voxels_is_refused(tmp_path, name):
    """ITK takes 1 mm: a scan of other voxels would be measured and segmented wrongly."""
    path = tmp_path / name
    voxels = np.zeros(8, np.uint8).tobytes()
    if name == "a.mha":
        header = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    else:
        header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n"
    path.write_bytes(header.encode() + voxels)
    assert "says nothing of the size of its voxels" in refusal(path)
