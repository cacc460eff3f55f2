"""What large scans cost: the same values as the plain way, to the bit, with few copies."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from interactivenet.imaging.interpolation import interpolate_at
from interactivenet.imaging.resampling import resample, resampling_values, restore_box
from interactivenet.planning.plan import Normalisation
from interactivenet.preprocessing.normalising import foreground_moments, normalise
from interactivenet.preprocessing.object_region import cut_object_region, smooth
from interactivenet.preprocessing.region import make_region
from tests.preprocessing.object_plans import object_plan
from tests.sample_cases import make_plan, make_scan, stored_grid


def plain_along(values, axis, positions):
    last = values.shape[axis] - 1
    at = positions.clip(0, last)
    lower = np.minimum(np.floor(at).astype(int), max(last - 1, 0))
    weight = (at - lower).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
    first, second = values.take(lower, axis), values.take(np.minimum(lower + 1, last), axis)
    return first + weight * (second - first)


def peak_of(work):
    """The most bytes that a call holds beside what was there before."""
    tracemalloc.start()
    try:
        result = work()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("block", [1, 500, 2**22])
def test_interpolation_in_blocks_is_that_of_the_whole(monkeypatch, block):
    monkeypatch.setattr("interactivenet.imaging.interpolation._BLOCK", block)
    values = np.random.default_rng(0).normal(size=(9, 7, 5)).astype(np.float32)
    at = [np.linspace(-0.7, n + 0.3, m) for n, m in zip(values.shape, (30, 7, 12), strict=True)]
    expected = values
    for axis in (1, 2, 0):  # by how much they grow
        expected = plain_along(expected, axis, at[axis])
    assert np.array_equal(interpolate_at(values, at), expected)
    half = interpolate_at(values, at, dtype=np.float16)
    assert half.dtype == np.float16 and np.array_equal(half, expected.astype(np.float16))


@pytest.mark.parametrize("nearest", [True, False])
def test_restored_values_are_rounded_once(nearest):
    values = np.random.default_rng(0).random((1, 12, 10, 8), np.float32)
    arguments = (values, (1, 0, 2), (16, 10, 12), (23, 10, 31))
    whole, first = restore_box(*arguments, nearest=nearest)
    half, again = restore_box(*arguments, nearest=nearest, dtype=np.float16)
    assert np.array_equal(half, whole.astype(np.float16)) and first.tolist() == again.tolist()
    if not nearest:
        at = ((np.arange(23) + 0.5) * (16 / 23) - 0.5)[:, None]
        inside = at[(at >= 0.5) & (at < 12.5)] - 1
        below = np.minimum(inside.clip(0, 11).astype(int), 10)
        share = (inside.clip(0, 11) - below).astype(np.float32)[:, None, None]
        one = values[0].take(below, 0) * (1 - share) + values[0].take(below + 1, 0) * share
        same = restore_box(one[:, :, :], (0, 0, 2), (len(one), 10, 12), (len(one), 10, 31))[0]
        assert np.array_equal(whole[0], same)


@pytest.mark.parametrize("count", [1, 7, 129, 70_001, 300_000])
def test_moments_are_those_of_a_float64_copy(count):
    rng = np.random.default_rng(count)
    values = rng.normal(300, 40, (count + 20) // 10 * 10).astype(np.float32).reshape(-1, 2, 5)
    values[rng.random(values.shape) < 0.1] = 0
    foreground = values[values != 0].astype(np.float64)
    moments = foreground_moments(values)
    assert moments == (foreground.mean(), foreground.std())
    expected = ((values - foreground.mean()) / foreground.std()).astype(np.float32)
    assert np.array_equal(normalise(values, values, Normalisation("zscore")), expected)


def test_an_image_of_zeros_stays():
    values = np.zeros((3, 3, 3), np.float32)
    assert foreground_moments(values) is None
    assert not normalise(values, values, Normalisation("zscore")).any()


def test_ct_is_normalised_in_place_as_by_a_copy():
    values = np.random.default_rng(0).normal(0, 500, (6, 7, 8)).astype(np.float32)
    expected = (np.clip(values, -200.0, 300.0) - 51.3) / 77.7
    assert normalise(values, values, Normalisation("ct", -200.0, 300.0, 51.3, 77.7)) is values
    assert np.array_equal(values, expected)


def test_filtering_in_place_is_filtering_a_copy():
    values = np.random.default_rng(0).normal(size=(20, 21, 22)).astype(np.float32)
    expected = values
    for axis, ratio in enumerate((4.0, 2.0, 3.0)):
        deviation = np.sqrt(ratio**2 - 1) / (2 * np.sqrt(2 * np.log(2)))
        expected = gaussian_filter1d(expected, deviation, axis, mode="nearest", truncate=3.0)
    smooth(values, np.array([4.0, 2.0, 3.0]))
    assert np.array_equal(values, expected)


def test_resampling_holds_what_it_says():
    values = np.random.default_rng(0).random((64, 72, 80), np.float32)
    resample(values, (32, 60, 100))  # its matrices are kept
    held, result = peak_of(lambda: resample(values, (32, 60, 100)))
    said = 4 * resampling_values(values.shape, (32, 60, 100)) - values.nbytes
    rows = 4 * 32 * 60 * 32  # of the last axis, that many at once
    assert result.nbytes < held < said + rows + 20_000


def test_a_scan_is_held_once_while_its_region_is_cut():
    source = stored_grid((128, 128, 128), (1.0, 1.0, 1.0), flips=(-1, -1, 1))
    image = np.random.default_rng(0).normal(0, 300, (1, 128, 128, 128)).astype(np.int16)
    scan = replace(make_scan(source, image=image, radii=(60, 60, 60)), label=None)
    (prompt,), whole = scan.prompts, 4 * 128**3
    zscore = make_plan((1.5, 1.5, 1.5), normalisation=(Normalisation("zscore"),))
    make_region(scan, prompt, zscore)
    held, region = peak_of(lambda: make_region(scan, prompt, zscore))
    # in float32, and what it becomes between the axes and at the end
    assert held < 1.1 * (whole + 4 * (2 / 3 + 4 / 9 + 8 / 27) * 128**3)
    assert region.image.dtype == np.float32
    cut_object_region(scan.image.array, None, scan.image.grid, prompt, object_plan(16), [True])
    held, _ = peak_of(
        lambda: cut_object_region(
            scan.image.array, None, scan.image.grid, prompt, object_plan(16), [True]
        )
    )
    assert held < 1.6 * whole
