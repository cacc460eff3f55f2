"""What is taken for CT among images of any modality, and clipped: what is no tissue in it."""

import numpy as np
import pytest

from interactivenet.datasets.hounsfield import clipped_channels, is_clipped, looks_like_ct
from interactivenet.datasets.image_checks import image_notes
from interactivenet.imaging.volume import Volume

SHAPE = (120, 120, 4)
RNG = np.random.default_rng(0)
#: from the middle of the image, in halves of its width
RADIUS = np.hypot(*(np.indices(SHAPE[:2]) - 59.5))[..., None].repeat(SHAPE[2], 2) / 59.5
CT, MR, PT, NONE = ({"Modality": "CT"}, {"Modality": "MR"}, {"Modality": "PT"}, {})


def ct(noise=15.0):
    """A body of muscle and fat with a bone, in air."""
    array = np.full(SHAPE, -1000.0)
    array[RADIUS < 0.8], array[RADIUS < 0.7], array[RADIUS < 0.15] = -100, 45, 700
    return np.maximum(np.rint(array + RNG.normal(0, noise, SHAPE)), -1024).astype(np.int16)


def padded(array, value, dtype=np.float32):
    return np.where(RADIUS > 1, value, array).astype(dtype)


def mr(top=1500.0):
    """Magnitudes: none is below zero."""
    return np.abs(np.where(RADIUS < 0.8, 0.4 * top, 0) + RNG.normal(0, 0.1 * top, SHAPE))


@pytest.mark.parametrize("value", [-1025, -2000, -2048, -3024, -32768])
@pytest.mark.parametrize("tags", [CT, NONE])
def test_padding_of_a_ct_is_clipped_whether_or_not_the_file_says_what_it_is(value, tags):
    assert is_clipped(padded(ct(), value), "any", tags)
    assert is_clipped(padded(ct(), value, np.int16), "any", tags)


def test_so_is_metal():
    array = ct().astype(np.float64)
    array[60:64, 60:64] = 12000
    assert is_clipped(array, "any", NONE) and is_clipped(array, "any", CT)


@pytest.mark.parametrize("tags", [CT, NONE])
def test_a_ct_without_them_stays_as_it_is(tags):
    assert looks_like_ct(ct())
    assert not is_clipped(ct(), "any", tags) and not is_clipped(padded(ct(), -1024), "any", tags)
    noisy = ct().astype(np.int16)
    noisy[:8, 0, 0] = -1025 - np.arange(8)  # of 57,600 voxels
    noisy[9, 0, 0] = -1025
    assert not is_clipped(noisy, "any", tags)


def test_a_ct_that_was_resampled_with_its_padding_is_one_still():
    image = padded(ct(), -3024).astype(np.float64)
    blended = (image[:-1, :-1] + image[1:, :-1] + image[:-1, 1:] + image[1:, 1:]) / 4
    assert is_clipped(blended, "any", NONE)


def signed(array):
    """As a difference of two images."""
    return np.rint(array - mr())


@pytest.mark.parametrize(
    "array",
    [
        padded(mr(), -32768),
        padded(mr(4000.0), -1025),
        mr(20000.0),
        padded(mr() / 300 - 2, -32768),  # z-scores
        RNG.uniform(-4096, 4095, SHAPE),  # phase, without and with a mask
        np.where(RADIUS < 0.8, RNG.uniform(-4096, 4095, SHAPE), 0),
        padded(RNG.uniform(-4096, 4095, SHAPE), -32768),
        signed(mr(6000.0)),
        padded(signed(mr(1500.0)), -32768),
        padded(RNG.normal(0, 450, SHAPE), -32768),
        RNG.normal(0, 450, SHAPE) * 4,
        np.full(SHAPE, -32768.0),
        np.full(SHAPE, 5000.0),
        np.full(SHAPE, np.nan),
    ],
)
def test_what_is_no_ct_stays_as_it_is(array):
    assert not is_clipped(array, "any", NONE)
    assert not looks_like_ct(array)


@pytest.mark.parametrize("kind", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("value", [-1000, -1024, -2000, -8192])
def test_a_ct_is_known_by_its_values_whatever_it_is_padded_with(value, kind):
    assert looks_like_ct(padded(ct(), value, kind))


@pytest.mark.parametrize("array", [mr(1200.0), mr(4095.0).astype("uint16"), signed(mr(1000.0))])
def test_an_mr_within_the_range_of_a_ct_is_none(array):
    assert not looks_like_ct(array)


def test_what_a_file_says_it_is_counts():
    for tags in (MR, PT):
        assert not is_clipped(padded(ct(), -32768), "any", tags)
    inside = np.where(RADIUS > 1, -2000, 40).astype(np.int16)  # no air: values cannot tell
    assert is_clipped(inside, "any", CT) and not is_clipped(inside, "any", NONE)
    assert is_clipped(inside, "any", {"Modality": " ct "})


def test_only_images_of_any_modality_are_judged():
    assert not is_clipped(padded(ct(), -32768), "MR", NONE)
    assert not is_clipped(padded(ct(), -32768), "CT", CT)  # these models have rules of their own


def test_a_large_image_is_judged_by_some_of_its_voxels(monkeypatch):
    monkeypatch.setattr("interactivenet.datasets.hounsfield._ENOUGH", 2000)
    for image, clipped in ((padded(ct(), -2000), True), (ct(), False), (padded(mr(), -9), False)):
        assert is_clipped(image, "any", NONE) is clipped


def test_each_channel_is_judged_and_named_where_it_is_clipped():
    array = np.stack([mr(), padded(ct(), -3024), padded(ct(), -1024), padded(mr(), -32768)])
    image = Volume.from_ras(array.astype(np.float32), np.eye(4))
    assert clipped_channels(image, ("any",) * 4) == (False, True, False, False)
    (note,) = image_notes(image, ("mr", "ct", "other ct", "odd mr"), ("any",) * 4)
    highest = array[1].max()
    assert note == (
        f"ct: taken for CT: its values from -3024 to {highest:g} are clipped to -1024..3071 HU"
    )
    named = ("MR", "CT", "CT", "MR")
    assert clipped_channels(image, named) == (False,) * 4
    assert image_notes(image, ("mr", "ct", "other ct", "odd mr"), named) == ()
