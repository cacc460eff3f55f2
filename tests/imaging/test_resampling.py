"""Resampling equals SciPy's, keeps what it can, and knows where its voxels are."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from interactivenet.imaging.geometry import box
from interactivenet.imaging.resampling import (
    new_shape,
    orders_for,
    resample,
    resample_box,
    resample_labels,
    resample_labels_box,
    resampled_geometry,
    restore_box,
)
from interactivenet.imaging.resampling_matrices import CONTEXT
from tests.sample_cases import stored_grid

shapes = st.tuples(*[st.integers(1, 24)] * 3)
seeds = st.integers(0, 1000)


def noise(shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def zoomed(array, shape, order):
    factors = [m / n for m, n in zip(shape, array.shape, strict=True)]
    wide = array.astype(np.float64)
    return ndimage.zoom(wide, factors, order=order, mode="nearest", grid_mode=True)


@given(shapes, shapes, st.sampled_from([1, 3]), seeds)
@settings(max_examples=200)
def test_equal_to_scipy(before, after, order, seed):
    array = noise(before, seed)
    result = resample(array, after, order)
    assert result.dtype == np.float32 and result.shape == after
    assert np.abs(result - zoomed(array, after, order)).max() < 3e-6


def test_long_axes_are_equal_to_scipy_too():
    array = noise((300, 3, 130))
    for shape in ((211, 3, 257), (600, 2, 40), (299, 3, 131)):
        assert np.abs(resample(array, shape) - zoomed(array, shape, 3)).max() < 3e-6


@given(shapes, shapes, seeds)
def test_nearest_takes_a_voxel_that_is_nearest(before, after, seed):
    array = noise(before, seed)
    result = resample(array, after, 0)
    where = []
    for n, m in zip(before, after, strict=True):
        at = (np.arange(m) + 0.5) * n / m - 0.5
        sides = [np.floor(at + near).astype(int) for near in (0.499, 0.501)]
        where.append([side.clip(0, n - 1) for side in sides])
    candidates = [array[np.ix_(*sides)] for sides in itertools.product(*where)]
    assert np.any([result == candidate for candidate in candidates], axis=0).all()


@given(shapes, shapes, st.tuples(*[st.sampled_from([0, 1, 3])] * 3), seeds)
def test_channels_orders_per_axis_constants_and_types(before, after, orders, seed):
    array = noise((2, *before), seed)
    both = resample(array, after, orders)
    for channel in range(2):
        assert np.allclose(both[channel], resample(array[channel], after, orders), atol=1e-6)
    whole = np.full(before, 700, np.int16)
    assert np.allclose(resample(whole, after, orders), 700, rtol=1e-6)
    assert resample(array, before, orders).tobytes() == array.tobytes()  # nothing to do


@given(st.integers(5, 40), st.integers(2, 80))
def test_ramps_stay_ramps(n, m):
    at = (np.arange(m) + 0.5) * n / m - 0.5
    ramp = np.arange(n, dtype=np.float32)[:, None, None] * 3 - 20
    for order, reach in ((1, 0), (3, 8)):
        inside = (at >= reach) & (at <= n - 1 - reach)
        result = resample(ramp, (m, 1, 1), order)[:, 0, 0]
        assert np.allclose(result[inside], 3 * at[inside] - 20, atol=2e-3)


@given(st.integers(0, 6), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), seeds)
@settings(max_examples=150)
def test_cutting_then_resampling_is_resampling_then_cutting(skip, length, up, down, seed):
    """The box starts and ends at edges of the new voxels, so both grids are one."""
    n = down * (2 * skip + length)
    start, stop = down * skip, down * (skip + length)
    array = noise((n, 5, 6), seed)
    shape = (n * up // down, 5, 9)
    for order in (1, 3):
        whole = resample(array, shape, order)
        part = resample_box(array, (start, 0, 0), (stop, 5, 6), (length * up, 5, 9), order)
        first = skip * up
        assert np.abs(part - whole[first : first + length * up]).max() < 2e-6
        # and no more than the context is needed
        low = max(start - CONTEXT, 0)
        near = array[low : stop + CONTEXT]
        again = resample_box(
            near, (start - low, 0, 0), (stop - low, 5, 6), (length * up, 5, 9), order
        )
        assert np.abs(again - part).max() < 2e-6


@given(shapes, shapes, seeds)
@settings(max_examples=150)
def test_restoring_is_linear_interpolation_at_voxel_centres(original, resampled, seed):
    rng = np.random.default_rng(seed)
    whole = noise(resampled, seed)
    start = np.array([rng.integers(0, n) for n in resampled])
    stop = np.array([rng.integers(a + 1, n + 1) for a, n in zip(start, resampled, strict=True)])
    part = whole[box(start, stop)]
    values, first = restore_box(np.stack([part, 1 - part]), start, resampled, original)
    at = [
        (np.arange(a, a + size) + 0.5) * m / n - 0.5 - low
        for a, size, m, n, low in zip(
            first, values.shape[1:], resampled, original, start, strict=True
        )
    ]
    grid = np.stack(np.meshgrid(*at, indexing="ij"))
    for expected_of, value in ((part, values[0]), (1 - part, values[1])):
        expected = ndimage.map_coordinates(expected_of, grid, order=1, mode="nearest")
        assert np.allclose(value, expected, atol=1e-6)
    # just those voxels whose centres lie in the part
    for axis, (a, b) in enumerate(zip(start, stop, strict=True)):
        n, m = original[axis], resampled[axis]
        centres = (np.arange(n) + 0.5) * m / n
        inside = np.flatnonzero((centres >= a) & (centres < b))
        assert values.shape[1 + axis] == len(inside)
        assert not len(inside) or first[axis] == inside[0]


def test_restoring_what_was_not_resampled_is_the_identity():
    part = noise((3, 4, 5))
    values, first = restore_box(part, (2, 0, 7), (9, 4, 12), (9, 4, 12))
    assert values.tobytes() == part.tobytes() and first.tolist() == [2, 0, 7]


def shares(labels, value, shape, nearest):
    """Each new voxel's share of a label, axis by axis, in plain loops."""
    share = (labels == value).astype(np.float64)
    for axis, m in enumerate(shape):
        n = share.shape[axis]
        if n == m:
            continue
        moved = np.moveaxis(share, axis, 0)
        result = np.zeros((m, *moved.shape[1:]))
        for j in range(m):
            centre = (j + 0.5) * n / m - 0.5
            if nearest[axis]:
                result[j] = moved[min(max(int(np.floor(centre + 0.5)), 0), n - 1)]
            elif m > n:
                below = min(max(centre, 0), n - 1)
                i = min(int(below), max(n - 2, 0))
                result[j] = moved[i] * (1 - (below - i)) + moved[min(i + 1, n - 1)] * (below - i)
            else:
                for i in range(n):
                    overlap = min((j + 1) * n / m, i + 1) - max(j * n / m, i)
                    result[j] += max(overlap, 0) * m / n * moved[i]
        share = np.moveaxis(result, 0, axis)
    return share


