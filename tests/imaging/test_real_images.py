"""Real scans, as other programs read them."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.imaging.io import (
    read_image,
    read_label,
    write_volume,
)
from tests.imaging.grids import LPS, every_format, stored_voxels
from tests.imaging.test_nifti_headers import PLACING

PIR_FILES = [
    f"vertebra_pir/{part}/{name}_vertebra.nii.gz"
    for part in ("images", "labels")
    for name in ("ct", "t2")
]
SERIES = {
    "dicom/brain_mr_oblique/T1post": ((280, 320, 22), np.uint16),
    "dicom/sarcoma_STS_008/CT/image": ((141, 137, 51), np.int16),
    "dicom/sarcoma_STS_008/MR_T1/image": ((77, 79, 28), np.int16),
    "dicom/sarcoma_STS_008/PET/image": ((30, 29, 51), np.float32),
    "dicom/dicom_seg/ct": ((512, 512, 3), np.int16),
}


def read_by_simpleitk(path):
    if not path.is_dir():
        return sitk.ReadImage(str(path))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
    return reader.Execute()


@pytest.mark.parametrize("name", [*PIR_FILES, *SERIES])
def test_real_image_is_read_as_simpleitk_reads_it(shared_data, name):
    path = shared_data(name)
    volume, image = read_image(path), read_by_simpleitk(path)
    expected = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    np.testing.assert_allclose(stored_voxels(volume), expected, rtol=1e-6)
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(image.GetSize()) - 1)
    places = [image.TransformIndexToPhysicalPoint(corner.tolist()) * LPS for corner in corners]
    np.testing.assert_allclose(volume.source.voxel_to_world(corners), places, rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", SERIES)
def test_real_series_keeps_its_size_and_number_type(shared_data, name):
    volume = read_image(shared_data(name))
    assert (volume.source.shape, volume.array.dtype) == SERIES[name]


@pytest.mark.parametrize("name", PIR_FILES)
def test_real_pir_image_is_turned_to_ras_as_nibabel_turns_it(shared_data, name):
    path = shared_data(name)
    volume, canonical = read_image(path), nib.as_closest_canonical(nib.load(path))
    assert volume.source.orientation == "PIR"
    np.testing.assert_array_equal(volume.array[0], np.asarray(canonical.dataobj))
    np.testing.assert_allclose(volume.affine, canonical.affine, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", PIR_FILES)
def test_real_pir_image_is_written_back_on_its_grid(shared_data, tmp_path, name):
    path, result = shared_data(name), tmp_path / "result.nii.gz"
    volume = read_image(path)
    write_volume(result, volume.array[0], volume.source)
    before, after = nib.load(path), nib.load(result)
    np.testing.assert_array_equal(np.asarray(after.dataobj), np.asarray(before.dataobj))
    for field in PLACING:
        assert after.header[field].tobytes() == before.header[field].tobytes(), field
    assert after.header["pixdim"][:4].tobytes() == before.header["pixdim"][:4].tobytes()


def test_real_pir_labels_are_the_documented_vertebrae(shared_data):
    label = read_label(shared_data("vertebra_pir/labels/ct_vertebra.nii.gz")).array
    assert np.unique(label).tolist() == [0, 21, 22, 23]
    assert np.count_nonzero(label) == 36348


def test_real_slice_distance_comes_from_the_positions_not_the_thickness(shared_data):
    volume = read_image(shared_data("dicom/dicom_seg/ct"))
    assert volume.spacing == pytest.approx((0.810547, 0.810547, 1.0), abs=1e-6)


def test_real_oblique_series_is_turned_by_its_documented_angle(shared_data):
    source = read_image(shared_data("dicom/brain_mr_oblique/T1post")).source
    cosine = abs(source.affine[2, 2]) / source.spacing[2]
    assert np.degrees(np.arccos(cosine)) == pytest.approx(10.8, abs=0.1)


@every_format
def test_real_oblique_series_can_be_written_in_every_format(shared_data, tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    volume = read_image(shared_data("dicom/brain_mr_oblique/T1post"))
    write_volume(path, volume.array[0], volume.source)
    back = read_image(path)
    np.testing.assert_array_equal(back.array, volume.array)
    assert back.source.is_same_lattice(volume.source)


def test_real_dicom_files_named_against_their_order_are_sorted_by_position(shared_data, tmp_path):
    folder = shared_data("dicom/sarcoma_STS_008/MR_T1/image")
    files = sorted(folder.glob("*.dcm"))
    for number, file in enumerate(files):
        (tmp_path / f"{(number * 11) % len(files):03d}.dcm").write_bytes(file.read_bytes())
    mixed, plain = read_image(tmp_path), read_image(folder)
    np.testing.assert_array_equal(mixed.array, plain.array)
    assert mixed.source.is_same_lattice(plain.source)
