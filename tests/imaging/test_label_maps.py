"""Label maps in the smallest type, with the same bytes for the same input."""

import time

import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import (
    read_image,
    read_label,
    write_label,
    write_label_array,
)
from interactivenet.imaging.volume import Volume
from tests.imaging.grids import AFFINES, SHAPE, SUFFIXES, every_format, voxels, write


@every_format
@pytest.mark.parametrize(
    ("largest", "dtype"),
    [(0, "u1"), (1, "u1"), (255, "u1"), (256, "u2"), (65535, "u2"), (65536, "u4")],
)
@pytest.mark.parametrize("given", [np.int64, np.float32])
def test_label_map_takes_the_smallest_unsigned_type(tmp_path, suffix, largest, dtype, given):
    path = tmp_path / f"label{suffix}"
    label = np.zeros(SHAPE, given)
    label[1, 2, 3] = largest
    write_label_array(path, label, Geometry(SHAPE, AFFINES["ras"]))
    image = sitk.ReadImage(str(path))  # as another program finds it
    assert sitk.GetArrayFromImage(image).dtype == dtype
    assert image.GetPixel(1, 2, 3) == largest
    read = read_label(path)
    assert read.array.dtype == dtype
    assert read.notes == ()
    np.testing.assert_array_equal(read.array[0], label)


def test_mask_of_truth_values_is_a_label_map(tmp_path):
    path = tmp_path / "label.nii.gz"
    mask = voxels() > 0
    write_label_array(path, mask, Geometry(SHAPE, AFFINES["ras"]))
    np.testing.assert_array_equal(read_label(path).array[0], mask)


@every_format
def test_signed_label_file_is_read_as_the_smallest_unsigned_type(tmp_path, suffix):
    path = tmp_path / f"label{suffix}"
    write(path, np.full(SHAPE, 300, np.int32), AFFINES["pir"])
    assert read_label(path).array.dtype == np.uint16


@every_format
def test_same_input_gives_the_same_bytes_at_any_time(tmp_path, suffix, monkeypatch):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    write(first, voxels(), AFFINES["oblique"])
    later = time.time() + 1e6
    monkeypatch.setattr(time, "time", lambda: later)
    write(second, voxels(), AFFINES["oblique"])
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_holds_no_date(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write(path, voxels(), AFFINES["oblique"])
    assert time.strftime("%Y-").encode() not in path.read_bytes()


def test_writing_replaces_the_file_that_was_there(tmp_path):
    path = tmp_path / "image.nii.gz"
    path.write_text("old")
    write(path, voxels(), AFFINES["ras"])
    assert read_image(path).shape == SHAPE
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((3, 4, 5), -1, np.int16), "no negative values, got -1"),
        (np.full((3, 4, 5), 0.5), "whole numbers, got fractions"),
        (np.full((3, 4, 5), np.nan), "whole numbers, got fractions"),
    ],
)
def test_what_is_no_label_map_is_not_written(tmp_path, values, message):
    path = tmp_path / "label.nii.gz"
    with pytest.raises(DataError, match=message):
        write_label_array(path, values, Geometry((3, 4, 5), np.eye(4)))
    assert not path.exists()


@every_format
def test_a_label_map_that_was_read_is_written_back(tmp_path, suffix):
    """On a grid with its axes permuted, flipped and oblique: what comes back is what was read."""
    for number, affine in enumerate(AFFINES.values()):
        path, again = tmp_path / f"{number}{suffix}", tmp_path / f"{number}_again{suffix}"
        write(path, voxels().astype(np.uint8), affine)
        label = read_label(path)
        write_label(again, label)
        restored = read_label(again)
        assert np.array_equal(restored.array, label.array)
        assert restored.source.is_same_lattice(label.source)
        assert np.array_equal(restored.stored, label.stored)


def test_several_channels_are_no_label_map(tmp_path):
    label = Volume.from_ras(np.zeros((2, 3, 4, 5), np.uint8), np.eye(4))
    with pytest.raises(DataError, match="label map has one channel, got 2"):
        write_label(tmp_path / "label.nii.gz", label)
    assert list(tmp_path.iterdir()) == []
