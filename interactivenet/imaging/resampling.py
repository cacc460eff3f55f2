"""Separable resampling of volumes: cubic for images, linear for probabilities, majority for labels.

Voxel edges are aligned: n voxels become m that cover the same millimetres, and voxel j of the m
sits at (j + 0.5) n / m - 0.5 of the n. Beyond the outermost voxels, they repeat. Along each axis
resampling is a banded matrix; its rows are applied in blocks, as small dense products, which is
what BLAS does fastest. An axis whose size stays is left bit for bit as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from interactivenet.imaging.geometry import Array, Geometry, box, coarse_axes
from interactivenet.imaging.interpolation import blend_along

Float32 = NDArray[np.float32]
Kind = Literal["cubic", "linear", "nearest", "area"]

#: how many voxels around a box the cubic kernel reaches: beyond them weights are below 1e-7
CONTEXT = 14
#: rows of a banded matrix that are applied as one dense product
_ROWS = 32
#: cubic weights below this are left out: together they are below float32's precision
_TINY = 2e-8
_KINDS: dict[int, Kind] = {0: "nearest", 1: "linear", 3: "cubic"}


def new_shape(
    shape: Sequence[int], spacing: Sequence[float], target: Sequence[float]
) -> tuple[int, int, int]:
    """Return how many voxels (3,) of the ``target`` spacing cover those of ``spacing``, mm.

    Rounded to the nearest, at least 1.
    """
    x, y, z = (
        max(1, int(np.floor(n * old / new + 0.5)))
        for n, old, new in zip(shape, spacing, target, strict=True)
    )
    return x, y, z


def orders_for(spacing: ArrayLike, target: ArrayLike) -> tuple[int, int, int]:
    """Return the spline order per axis for images: 3, but 0 across slices.

    An axis that is coarse (geometry.coarse_axes), in the scan or in the target spacing, has too
    little to interpolate from.
    """
    x, y, z = np.where(coarse_axes(spacing) | coarse_axes(target), 0, 3).tolist()
    return x, y, z


def resampled_geometry(
    grid: Geometry, start: ArrayLike, stop: ArrayLike, shape: Sequence[int]
) -> Geometry:
    """Return the grid of the voxels [start, stop) of ``grid`` resampled to ``shape``: exact.

    The box may reach beyond the grid. Its outer voxel edges stay where they are in the patient.
    """
    start, stop = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    scale = (stop - start) / np.array(shape)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.voxel_to_world((start + 0.5 * scale - 0.5)[None])[0]
    affine[:3, :3] *= scale
    x, y, z = (int(n) for n in shape)
    return Geometry((x, y, z), affine)


def resample(array: Array, shape: Sequence[int], order: int | Sequence[int] = 3) -> Float32:
    """Resample an array (..., X, Y, Z) to ``shape`` (3,), float32.

    order: 3 cubic (interpolating B-spline), 1 linear, 0 nearest; one, or one per axis. Cubic and
    linear equal ``scipy.ndimage.zoom(mode="nearest", grid_mode=True)`` to float32's precision.
    """
    return resample_box(array, (0, 0, 0), array.shape[-3:], shape, order)


def resample_box(
    array: Array,
    start: ArrayLike,
    stop: ArrayLike,
    shape: Sequence[int],
    order: int | Sequence[int] = 3,
) -> Float32:
    """Resample the voxels [start, stop), (3,) each, of an array (..., X, Y, Z) to ``shape``.

    What lies around the box is the kernel's context, so that cutting and then resampling is
    resampling the whole and then cutting; ``CONTEXT`` voxels of it are enough.
    """
    orders = [order] * 3 if isinstance(order, int) else list(order)
    if len(orders) != 3 or any(number not in _KINDS for number in orders):
        raise ValueError(f"order must be 0, 1 or 3, one or one per axis, got {order}")
    return _resample(array, start, stop, shape, [_KINDS[number] for number in orders])


def resample_labels_box(
    labels: Array,
    start: ArrayLike,
    stop: ArrayLike,
    shape: Sequence[int],
    nearest: Sequence[bool] = (False, False, False),
) -> Array:
    """Resample the voxels [start, stop) of a label map (X, Y, Z) to ``shape`` by majority.

    Each label's share of a new voxel is interpolated linearly along axes that grow, and is its
    share of the volume along axes that shrink; along the axes in ``nearest``, the nearest voxel
    counts. The label with the largest share wins; of equal ones, the highest, so that the
    background never wins a tie. Returns the type of ``labels``.
    """
    low, high, size = _checked(labels, start, stop, shape)
    kinds: list[Kind] = [
        "nearest" if near else "area" if m < b - a else "linear"
        for near, a, b, m in zip(nearest, low, high, size, strict=True)
    ]
    first, last = np.maximum(low - 1, 0), np.minimum(high + 1, labels.shape)
    part = labels[box(first, last)]
    values = np.unique(part)
    if len(values) == 1:
        return np.full(size, values[0], labels.dtype)
    result = np.full(size, values[0], labels.dtype)
    best = None
    for value in values[1:]:
        share = _resample(part == value, low - first, high - first, size, kinds)
        if best is None:
            # of two labels, the first has the rest
            best = np.full(size, 0.5, np.float32) if len(values) == 2 else _resample(
                part == values[0], low - first, high - first, size, kinds
            )  # fmt: skip
        wins = share >= best - 1e-6
        result[wins] = value
        np.maximum(best, share, out=best)
    return result


def resample_labels(
    labels: Array, shape: Sequence[int], nearest: Sequence[bool] = (False, False, False)
) -> Array:
    """Resample a whole label map (X, Y, Z); see :func:`resample_labels_box`."""
    return resample_labels_box(labels, (0, 0, 0), labels.shape, shape, nearest)


def restore_box(
    array: Array,
    start: ArrayLike,
    resampled: Sequence[int],
    original: Sequence[int],
    *,
    nearest: bool = False,
    dtype: DTypeLike = np.float32,
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Put part of a resampled volume back on the original voxels, linearly or from the nearest.

    array: (..., X, Y, Z), the part of the resampled volume that starts at voxel ``start`` (3,).
    resampled, original: (3,) shapes of the whole volume, after and before resampling.
    dtype: of what is returned, rounded at the end.
    Returns the values (..., x, y, z) of those original voxels whose centres lie in the
    part, and the first of them (3,). Along an axis whose size was kept they are the array's own.
    """
    values = np.asarray(array, dtype=np.float32)
    first = np.zeros(3, dtype=np.intp)
    begin = np.asarray(start, dtype=np.intp)
    last = max((axis for axis in range(3) if original[axis] != resampled[axis]), default=None)
    for axis in range(3):
        n, m, a = int(original[axis]), int(resampled[axis]), int(begin[axis])
        size = values.shape[axis - 3]
        if n == m:
            first[axis] = a
            continue
        at = (np.arange(n) + 0.5) * (m / n) - 0.5
        inside = np.flatnonzero((at >= a - 0.5) & (at < a + size - 0.5))
        first[axis] = inside[0] if len(inside) else 0
        at = (at[inside] - a).clip(0, size - 1)
        if nearest:
            closest = np.floor(at + 0.5).astype(np.intp)
            values = values.take(closest, axis - 3)
            continue
        below = np.minimum(at.astype(np.intp), max(size - 2, 0))
        share = (at - below).astype(np.float32)
        above = np.minimum(below + 1, size - 1)
        kind = dtype if axis == last else np.float32
        values = blend_along(values, axis - 3, below, above, share, kind)
    return values.astype(dtype, copy=False), first


