"""A scanned series, and results on it: what the tests of exports share."""

import pytest

from interactivenet.imaging.io import read_image, write_volume
from tests.inference.exporting.exported_results import VOXELS, make_series
from tests.inference.exporting.segmented_cases import segment


@pytest.fixture
def scan(tmp_path):
    return make_series(tmp_path / "scans" / "a")


@pytest.fixture
def results(tmp_path, scan):
    """Two objects, of two labels."""
    return segment(tmp_path / "out", "a", [scan], 2, 1)


@pytest.fixture
def converted(tmp_path, scan):
    """A case that was segmented from NIfTI, and the tree that it was made from."""
    image = read_image(scan)
    write_volume(tmp_path / "a.nii.gz", image.array[0], image.source)
    make_series(scan.parent / "other", VOXELS[::-1], series=2)
    return segment(tmp_path / "out", "a", [tmp_path / "a.nii.gz"], 1)
