"""Separable resampling of volumes: cubic for images, linear for probabilities, majority for labels.

Voxel edges are aligned: n voxels become m that cover the same millimetres, and voxel j of the m
sits at (j + 0.5) n / m - 0.5 of the n. Beyond the outermost voxels, they repeat. Along each axis
resampling is a banded matrix; its rows are applied in blocks, as small dense products, which is
what BLAS does fastest. An axis whose size stays is left bit for bit as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from interactivenet.imaging.geometry import Array, Geometry, box, coarse_axes
from interactivenet.imaging.interpolation import blend_along
from interactivenet.imaging.resampling_matrices import (
    CONTEXT,
    Float32,
    Kind,
    apply_along,
    matrix_blocks,
)

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
            blocks = matrix_blocks(values.shape[axis - 3], int(low[axis]), n, m, kinds[axis])
            values = apply_along(values, axis, blocks, m)
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
