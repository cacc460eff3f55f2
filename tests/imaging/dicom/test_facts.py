"""What is read of a DICOM series equals what pydicom and SimpleITK read of its files."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from interactivenet.imaging.io import read_image
from tests.imaging.grids import LPS
from tests.imaging.written_dicom import (
    AXIAL,
    save,
    stored,
    values_of,
    write_series,
    write_slice,
)

REAL = [
    "dicom/brain_mr_oblique/T1post",
    "dicom/sarcoma_STS_008/CT/image",
    "dicom/sarcoma_STS_008/MR_T1/image",
    "dicom/sarcoma_STS_008/PET/image",
    "dicom/dicom_seg/ct",
]
CASES = [
    "a12_dicom_folders_as_exported/images/every_file_twice",
    "a12_dicom_folders_as_exported/images/localiser",
    "a12_dicom_folders_as_exported/images/secondary_capture",
    "a12_dicom_folders_as_exported/images/study_folders",
    "a13_read_only_import/source/images/a_0000",
    "a13_read_only_import/source/images/b_0000",
    "b05_rtdose_beside_ct",
    "b06_seg_rle_beside_ct",
    "b08_gc_dicom_image_set/images/ct-image",
]


SLICES = ("CT Image Storage", "MR Image Storage", "Positron Emission Tomography Image Storage")


def by_pydicom(folder):
    """Values (slices, rows, columns), affine and headers of a folder's slices, by pydicom alone."""
    slices = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            dataset = pydicom.dcmread(path)
            localiser = "LOCALIZER" in dataset.get("ImageType", [])
            if dataset.SOPClassUID.name in SLICES and not localiser:
                slices[dataset.SOPInstanceUID] = dataset
    row, column = (np.array(next(iter(slices.values())).ImageOrientationPatient[i : i + 3])
                   for i in (0, 3))  # fmt: skip
    normal = np.cross(row, column)
    ordered = sorted(slices.values(), key=lambda d: normal @ np.array(d.ImagePositionPatient))
    first, last = (np.array(d.ImagePositionPatient, float) for d in (ordered[0], ordered[-1]))
    spacing = ordered[0].PixelSpacing
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * spacing[1], column * spacing[0]
    affine[:3, 2], affine[:3, 3] = (last - first) / (len(ordered) - 1), first
    values = [
        d.pixel_array * float(d.get("RescaleSlope", 1)) + float(d.get("RescaleIntercept", 0))
        for d in ordered
    ]
    return np.stack(values), np.diag([-1, -1, 1, 1]) @ affine, ordered


def check_facts(folder):
    volume = read_image(folder)
    values, affine, ordered = by_pydicom(folder)
    np.testing.assert_allclose(values_of(volume), values, rtol=1e-6, atol=0)
    assert volume.source.shape == values.shape[::-1]
    np.testing.assert_allclose(volume.source.affine, affine, rtol=0, atol=1e-9)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([d.filename for d in ordered])
    image = reader.Execute()
    np.testing.assert_allclose(values_of(volume), sitk.GetArrayFromImage(image), rtol=1e-6)
    assert volume.source.shape == image.GetSize()
    np.testing.assert_allclose(volume.source.spacing, image.GetSpacing(), rtol=0, atol=1e-4)
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(image.GetSize()) - 1)
    itk = [image.TransformIndexToPhysicalPoint(corner.tolist()) * LPS for corner in corners]
    np.testing.assert_allclose(volume.source.voxel_to_world(corners), itk, rtol=0, atol=2e-3)
    (tags,) = volume.tags
    assert tags["SeriesInstanceUID"] == ordered[0].SeriesInstanceUID
    assert tags["StudyInstanceUID"] == ordered[0].StudyInstanceUID
    assert tags["Modality"] == ordered[0].Modality
    assert tags["PatientID"] == ordered[0].PatientID
    assert "PatientName" not in tags
    return volume


@pytest.mark.parametrize("name", REAL)
def test_real_series_is_what_pydicom_and_simpleitk_read(shared_data, name):
    assert check_facts(shared_data(name)).notes == ()


@pytest.mark.parametrize("name", CASES)
def test_exported_folder_is_what_pydicom_and_simpleitk_read_of_its_slices(shared_cases, name):
    check_facts(shared_cases(name))


