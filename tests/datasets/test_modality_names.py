"""What scans are called of which nobody has said the modality."""

import numpy as np
import pytest

from interactivenet.datasets.modality_names import modality_names
from interactivenet.imaging.volume import Volume
from tests.raw_task import GRID


def body(seed=0):
    """Hounsfield units: air around soft tissue."""
    values = np.full(GRID.ras.shape, -1000, np.int16)
    values[4:16, 4:14, 3:13] = 40
    return values + np.random.default_rng(seed).integers(-20, 20, values.shape).astype(np.int16)


def volume(*arrays, tags=()):
    return Volume.from_stored(np.stack([GRID.from_ras(a) for a in arrays]), GRID, tags=tags)


@pytest.mark.parametrize(
    ("tag", "file", "name"),
    [
        ("PT", "scan_0000.nii.gz", "PT"), ("", "STS_019_MR_T1.nii.gz", "MR"), ("", "x", "CT"),
        ("", "brain_flair.nii", "MR"), ("", "mr_ct.nii", "CT"),
    ],
)  # fmt: skip
def test_header_then_name_then_values(tag, file, name):
    assert modality_names(volume(body(), tags=[{"Modality": tag}]), [file]) == (name,)


def test_nothing_is_known():
    noise = np.abs(body()) % 97
    assert modality_names(volume(noise), ["hippocampus_001.nii.gz"]) == ("image",)


def test_no_two_are_the_same():
    noise = np.abs(body()) % 97
    found = modality_names(volume(noise, body(), noise), ["a_0000.nii", "a_0001.nii", "a_0002.nii"])
    assert found == ("image_1", "CT", "image_2")
