"""Real and odd folders: every scan in them can be opened, or is listed with its problem."""

import shutil

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.io import write_volume
from interactivenet.imaging.nifti import check_nifti
from interactivenet.viewer.worklist.found_scans import find_scans
from tests.imaging.written_dicom import stored, write_series
from tests.raw_task import GRID, image_array


def opened(path):
    """Read all scans without a problem; return case -> shape, and the problems."""
    found = find_scans(path).scans
    good = [scan for scan in found if not scan.problem]
    readings = (scan.series for scan in good)
    from interactivenet.imaging.io import ReadOptions

    shapes = {
        f"{scan.place}/{scan.case}": read_channels(
            scan.images, ReadOptions(series=series)
        ).array.shape
        for scan, series in zip(good, readings, strict=True)
    }
    return shapes, [scan.problem for scan in found if scan.problem]


def test_dicom_folders_as_exported(shared_cases):
    shapes, problems = opened(shared_cases("a12_dicom_folders_as_exported"))
    assert len(shapes) == 6 and set(shapes.values()) == {(1, 40, 40, 20)}
    assert len(problems) == 2
    assert any("0099.dcm of 20x20 pixels" in problem for problem in problems)
    assert any("SC.dcm is no scan" in problem for problem in problems)


def test_a_folder_of_dicom_as_a_modality_of_a_case(shared_cases):
    found = find_scans(shared_cases("a13_read_only_import")).scans
    assert [[path.name for path in scan.images] for scan in found] == [
        ["a_0000", "a_0001.nii.gz"], ["b_0000", "b_0001.mhd"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "reason"),
    [("b05_rtdose_beside_ct", "RT Dose"), ("b06_seg_rle_beside_ct", "Segmentation")],
)
def test_what_lies_beside_a_series(shared_cases, case, reason):
    shapes, problems = opened(shared_cases(case))
    assert list(shapes.values()) == [(1, 24, 38, 3)] and len(problems) == 1
    assert problems[0].endswith(f"is no scan: {reason}")


def test_a_multi_frame_file_and_its_folder(shared_cases):
    folder = shared_cases("b11_multiframe")
    for path in (folder, folder / "ct_mf.dcm"):
        shapes, problems = opened(path)
        assert list(shapes.values()) == [(1, 24, 38, 3)] and not problems


def test_real_folders(shared_data):
    shapes, problems = opened(shared_data("dicom"))
    assert shapes["sarcoma_STS_008/PET/image"] == (1, 30, 29, 51)
    assert shapes["brain_mr_oblique/T1post"] == (1, 280, 320, 22)
    assert len(shapes) == 9 and len(problems) == 4
    shapes, problems = opened(shared_data("sarcoma_grid_mismatch"))
    assert len(shapes) == 3 and not problems  # not put together


def test_copies_of_a_series_are_scans_of_their_own(tmp_path):
    write_series(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    write_series(tmp_path / "c", stored(seed=1))  # the same identifiers, but other voxels
    shapes, problems = opened(tmp_path)
    assert sorted(shapes) == ["/a", "/b", "/c"] and not problems


def test_a_series_in_several_folders_is_one_scan(tmp_path):
    files = write_series(tmp_path / "p" / "one")
    (tmp_path / "p" / "two").mkdir()
    for file in files[3:]:
        file.rename(tmp_path / "p" / "two" / file.name)
    shapes, problems = opened(tmp_path)
    assert shapes == {"/p": (1, 6, 4, 5)} and not problems


def test_a_damaged_file_in_a_series(tmp_path):
    files = write_series(tmp_path / "ct")
    files[2].write_bytes(files[2].read_bytes()[:-20])
    shapes, problems = opened(tmp_path)
    assert not shapes and any("cut short" in problem for problem in problems)


def test_links_in_a_circle(tmp_path):
    write_volume(tmp_path / "in" / "a.nii.gz", image_array(), GRID)
    (tmp_path / "in" / "again").symlink_to(tmp_path)
    assert len(find_scans(tmp_path).scans) == 1


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_headers_are_looked_at(tmp_path, name):
    path = tmp_path / name
    write_volume(path, image_array(), GRID)
    check_nifti(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    with pytest.raises(DataError):
        check_nifti(path)
    path.write_bytes(np.zeros(400, np.uint8).tobytes())
    with pytest.raises(DataError, match="not a NIfTI file"):
        check_nifti(path)
