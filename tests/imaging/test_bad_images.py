"""Files that are no whole 3D image are refused in one line that says what was found."""

import gzip
import os

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from tests.imaging.spoiled_files import (
    AFFINE,
    SHAPE,
    every_format,
    header_with,
    mha_with,
    refusal,
    voxels,
    write,
)


@every_format
@pytest.mark.parametrize("part", [0.9, 0.5, 0.02])
def test_truncated_file_is_refused(tmp_path, suffix, part):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(shape=(20, 20, 20)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    assert refusal(path).startswith(("is not a", "is a damaged or truncated", "is truncated"))


def test_truncated_uncompressed_metaimage_is_refused(tmp_path):
    path = mha_with(tmp_path / "image.mha")
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(path) == "is truncated: 220 bytes of voxels, expected 240"


def test_truncated_gzip_is_called_so(tmp_path):
    path = tmp_path / "image.nii.gz"
    write(path, voxels(shape=(20, 20, 20)))
    path.write_bytes(path.read_bytes()[:-100])
    assert "damaged or truncated gzip file" in refusal(path)


def test_damaged_gzip_is_refused(tmp_path):
    path = tmp_path / "image.nii.gz"
    write(path, voxels(shape=(20, 20, 20)))
    data = bytearray(path.read_bytes())
    data[-8] ^= 1  # the checksum
    path.write_bytes(data)
    assert "damaged or truncated gzip file" in refusal(path)


@every_format
@pytest.mark.parametrize("content", [b"", b"not an image\n", b"not an image\n" * 100])
def test_text_named_as_an_image_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    assert "is not a" in refusal(path)


def test_compressed_text_named_as_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii.gz"
    path.write_bytes(gzip.compress(b"not an image\n" * 100))
    assert "is not a NIfTI file" in refusal(path)


def test_nifti_header_without_its_voxels_is_refused(tmp_path):
    path = header_with(tmp_path / "image.nii", magic=b"ni1")
    assert "header without voxels (.hdr/.img pair)" in refusal(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.nii.gz", "does not exist"),
        ("none.mha", "does not exist"),
        ("none", "does not exist"),
    ],
)
def test_missing_file_is_refused(tmp_path, name, message):
    assert refusal(tmp_path / name) == message


@pytest.mark.parametrize("name", ["image.png", "image", "image.gz", "image.nii.zip"])
def test_unknown_suffix_is_refused_with_the_known_ones(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    message = refusal(tmp_path / name)
    assert (
        "has no readable format" in message and ".nii.gz" in message and "DICOM folder" in message
    )


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read every file")
@every_format
def test_file_that_may_not_be_read_is_refused_with_the_reason(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write(path, voxels())
    path.chmod(0)
    assert refusal(path) == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("shape", "found"), [((4, 5), "2 axes 4x5"), ((4, 5, 6, 2), "4 axes 4x5x6x2")]
)
@every_format
def test_image_that_is_not_3d_is_refused(tmp_path, suffix, shape, found):
    path = tmp_path / f"image{suffix}"
    if suffix == ".nrrd":
        nrrd.write(str(path), voxels(shape=shape))
    elif suffix == ".mha":
        sitk.WriteImage(sitk.GetImageFromArray(voxels(shape=shape).T, isVector=False), str(path))
    else:
        nib.save(nib.Nifti1Image(voxels(shape=shape), AFFINE), path)
    message = refusal(path)
    assert f"has {found}, expected 3" in message
    assert ("one file per modality" in message) == (len(shape) == 4)


def test_colour_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    colour = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, AFFINE), path)
    assert "expected one number per voxel" in refusal(path)


def test_complex_nifti_is_refused(tmp_path):
    path = tmp_path / "image.nii"
    nib.save(nib.Nifti1Image(voxels(np.complex64), AFFINE), path)
    assert "has voxels of type complex64" in refusal(path)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_image_of_vectors_is_refused(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    image = sitk.GetImageFromArray(voxels(shape=(6, 5, 4, 3)), isVector=True)
    sitk.WriteImage(image, str(path))
    assert refusal(path) == "has 3 values per voxel, expected 1"


@every_format
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_refused_and_counted(tmp_path, suffix, value):
    path = tmp_path / f"image{suffix}"
    array = voxels(np.float32)
    array[0, 1, 2:4] = value
    write(path, array)
    assert refusal(path) == "has 2 voxels that are NaN or infinite, expected none"
