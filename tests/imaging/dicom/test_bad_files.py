"""DICOM folders that are not one whole series, and files that are not whole."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from interactivenet.imaging.io import ReadOptions, read_image
from tests.imaging.spoiled_files import refusal
from tests.imaging.written_dicom import stored, values_of, write_frames, write_series, write_slice

SERIES = "dicom/sarcoma_STS_008/MR_T1/image"


def copied(source, target):
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    return target


def by_place(folder):
    """The files of a series in the order of their slices."""
    return [Path(name) for name in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))]


def test_single_dicom_file_is_refused_with_advice(shared_data):
    assert "expected the folder of its series" in refusal(by_place(shared_data(SERIES))[0])


def test_a_file_that_is_dicom_by_name_only(tmp_path):
    (tmp_path / "slice.dcm").write_bytes(b"x")
    assert refusal(tmp_path / "slice.dcm") == "is no DICOM file"


def test_empty_folder_is_refused(tmp_path):
    assert refusal(tmp_path) == "holds no DICOM series"


def test_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    assert refusal(tmp_path) == "holds no DICOM series"


@pytest.mark.parametrize("missing", [1, 14, -2])
def test_series_without_one_slice_is_refused(shared_data, tmp_path, missing):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    by_place(folder)[missing].unlink()
    message = refusal(folder)
    assert "27 DICOM slices that are not evenly spaced (3.27 to 6.54 mm apart)" in message
    assert "1 missing, 1 between 0000" in message and "(z = -" in message


def test_a_repeated_slice_is_taken_once(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    shutil.copyfile(by_place(folder)[5], folder / "again.dcm")
    volume = read_image(folder)
    np.testing.assert_array_equal(volume.array, read_image(shared_data(SERIES)).array)
    assert volume.notes == ("1 of its files are copies of others, taken once: again.dcm",)


def test_single_slice_is_refused(shared_data, tmp_path):
    shutil.copyfile(by_place(shared_data(SERIES))[0], tmp_path / "slice.dcm")
    assert refusal(tmp_path) == "holds a single DICOM slice, expected a 3D series"


def test_folder_of_two_series_is_refused(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    for file in by_place(shared_data("dicom/dicom_seg/ct")):
        shutil.copyfile(file, folder / f"ct_{file.name}")
    message = refusal(folder)
    assert "holds 2 DICOM series: 7350036 'IBSI_1_STS_008_MR_T1_image' (MR, 28 slices" in message
    assert "2 (CT, 3 slices of 512x512)" in message
    ct = read_image(folder, ReadOptions(series="2"))
    np.testing.assert_array_equal(ct.array, read_image(shared_data("dicom/dicom_seg/ct")).array)


# --- files that were cut short ------------------------------------------------------------------

SYNTAXES = [
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]  # fmt: skip


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("size", [0, 50, 132, 140, 200, 400, 600, 800, -239, -100, -1])
def test_a_file_that_was_cut_short_is_named(tmp_path, place, size):
    """Anywhere in the stack, anywhere in the file; at the ends of a stack nothing else tells."""
    file = write_series(tmp_path)[place]
    content = file.read_bytes()
    file.write_bytes(content[:size])
    message = refusal(tmp_path)
    assert file.name in message
    assert "cut short" in message or "pixel data" in message or "cannot be read" in message


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pixel_data_that_end_with_the_file_are_named(tmp_path, syntax):
    file = write_series(tmp_path, stored((5, 40, 60)), syntax=syntax)[4]
    file.write_bytes(file.read_bytes()[:-200])
    assert f"{file.name}" in refusal(tmp_path)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_too_little_pixel_data_are_named(tmp_path, syntax):
    """The file is whole, but its header asks for more: ITK reads what lies in memory behind it."""
    file = write_series(tmp_path, syntax=syntax)[4]
    dataset = pydicom.dcmread(file)
    dataset.PixelData = dataset.PixelData[:20]
    dataset.save_as(file)
    message = refusal(tmp_path)
    assert f"holds {file.name}, which has 20 bytes of pixel data, expected 48" in message


def test_more_pixel_data_than_needed_are_taken(tmp_path):
    file = write_series(tmp_path)[4]
    dataset = pydicom.dcmread(file)
    dataset.PixelData += b"\0\0"
    dataset.save_as(file)
    np.testing.assert_array_equal(values_of(read_image(tmp_path)), stored() - 1000)


@pytest.mark.parametrize("left", [-2, -9, -40])
def test_compressed_pixel_data_that_were_cut_short_are_named(tmp_path, left):
    file = write_series(tmp_path)[0]
    dataset = pydicom.dcmread(file)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(file)
    file.write_bytes(file.read_bytes()[:left])
    assert f"holds {file.name}, which ends within its pixel data: it was cut short" in refusal(
        tmp_path
    )


def test_frames_that_were_cut_short_are_named(tmp_path):
    path = write_frames(tmp_path / "IM1", stored())
    path.write_bytes(path.read_bytes()[:-7])
    assert "IM1, which has 233 bytes of pixel data, expected 240: it was cut" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 500])
@pytest.mark.parametrize("name", ["004.dcm", "IM0004", "1.2.840.4"])
def test_a_file_without_content_is_named(tmp_path, content, name):
    """What is left of a transfer that ended at once, at the end of the stack."""
    pattern = name.replace("004", "{:03d}") if "004" in name else "1.2.840.{}"
    files = write_series(tmp_path, name=pattern)
    files[4].write_bytes(content)
    message = refusal(tmp_path)
    assert f"{files[4].name} is no DICOM file ({len(content)} bytes): was it cut short?" in message


def test_other_files_without_content_do_not_matter(tmp_path):
    write_series(tmp_path, name="IM{:03d}")
    for name in ("LOCKFILE", "VERSION", "thumbs.db", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "report.pdf").write_bytes(b"%PDF" + bytes(500))
    assert not read_image(tmp_path).notes


def test_a_lost_file_of_another_folder_does_not_matter_to_a_chosen_series(tmp_path):
    write_series(tmp_path / "one", series=1)
    write_series(tmp_path / "two", series=2)[4].write_bytes(b"")
    assert "004.dcm is no DICOM file" in refusal(tmp_path)
    assert read_image(tmp_path, ReadOptions(series="1")).shape[2] == 5
    assert "004.dcm" in refusal(tmp_path, lambda p: read_image(p, ReadOptions(series="2")))


def test_a_real_series_whose_last_file_was_cut_short(shared_data, tmp_path):
    for size in (300, 3000, -1000):
        folder = copied(shared_data(SERIES), tmp_path / f"series{size}")
        file = by_place(folder)[-1]
        file.write_bytes(file.read_bytes()[:size])
        assert file.name in refusal(folder)


# --- files that are damaged otherwise -----------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"ImagePositionPatient": None}, "has no ImagePositionPatient: its position is unknown"),
        ({"ImageOrientationPatient": None}, "has no ImageOrientationPatient"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "ImageOrientationPatient that is none"),
        ({"PixelSpacing": None}, "has no PixelSpacing: the size of its pixels is unknown"),
        ({"PixelSpacing": [0, 1]}, "has a PixelSpacing of 0, 1 mm, expected more than 0"),
    ],
)
def test_a_slice_without_a_place_is_named(tmp_path, elements, reason):
    write_series(tmp_path)
    write_slice(tmp_path / "004.dcm", stored()[4], 4, **elements)
    message = refusal(tmp_path)
    assert "holds 004.dcm, which has" in message and reason in message


def test_a_scale_that_is_no_number_is_named(tmp_path):
    file = write_series(tmp_path, slope="1.5")[4]
    file.write_bytes(file.read_bytes().replace(b"1.5 ", b"1,5 "))
    assert "004.dcm, which has a RescaleSlope of '1,5', expected a number" in refusal(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_damage_never_ends_in_an_unexpected_error(tmp_path):
    """Read as before, or refused in one line: nothing else, whatever bytes are changed."""
    file = write_series(tmp_path)[4]
    content = file.read_bytes()
    random = np.random.default_rng(1)
    for _ in range(60):
        changed = bytearray(content)
        for position in random.integers(128, len(content) - 240, 3):
            changed[position] = random.integers(256)
        file.write_bytes(bytes(changed))
        try:
            read_image(tmp_path)
        except Exception:
            refusal(tmp_path)


def test_a_huge_length_in_a_header_is_refused(tmp_path):
    file = write_series(tmp_path)[4]
    content = file.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00OW")
    file.write_bytes(content[: start + 8] + struct.pack("<I", 2**31) + content[start + 12 :])
    assert "004.dcm, which has 240 bytes of pixel data" in refusal(tmp_path) or "004.dcm" in (
        refusal(tmp_path)
    )


def test_nothing_is_printed(tmp_path, capfd):
    for file in write_series(tmp_path)[::2]:
        dataset = pydicom.dcmread(file)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.PixelData = dataset.PixelData[:-30] + bytes(30)
        dataset.save_as(file)
    refusal(tmp_path)
    out, err = capfd.readouterr()
    assert not out and not err