def orthonormal(angles, permutation, signs):
    """Row and column of a turned, permuted and mirrored plane."""
    a, b, c = angles
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    axes = turn[:, list(permutation)] * np.array(signs)
    return (*axes[:, 0], *axes[:, 1])


@settings(max_examples=15)
@given(
    angles=st.tuples(*[st.sampled_from([0.0, 0.1, -0.3, 0.7])] * 3),
    permutation=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    shuffled=st.randoms(use_true_random=False),
    slope=st.sampled_from([(1, -1000), (1, 0), (2, -5), (0.25, 0.5)]),
)
def test_a_series_of_any_orientation(tmp_path_factory, angles, permutation, signs, shuffled, slope):
    """Turned, permuted, mirrored; names and numbers of the files against their places."""
    folder = tmp_path_factory.mktemp("series")
    axes = orthonormal(angles, permutation, signs)
    numbers = list(range(5))
    shuffled.shuffle(numbers)
    for file, (number, pixels) in zip(numbers, enumerate(stored()), strict=True):
        write_slice(
            folder / f"{file}.dcm", pixels, number, axes=axes, slope=slope[0], intercept=slope[1],
            InstanceNumber=str(file),
        )  # fmt: skip
    check_facts(folder)


def test_slices_scaled_one_by_one(tmp_path):
    for number, pixels in enumerate(stored()):
        write_slice(tmp_path / f"{number}", pixels, number, slope=0.5 + number, intercept=number)
    assert check_facts(tmp_path).array.dtype == np.float32


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_orders_of_bytes(tmp_path, syntax):
    write_series(tmp_path, syntax=syntax)
    volume = check_facts(tmp_path)
    np.testing.assert_array_equal(values_of(volume), stored() - 1000)


@pytest.mark.parametrize("compressor", ["JPEG2000", "JPEGLS", "JPEG"])
def test_compressed_slices(tmp_path, compressor):
    """As JPEG 2000, JPEG-LS and JPEG lossless, written by GDCM."""
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    packed.mkdir()
    for path in write_series(plain, stored((5, 32, 32), np.uint16)):
        compress(path, packed / path.name, compressor)
    found, expected = read_image(packed), read_image(plain)
    np.testing.assert_array_equal(found.array, expected.array)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-5)


def compress(path, target, compressor):
    image = sitk.ReadImage(str(path))
    stored_image = sitk.GetImageFromArray((sitk.GetArrayFromImage(image) + 1000).astype(np.uint16))
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(target))
    writer.SetCompressor(compressor)
    writer.UseCompressionOn()
    writer.Execute(stored_image)
    packed, plain = pydicom.dcmread(target), pydicom.dcmread(path)
    assert packed.file_meta.TransferSyntaxUID.is_compressed
    syntax = packed.file_meta.TransferSyntaxUID
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
                    "PixelRepresentation"):  # fmt: skip
        setattr(plain, keyword, packed.get(keyword))
    plain.PixelData = packed.PixelData
    plain["PixelData"].is_undefined_length = True
    plain["PixelData"].VR = "OB"
    save(plain, target, syntax)


def test_a_description_in_another_alphabet(tmp_path):
    write_series(tmp_path, SpecificCharacterSet="ISO_IR 192", SeriesDescription="Schädel 頭部")
    (tags,) = read_image(tmp_path).tags
    assert tags["SeriesDescription"] == "Schädel 頭部"
    assert tags["SeriesNumber"] == "1" and tags["RescaleType"] == "HU"


def test_names_of_files_that_are_not_utf8(tmp_path):
    write_series(tmp_path / "plain")
    odd = tmp_path / "odd"
    odd.mkdir()
    for path in (tmp_path / "plain").iterdir():
        (odd / path.name.replace(".dcm", b"\xe4.dcm".decode(errors="surrogateescape"))).write_bytes(
            path.read_bytes()
        )
    np.testing.assert_array_equal(read_image(odd).array, read_image(tmp_path / "plain").array)


def test_the_axis_of_an_axial_series(tmp_path):
    """By hand, once: +x of DICOM is the patient's left, +y posterior."""
    write_series(tmp_path, axes=AXIAL)
    volume = read_image(tmp_path)
    expected = [[-0.7, 0, 0, 20], [0, -0.8, 0, -10], [0, 0, 2.5, 30], [0, 0, 0, 1]]
    np.testing.assert_allclose(volume.source.affine, expected, atol=1e-9)
    assert volume.source.orientation == "LPS"
