"""Label maps whose values are no labels."""

import numpy as np
import pytest

from interactivenet.imaging.io import read_label
from tests.imaging.spoiled_files import every_format, refusal, voxels, write


@every_format
def test_fractional_labels_are_refused(tmp_path, suffix):
    path = tmp_path / f"label{suffix}"
    array = voxels(np.float32)
    array[1, 2, 3] = 1.5
    write(path, array)
    assert refusal(path, read_label) == "holds label values that are not whole numbers, such as 1.5"


@every_format
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_negative_labels_are_refused(tmp_path, suffix, dtype):
    path = tmp_path / f"label{suffix}"
    array = voxels(dtype)
    array[1, 2, 3] = -2
    write(path, array)
    assert refusal(path, read_label) == "holds the negative label value -2, expected 0 or more"


@every_format
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_labels_stored_as_fractions_are_read_and_noted(tmp_path, suffix, dtype):
    path = tmp_path / f"label{suffix}"
    write(path, voxels(dtype))
    label = read_label(path)
    assert label.array.dtype == np.uint8
    np.testing.assert_array_equal(label.source.from_ras(label.array[0]), voxels())
    assert f"labels are stored as {np.dtype(dtype)}, read as whole numbers" in label.notes


def test_label_beyond_every_whole_number_type_is_refused(tmp_path):
    path = tmp_path / "label.nii"
    array = voxels(np.float32)
    array[1, 2, 3] = 1e30
    write(path, array)
    assert "1e+30" in refusal(path, read_label)
