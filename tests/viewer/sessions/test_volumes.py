"""Volumes as the page gets them, and what it shows of their values at first."""

import numpy as np
import pytest

from interactivenet.viewer.sessions.volumes import nifti_bytes, window_of
from tests.viewer.serving import GRID, nifti


@pytest.mark.parametrize(
    "kind", ["bool", "uint8", "int16", "uint16", "float32", "float64", "int64"]
)
def test_values_and_place_are_those_of_the_scan(kind):
    array = np.random.default_rng(0).integers(0, 2, GRID.ras.shape).astype(kind)
    sent = nifti(nifti_bytes(array, GRID))
    np.testing.assert_array_equal(GRID.to_ras(np.asarray(sent.dataobj)), array)
    np.testing.assert_allclose(sent.affine, GRID.affine, atol=1e-4)
    sform, code = sent.get_sform(coded=True)
    qform, other = sent.get_qform(coded=True)
    assert code == other == 1
    np.testing.assert_allclose(sform, qform, atol=1e-4)  # whoever reads either, reads the same
    assert sent.get_data_dtype().itemsize <= 4  # the graphics card has no more


def test_the_window_leaves_out_what_is_rare():
    array = np.zeros((50, 50, 50), np.float32)
    array[10:40, 10:40, 10:40] = np.random.default_rng(0).normal(500, 50, (30, 30, 30))
    array[12, 12, 12] = 1e6
    low, high = window_of(array, is_ct=False)
    assert 350 < low < 450 and 550 < high < 650
    assert window_of(array, is_ct=True) == (-160, 240)


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_of_one_value_has_a_window_too(value):
    low, high = window_of(np.full((4, 4, 4), value), is_ct=False)
    assert low < high
