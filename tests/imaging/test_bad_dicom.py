"""DICOM folders that are not one whole series."""

import shutil
from pathlib import Path

import pytest
import SimpleITK as sitk

from tests.imaging.spoiled_files import (
    refusal,
)

SERIES = "dicom/sarcoma_STS_008/MR_T1/image"


def copied(source, target):
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    return target


def by_place(folder):
    """The files of a series in the order of their slices."""
    return [Path(name) for name in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))]


def test_single_dicom_file_is_refused_with_advice(tmp_path):
    (tmp_path / "slice.dcm").write_bytes(b"x")
    assert "expected the folder of its series" in refusal(tmp_path / "slice.dcm")


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
    assert "missing" in message


def test_series_with_a_repeated_slice_is_refused(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    shutil.copyfile(by_place(folder)[5], folder / "again.dcm")
    message = refusal(folder)
    assert "29 DICOM slices that are not evenly spaced" in message and "repeated" in message


def test_single_slice_is_refused(shared_data, tmp_path):
    shutil.copyfile(by_place(shared_data(SERIES))[0], tmp_path / "slice.dcm")
    assert refusal(tmp_path) == "holds a single DICOM slice, expected a 3D series"


def test_truncated_slice_is_refused(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    file = by_place(folder)[5]
    file.write_bytes(file.read_bytes()[:-1000])
    refusal(folder)


def test_folder_of_two_series_is_refused(shared_data, tmp_path):
    folder = copied(shared_data(SERIES), tmp_path / "series")
    for file in by_place(shared_data("dicom/dicom_seg/ct")):
        shutil.copyfile(file, folder / f"ct_{file.name}")
    message = refusal(folder)
    assert "holds 2 DICOM series" in message and "expected one per folder" in message
