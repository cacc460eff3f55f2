import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from interactivenet.encoding import geodesic_distance
from interactivenet.errors import DataError, RequestError
from tests.encoding import reference
from tests.encoding.cases import spacings, volumes

ONE = (1.0, 1.0, 1.0)
lambs = st.sampled_from([0.0, 0.3, 0.9, 1.0])


def off(distance, expected):
    """Largest difference of exp(-G)."""
    return np.abs(np.exp(-distance.astype(np.float64)) - np.exp(-expected)).max()


def smooth_image(shape, spacing, seed=0):
    """An image and seeds at fixed places in space, whatever the grid."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(0, 0.15, (6, 3))
    at = np.moveaxis(np.indices(shape), 0, -1) * spacing
    image = np.cos(at @ waves.T + rng.uniform(0, 6, 6)).sum(-1).astype(np.float32)
    seeds = np.zeros(shape, dtype=bool)
    for point in ((4, 6, 8), (20, 16, 12)):
        seeds[tuple(np.rint(np.divide(point, spacing)).astype(int))] = True
    return image, seeds


@settings(derandomize=True, deadline=None, max_examples=300)
@given(volumes(), spacings, lambs, st.sampled_from([None, 0.05, 0.7, 3.0]))
def test_exact_is_dijkstra(volume, spacing, lamb, bound):
    image, seeds = volume
    distance = geodesic_distance(image, seeds, spacing, lamb=lamb, bound=bound)
    expected = reference.shortest_paths(image, seeds, spacing, reference.geodistk_metric(lamb))
    check_against(distance, expected, bound)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    volumes(),
    spacings,
    st.sampled_from([0.0, 0.2, 0.95, 1.0]),
    st.sampled_from([0.0, 1.0, 3.0]),
    st.sampled_from([None, 0.05, 0.7, 3.0]),
)
def test_exact_is_dijkstra_for_the_gradient_metric(volume, spacing, weight, contrast, bound):
    image, seeds = volume
    distance = geodesic_distance(
        image, seeds, spacing, metric="gradient", weight=weight, contrast=contrast, bound=bound
    )
    cost = reference.gradient_metric(weight, contrast)
    check_against(distance, reference.shortest_paths(image, seeds, spacing, cost), bound)


def check_against(distance, expected, bound):
    assert distance.dtype == np.float32 and distance.shape == expected.shape
    if bound is None:
        assert off(distance, expected) < 1e-6
        return
    near = np.abs(expected - bound) < 1e-4 * bound  # on either side of it, by rounding
    inside = (expected < bound) & ~near
    assert (distance[(expected >= bound) & ~near] == np.inf).all()
    assert not inside.any() or off(distance[inside], expected[inside]) < 1e-6


def test_exact_on_a_larger_volume():
    image, seeds = smooth_image((40, 33, 70), ONE)
    image += np.random.default_rng(1).normal(0, 0.3, image.shape).astype(np.float32)
    for spacing in ((1, 1, 3), (3, 1, 1), (0.7, 0.7, 0.7)):
        distance = geodesic_distance(image, seeds, spacing)
        cost = reference.geodistk_metric(1.0)
        assert off(distance, reference.shortest_paths(image[None], seeds, spacing, cost)) < 1e-6


@pytest.mark.parametrize("value", [0.0, 1e6])
def test_every_value_is_the_least_of_its_neighbours(value):
    """Where steps cost next to nothing beside the distance, rounding must not keep it going."""
    image = np.zeros((12, 12, 40), dtype=np.float32)
    image[6:] = value
    image[:, 5] += 3
    seeds = np.zeros(image.shape, dtype=bool)
    seeds[0, 0, 0] = True
    distance = geodesic_distance(image, seeds, (1.0, 2.0, 0.5))
    expected = reference.shortest_paths(
        image[None], seeds, (1.0, 2.0, 0.5), reference.geodistk_metric(1.0)
    )
    np.testing.assert_allclose(distance, expected, rtol=1e-5)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(volumes(longest=5), spacings, lambs, st.integers(1, 4))
def test_scan_is_the_raster_scan(volume, spacing, lamb, iterations):
    image, seeds = volume
    image, seeds = image[..., :40], seeds[..., :40]
    seeds[0, 0, 0] = True
    distance = geodesic_distance(
        image, seeds, spacing, kernel="scan", lamb=lamb, iterations=iterations
    )
    cost = reference.geodistk_metric(lamb)
    assert off(distance, reference.raster_scan(image, seeds, spacing, cost, iterations)) < 5e-6


@settings(derandomize=True, deadline=None, max_examples=200)
@given(volumes(longest=14), spacings, lambs, st.integers(1, 4))
def test_scan_is_geodistk(volume, spacing, lamb, iterations):
    pytest.importorskip("GeodisTK", reason="the library that the scan is to reproduce")
    image, seeds = volume
    distance, expected = (
        geodesic_distance(image, seeds, spacing, kernel=kernel, lamb=lamb, iterations=iterations)
        for kernel in ("scan", "geodistk")
    )
    assert off(distance, expected) < 5e-6


def test_scan_on_a_larger_volume_is_geodistk():
    pytest.importorskip("GeodisTK", reason="the library that the scan is to reproduce")
    image, seeds = smooth_image((40, 33, 70), ONE)
    image += np.random.default_rng(1).normal(0, 0.3, image.shape).astype(np.float32)
    for iterations in (1, 2, 4):
        distance, expected = (
            geodesic_distance(image, seeds, (1, 1, 3), kernel=kernel, iterations=iterations)
            for kernel in ("scan", "geodistk")
        )
        assert off(distance, expected) < 5e-6
    assert off(expected, geodesic_distance(image, seeds, (1, 1, 3)).astype(float)) > 0.01


def test_the_gradient_metric_does_not_depend_on_the_grid():
    def off_between_grids(**settings):
        coarse, fine = (
            np.exp(-geodesic_distance(*smooth_image(shape, step), step, **settings))
            for shape, step in (((24, 20, 18), ONE), ((47, 39, 35), (0.5, 0.5, 0.5)))
        )
        return np.abs(coarse - fine[::2, ::2, ::2]).max()

    assert off_between_grids(metric="gradient") < 0.05
    assert off_between_grids(metric="geodistk") > 0.2


def test_input_in_any_memory_layout_is_left_alone():
    image, seeds = smooth_image((24, 20, 18), ONE)
    expected = geodesic_distance(image, seeds, ONE)
    image, seeds = np.asfortranarray(image), np.asfortranarray(seeds)
    image.setflags(write=False)
    assert np.array_equal(geodesic_distance(image, seeds, ONE), expected)
    assert np.array_equal(geodesic_distance(image[None], seeds, ONE), expected)


GOOD = np.zeros((4, 5, 6), dtype=np.float32), np.ones((4, 5, 6), dtype=bool)


@pytest.mark.parametrize("kernel", ["exact", "scan"])
@pytest.mark.parametrize(
    ("image", "seeds", "spacing", "message"),
    [
        (GOOD[0][0], GOOD[1], ONE, "image must have shape"),
        (GOOD[0], GOOD[1][:3], ONE, "seeds must have the image's shape"),
        (GOOD[0][:0], GOOD[1][:0], ONE, "image must have shape"),
        (GOOD[0].astype(float), GOOD[1], ONE, "image must be float32, got float64"),
        (GOOD[0], GOOD[1].astype(np.uint8), ONE, "seeds must be bool, got uint8"),
        (GOOD[0], ~GOOD[1], ONE, "no voxel that is True"),
        (GOOD[0] + np.float32(np.nan), GOOD[1], ONE, "not finite"),
        (GOOD[0] - np.float32(np.inf), GOOD[1], ONE, "not finite"),
        (GOOD[0] + np.float32(2e15), GOOD[1], ONE, "normalise it first"),
        (*GOOD, (1, 1), "spacing must be three positive numbers"),
        (*GOOD, (1, 0, 1), "spacing must be three positive numbers"),
        (*GOOD, (1, np.nan, 1), "spacing must be three positive numbers"),
    ],
)
def test_unusable_data(image, seeds, spacing, message, kernel):
    with pytest.raises(DataError, match=message):
        geodesic_distance(image, seeds, spacing, kernel=kernel)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": "fast"}, "kernel must be one of"),
        ({"metric": "euclidean"}, "metric must be one of"),
        ({"lamb": 1.1}, "lamb must lie in"),
        ({"lamb": float("nan")}, "lamb must lie in"),
        ({"metric": "gradient", "weight": -0.1}, "weight must lie in"),
        ({"metric": "gradient", "contrast": -1}, "contrast must lie in"),
        ({"iterations": 0}, "iterations must be at least 1"),
        ({"bound": 0}, "bound must be positive"),
        ({"kernel": "geodistk", "metric": "gradient"}, "does not have the metric 'gradient'"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        geodesic_distance(*GOOD, ONE, **settings)


@pytest.mark.parametrize("kernel", ["exact", "scan"])
@pytest.mark.parametrize("settings", [{}, {"lamb": 0.5}, {"metric": "gradient", "contrast": 1000}])
def test_the_greatest_intensities_do_not_overflow(kernel, settings):
    image = np.zeros((2, 4, 5, 6), dtype=np.float32)
    image[0, 2:], image[1, 2:] = 1e15, -1e15
    seeds = np.zeros(image.shape[1:], dtype=bool)
    seeds[0, 0, 0] = True
    for channels in (image, image[0]):
        distance = geodesic_distance(channels, seeds, ONE, kernel=kernel, **settings)
        assert np.isfinite(distance).all() and (distance[:2] < 10).all()
        assert (distance[2:] > 1e12).all() or settings == {"lamb": 0.5}


def test_a_missing_geodistk_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "GeodisTK", None)
    with pytest.raises(RequestError, match="GeodisTK, which is not installed"):
        geodesic_distance(*GOOD, ONE, kernel="geodistk")


def test_without_image_contrast_the_distance_is_the_length():
    seeds = np.zeros((9, 10, 11), dtype=bool)
    seeds[4, 5, 6] = True
    distance = geodesic_distance(np.zeros(seeds.shape, np.float32), seeds, (1, 2, 3), lamb=0.0)
    straight = ndimage.distance_transform_edt(~seeds, sampling=(1, 2, 3))
    assert (distance >= straight - 1e-4).all()
    assert np.allclose(distance[:, 5, 6], straight[:, 5, 6])