def resampling_values(before: ArrayLike, after: ArrayLike) -> int:
    """Return how many values resampling a volume (3,) to another shape (3,) holds at the most.

    Of one channel: the volume, and what there is of it between two axes; not the result's copy.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    whole = most = values = float(old.prod())
    held = 0.0
    for ratio in sorted((new / old).tolist()):
        if ratio != 1:
            values *= ratio
            most = max(most, whole + held + values)
            held = values
    return int(most)


def _resample(
    array: Array, start: ArrayLike, stop: ArrayLike, shape: Sequence[int], kinds: Sequence[Kind]
) -> Float32:
    low, high, size = _checked(array, start, stop, shape)
    # of everything that is not resampled, only the box; of the rest, what the kernels reach
    reach = np.array([CONTEXT if kind == "cubic" else 1 for kind in kinds])
    reach[np.array(size) == high - low] = 0
    first = np.maximum(low - reach, 0)
    last = np.minimum(high + reach, array.shape[-3:])
    values = np.ascontiguousarray(array[box(first, last)], dtype=np.float32)
    low, high = low - first, high - first
    for axis in sorted(range(3), key=lambda axis: size[axis] / (high[axis] - low[axis])):
        n, m = int(high[axis] - low[axis]), size[axis]
        if n != m:
            blocks = _blocks(values.shape[axis - 3], int(low[axis]), n, m, kinds[axis])
            values = _along(values, axis, blocks, m)
    return values


def _checked(
    array: Array, start: ArrayLike, stop: ArrayLike, shape: Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[int, int, int]]:
    low, high = np.asarray(start, dtype=np.intp), np.asarray(stop, dtype=np.intp)
    if array.ndim < 3:
        raise ValueError(f"array must have shape (..., X, Y, Z), got {array.shape}")
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"shape must be three positive numbers, got {tuple(shape)}")
    if (low < 0).any() or (high > array.shape[-3:]).any() or (low >= high).any():
        raise ValueError(
            f"the box from {low.tolist()} to {high.tolist()} must hold voxels of the array,"
            f" whose shape is {array.shape}"
        )
    x, y, z = (int(n) for n in shape)
    return low, high, (x, y, z)


#: rows [first, last) of a matrix: the columns from which on they have weights, and those
Block = tuple[int, int, int, Float32]


def _along(values: Float32, axis: int, blocks: Sequence[Block], m: int) -> Float32:
    """Apply a banded matrix along one of the last three axes of a contiguous array."""
    position = values.ndim - 3 + axis
    before, n, after = (
        int(np.prod(part, dtype=np.int64))
        for part in (
            values.shape[:position], values.shape[position], values.shape[position + 1 :],
        )
    )  # fmt: skip
    shape = (*values.shape[:position], m, *values.shape[position + 1 :])
    if after == 1:
        rows = values.reshape(before, n)
        out = np.empty((before, m), np.float32)
        for first, last, column, weights in blocks:
            out[:, first:last] = rows[:, column : column + weights.shape[1]] @ weights.T
    else:
        planes = values.reshape(before, n, after)
        out = np.empty((before, m, after), np.float32)
        for first, last, column, weights in blocks:
            part = planes[:, column : column + weights.shape[1]]
            np.matmul(weights, part, out=out[:, first:last])
    return out.reshape(shape)


@lru_cache(maxsize=512)
def _blocks(size: int, start: int, n: int, m: int, kind: Kind) -> tuple[Block, ...]:
    """The (m, size) matrix that resamples n voxels from ``start`` on to m, in blocks of rows."""
    matrix = _matrix(size, start, n, m, kind)
    counts = np.abs(matrix) > _TINY
    low, high = counts.argmax(axis=1), size - counts[:, ::-1].argmax(axis=1)
    blocks = []
    for first in range(0, m, _ROWS):
        last = min(first + _ROWS, m)
        column, end = int(low[first:last].min()), int(high[first:last].max())
        weights = np.ascontiguousarray(matrix[first:last, column:end], dtype=np.float32)
        weights.setflags(write=False)
        blocks.append((first, last, column, weights))
    return tuple(blocks)


def _matrix(size: int, start: int, n: int, m: int, kind: Kind) -> NDArray[np.float64]:
    if kind == "area":
        edges = start + np.arange(m + 1) * (n / m)
        voxels = np.arange(size)
        upper = np.minimum(edges[1:, None], voxels + 1)
        lower = np.maximum(edges[:-1, None], voxels)
        return np.asarray((upper - lower).clip(0) * (m / n))
    at = start + (np.arange(m) + 0.5) * (n / m) - 0.5
    rows = np.arange(m)[:, None]
    if kind == "cubic":
        padded = size + 2 * CONTEXT
        below = np.floor(at).astype(int)
        weights = np.zeros((m, padded))
        taps = CONTEXT + below[:, None] + np.arange(-1, 3)
        np.add.at(weights, (rows, taps), _bspline(at - below))
        return np.asarray(weights @ _coefficients(size))
    matrix = np.zeros((m, size))
    if kind == "nearest":
        matrix[rows[:, 0], np.floor(at + 0.5).astype(int).clip(0, size - 1)] = 1.0
        return matrix
    at = at.clip(0, size - 1)
    below = np.minimum(at.astype(int), max(size - 2, 0))
    np.add.at(matrix, (rows[:, 0], below), 1 - (at - below))
    np.add.at(matrix, (rows[:, 0], np.minimum(below + 1, size - 1)), at - below)
    return matrix


def _bspline(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cubic B-spline weights (N, 4) of the nodes -1, 0, 1, 2 at fractions t (N,) in [0, 1)."""
    return np.stack(
        [
            (1 - t) ** 3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
            t**3 / 6,
        ],
        axis=1,
    )


@lru_cache(maxsize=64)
def _coefficients(size: int) -> NDArray[np.float64]:
    """B-spline coefficients (size + 2 CONTEXT, size) of each voxel, the outermost ones repeated.

    The inverse of the B-spline's sampling (Unser, IEEE Signal Processing Magazine 1999).
    """
    from scipy.linalg import solve_banded

    padded = size + 2 * CONTEXT
    bands = np.full((3, padded), 1 / 6)
    bands[1] = 4 / 6
    bands[0, 1] = bands[2, -2] = 2 / 6  # mirrored, far from any voxel
    repeated = np.zeros((padded, size))
    repeated[np.arange(padded), (np.arange(padded) - CONTEXT).clip(0, size - 1)] = 1
    return np.asarray(solve_banded((1, 1), bands, repeated))
