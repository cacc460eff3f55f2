"""What a NIfTI header says, and what a result repeats of it."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.imaging.io import (
    read_image,
    write_label_array,
)
from tests.imaging.grids import (
    AFFINES,
    SHAPE,
    every_grid,
    stored_voxels,
    voxels,
    write,
)

PLACING = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)


def nifti(array, affine, *, kind=nib.Nifti1Image, sform=1, qform=1):
    image = kind(array, affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    image.header.set_xyzt_units("mm")
    return image


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (2, 0), (0, 3), (4, 1), (0, 0)])
@every_grid
def test_result_repeats_the_nifti_header_bit_for_bit(tmp_path, suffix, kind, sform, qform, affine):
    path, result = tmp_path / f"image{suffix}", tmp_path / f"result{suffix}"
    nib.save(nifti(voxels(), affine, kind=kind, sform=sform, qform=qform), path)
    volume = read_image(path)
    write_label_array(result, np.ones(volume.shape), volume.source)
    before, after = nib.load(path).header, nib.load(result).header
    assert type(after) is type(before)
    for name in PLACING:
        assert after[name].tobytes() == before[name].tobytes(), name
    assert after["pixdim"][:4].tobytes() == before["pixdim"][:4].tobytes()
    assert after["xyzt_units"] == before["xyzt_units"]
    assert after["dim"].tolist() == before["dim"].tolist()


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_either_byte_order_of_either_nifti_is_read(tmp_path, kind, order, dtype):
    path = tmp_path / "image.nii"
    header = kind.header_class(endianness=order)
    header.set_data_dtype(order + dtype)
    image = kind(voxels(dtype), AFFINES["pir"], header)
    nib.save(image, path)
    assert nib.load(path).header.endianness == order
    volume = read_image(path)
    assert volume.array.dtype == np.dtype(dtype)
    assert volume.array.dtype.isnative
    np.testing.assert_array_equal(stored_voxels(volume), voxels(dtype))
    np.testing.assert_allclose(volume.source.affine, AFFINES["pir"], rtol=1e-6)


def test_result_of_a_big_endian_image_is_placed_alike(tmp_path):
    path, result = tmp_path / "image.nii", tmp_path / "result.nii"
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(voxels(), AFFINES["oblique"], header), path)
    volume = read_image(path)
    write_label_array(result, np.ones(volume.shape), volume.source)
    np.testing.assert_array_equal(nib.load(result).affine, nib.load(path).affine)


@pytest.mark.parametrize(
    ("stored", "slope", "inter", "expected"),
    [
        (np.int16, 0.5, 0.25, np.float32),
        (np.uint8, 2, -10, np.float32),
        (np.int16, 1, -1024, np.float32),
        (np.float64, 0.1, 0, np.float64),
    ],
)
def test_values_are_scaled_as_the_header_says(tmp_path, stored, slope, inter, expected):
    path = tmp_path / "image.nii.gz"
    image = nib.Nifti1Image(voxels(stored), AFFINES["pir"])
    data = bytearray(image.to_bytes())
    data[112:120] = np.array([slope, inter], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(gzip.compress(bytes(data)))
    volume = read_image(path)
    assert volume.array.dtype == expected
    np.testing.assert_allclose(
        stored_voxels(volume), voxels(stored).astype(float) * np.float32(slope) + inter, rtol=1e-6
    )
    np.testing.assert_allclose(stored_voxels(volume), nib.load(path).get_fdata(), rtol=1e-6)


@pytest.mark.parametrize("slope", [0, np.nan, 1])
def test_scaling_that_changes_nothing_keeps_the_stored_type(tmp_path, slope):
    path = tmp_path / "image.nii"
    data = bytearray(nib.Nifti1Image(voxels(), AFFINES["pir"]).to_bytes())
    data[112:120] = np.array([slope, 0], "<f4").tobytes()
    path.write_bytes(data)
    assert read_image(path).array.dtype == np.int16


@pytest.mark.parametrize("suffix", [".nii", ".mha"])
def test_fourth_axis_of_one_voxel_is_dropped(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    if suffix == ".nii":
        nib.save(nib.Nifti1Image(voxels()[..., None], AFFINES["ras"]), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(voxels().T[None], isVector=False), str(path))
    volume = read_image(path)
    assert volume.shape == SHAPE
    np.testing.assert_array_equal(stored_voxels(volume), voxels())


@pytest.mark.parametrize(
    "name",
    [
        "image.NII.GZ",
        "image.NII",
        "image.NRRD",
        "image.MHA",
    ],
)
def test_suffix_in_capitals_is_the_same_format(tmp_path, name):
    path, plain = tmp_path / name, tmp_path / f"plain{name[5:].lower()}"
    write(path, voxels(), AFFINES["pir"])
    write(plain, voxels(), AFFINES["pir"])
    assert path.read_bytes() == plain.read_bytes()
    np.testing.assert_array_equal(stored_voxels(read_image(path)), voxels())