@given(
    st.tuples(*[st.integers(1, 7)] * 3),
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.booleans()] * 3),
    st.integers(2, 4),
    seeds,
)
@settings(max_examples=150)
def test_labels_by_majority(before, after, nearest, count, seed):
    labels = np.random.default_rng(seed).integers(0, count, before).astype(np.uint8)
    result = resample_labels(labels, after, nearest)
    assert result.dtype == np.uint8 and result.shape == after
    each = np.stack([shares(labels, value, after, nearest) for value in range(count)])
    chosen = np.take_along_axis(each, result[None].astype(int), 0)[0]
    assert (chosen >= each.max(axis=0) - 1e-5).all()
    assert np.array_equal(resample_labels(labels, before, nearest), labels)
    # the background never wins a tie
    tied = np.abs(each[0] - each[1:].max(axis=0)) < 1e-9
    assert (result[tied] > 0).all()


def test_labels_of_a_box_see_what_lies_around_it():
    labels = np.zeros((12, 12, 12), np.int16)
    labels[:6] = 300
    whole = resample_labels(labels, (24, 12, 6))
    part = resample_labels_box(labels, (4, 2, 4), (10, 9, 8), (12, 7, 2))
    assert part.dtype == np.int16
    assert np.array_equal(part, whole[8:20, 2:9, 2:4])
    assert (resample_labels_box(labels, (0, 0, 0), (3, 12, 12), (5, 5, 5)) == 300).all()


grids = st.builds(
    stored_grid,
    shape=st.tuples(*[st.integers(1, 30)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    flips=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    angles=st.tuples(*[st.floats(-3.0, 3.0)] * 3),
)


@given(grids, st.tuples(*[st.integers(-4, 9)] * 3), shapes, shapes)
def test_the_new_grids_outer_edges_are_the_boxs(grid, start, extent, shape):
    stop = np.array(start) + extent
    new = resampled_geometry(grid, start, stop, shape)
    assert new.shape == shape
    old_edges = grid.voxel_to_world(np.stack([start, stop]) - 0.5)
    new_edges = new.voxel_to_world([[-0.5] * 3, np.array(shape) - 0.5])
    assert np.abs(old_edges - new_edges).max() < 1e-9 * max(1, np.abs(old_edges).max())
    same = resampled_geometry(grid, (0, 0, 0), grid.shape, grid.shape)
    assert np.allclose(same.affine, grid.affine, atol=1e-9)


def test_new_shapes_are_rounded():
    assert new_shape((10, 10, 10), (1, 1, 1), (3, 4, 100)) == (3, 3, 1)
    assert new_shape((5, 7, 9), (0.7, 1, 3), (0.7, 2, 1)) == (5, 4, 27)


@pytest.mark.parametrize(
    ("spacing", "target", "orders"),
    [
        ((1, 1, 1), (2, 1, 1), (3, 3, 3)),
        ((1, 1, 3), (1, 1, 1), (3, 3, 0)),
        ((1, 1, 1), (1, 1, 3), (3, 3, 0)),
        ((5, 1, 1), (1, 1, 1), (0, 3, 3)),
        ((1, 4, 1), (4, 1, 1), (0, 0, 3)),
        ((1, 1, 2.9), (1, 1, 2.9), (3, 3, 3)),
    ],
)
def test_nearest_across_slices_on_whichever_axis_is_coarse(spacing, target, orders):
    assert orders_for(spacing, target) == orders


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: resample(a, (2, 2)), "shape must be three positive numbers"),
        (lambda a: resample(a, (2, 2, 0)), "shape must be three positive numbers"),
        (lambda a: resample(a, (2, 2, 2), 2), "order must be 0, 1 or 3"),
        (lambda a: resample(a, (2, 2, 2), (1, 1)), "order must be 0, 1 or 3"),
        (lambda a: resample(a[0], (2, 2, 2)), r"array must have shape \(\.\.\., X, Y, Z\)"),
        (lambda a: resample_box(a, (0, 0, 0), (5, 4, 4), (2, 2, 2)), "must hold voxels of"),
        (lambda a: resample_box(a, (1, 0, 0), (1, 4, 4), (2, 2, 2)), "must hold voxels of"),
        (lambda a: resample_box(a, (-1, 0, 0), (1, 4, 4), (2, 2, 2)), "must hold voxels of"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(noise((4, 4, 4)))
