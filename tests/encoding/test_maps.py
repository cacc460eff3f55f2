import json
from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactivenet.encoding import Encoding, encode_extent, encode_prompts, geodesic_distance
from interactivenet.errors import DataError
from tests.encoding.cases import spacings, volumes

ONE = (1.0, 1.0, 1.0)


def nearest_seed(seeds, spacing):
    """Distance from the nearest seed, mm, one seed after the other."""
    at = np.moveaxis(np.indices(seeds.shape), 0, -1) * np.asarray(spacing)
    return np.min([np.linalg.norm(at - at[tuple(seed)], axis=-1) for seed in np.argwhere(seeds)], 0)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(volumes(longest=6), spacings, st.sampled_from([0.5, 3.0, 10.0]))
def test_euclidean_and_gaussian_are_those_of_the_nearest_point(volume, spacing, sigma):
    image, seeds = volume
    seeds.flat[50:] = False
    seeds.flat[0] = True
    distance = nearest_seed(seeds, spacing)
    for kind, expected in (
        ("euclidean", np.exp(-distance / sigma)),
        ("gaussian", np.exp(-(distance**2) / (2 * sigma**2))),
    ):
        encoded = encode_prompts(image, seeds, spacing, Encoding(kind=kind, sigma_mm=sigma))
        assert encoded.dtype == np.float32 and encoded.shape == seeds.shape
        np.testing.assert_allclose(encoded, expected, atol=1e-6)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(volumes(), spacings, st.sampled_from(["exact", "scan"]), st.sampled_from([None, 1.0]))
def test_geodesic_is_exponentialised(volume, spacing, kernel, bound):
    image, seeds = volume
    encoding = Encoding(kernel=kernel, lamb=0.8, iterations=2, bound=bound)
    encoded = encode_prompts(image, seeds, spacing, encoding)
    distance = geodesic_distance(
        image, seeds, spacing, kernel=kernel, lamb=0.8, iterations=2, bound=bound
    )
    assert encoded.dtype == np.float32 and np.array_equal(encoded, np.exp(-distance))
    assert (encoded[seeds] == 1).all() and encoded.min() >= 0
    assert bound is None or not ((encoded > 0) & (encoded < np.float32(np.exp(-1.0001)))).any()


def test_every_field_of_the_settings_counts():
    rng = np.random.default_rng(0)
    image = rng.standard_normal((12, 11, 10)).astype(np.float32)
    seeds = np.zeros(image.shape, dtype=bool)
    seeds[3, 4, 5] = True
    maps = [
        encode_prompts(image, seeds, ONE, encoding)
        for encoding in (
            Encoding(),
            Encoding(lamb=0.5),
            Encoding(bound=1.0),
            Encoding(kernel="scan"),
            Encoding(kernel="scan", iterations=1),
            Encoding(metric="gradient"),
            Encoding(metric="gradient", weight=0.5),
            Encoding(metric="gradient", contrast=2.0),
            Encoding(kind="euclidean"),
            Encoding(kind="euclidean", sigma_mm=5.0),
            Encoding(kind="gaussian"),
        )
    ]
    for i, encoded in enumerate(maps):
        assert not any(np.array_equal(encoded, earlier) for earlier in maps[:i]), i


def test_the_settings_are_plain():
    encoding = Encoding(kind="gaussian", bound=7.0)
    assert Encoding(**json.loads(json.dumps(asdict(encoding)))) == encoding
    with pytest.raises(FrozenInstanceError):
        encoding.kind = "geodesic"


@pytest.mark.parametrize("kind", ["geodesic", "euclidean", "gaussian"])
def test_unusable_data(kind):
    image, seeds = np.zeros((4, 5, 6), np.float32), np.ones((4, 5, 6), bool)
    encoding = Encoding(kind=kind)
    for bad, message in (
        ((image, ~seeds, ONE), "no voxel that is True"),
        ((image, seeds[1:], ONE), "seeds must have the image's shape"),
        ((image, seeds.astype(int), ONE), "seeds must be"),
        ((image, seeds, (1, -1, 1)), "spacing must be three positive numbers"),
    ):
        with pytest.raises(DataError, match=message):
            encode_prompts(*bad, encoding)


def test_settings_out_of_range():
    image, seeds = np.zeros((4, 5, 6), np.float32), np.ones((4, 5, 6), bool)
    with pytest.raises(ValueError, match="kind must be one of"):
        encode_prompts(image, seeds, ONE, Encoding(kind="hyperbolic"))
    with pytest.raises(ValueError, match=r"sigma_mm must be above 0, got 0\.0"):
        encode_prompts(image, seeds, ONE, Encoding(kind="gaussian", sigma_mm=0.0))


def test_no_map_is_empty():
    image = np.random.default_rng(0).normal(size=(2, 4, 5, 6)).astype(np.float32)
    seeds = np.zeros((4, 5, 6), bool)
    seeds[1, 2, 3] = True
    for channels in (image, image[0]):
        encoded = encode_prompts(channels, seeds, (1.0, 1.0, 1.0), Encoding(kind="none"))
        assert encoded.shape == seeds.shape and encoded.dtype == np.float32 and not encoded.any()


def test_the_extent_is_an_ellipsoid_through_the_points():
    points = np.array([[2, 10, 8], [18, 10, 8], [10, 4, 8], [10, 16, 8], [10, 10, 5], [10, 10, 11]])
    encoded = encode_extent(points, (21, 21, 17))
    assert encoded.shape == (21, 21, 17) and encoded.dtype == np.float32
    assert (
        encoded.argmax() == np.ravel_multi_index((10, 10, 8), encoded.shape) and encoded.max() == 1
    )
    # half a voxel beyond each point the value is 1/2: a voxel has an extent
    for axis, half in enumerate((8.5, 6.5, 3.5)):
        line = np.moveaxis(encoded, axis, 0)[(slice(None), *np.delete([10, 10, 8], axis))]
        distance = abs(np.arange(len(line)) - (10, 10, 8)[axis])
        np.testing.assert_allclose(line, 2.0 ** -((distance / half) ** 2), rtol=1e-5)
    moved = encode_extent(points + np.array([1, 0, 2]), (30, 21, 25))
    np.testing.assert_allclose(moved[1:22, :, 2:19], encoded, rtol=1e-5)
    point = encode_extent([[3, 3, 3]], (7, 7, 7))
    assert point.max() == 1 and np.isfinite(point).all()
