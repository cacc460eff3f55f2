"""Values of a volume at positions that lie along its axes: one array of positions for each.

Large arrays are worked on in blocks, so that beside what goes in and what comes out there is little
at any time; the values are the same whatever the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from interactivenet.imaging.geometry import Array

Float32 = NDArray[np.float32]
Positions = Sequence[NDArray[np.float64]]

#: values that are interpolated at once
_BLOCK = 2**22


def interpolate_at(
    values: Array, positions: Positions, *, nearest: bool = False, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Interpolate an array (..., X, Y, Z) linearly at every combination of positions.

    positions: three arrays, of lengths A, B, C: positions along X, Y and Z, in voxels (0 is the
    centre of the first); beyond the outermost centres, their values repeat.
    nearest: take the nearest voxel's value instead.  dtype: of the result, rounded at the end.
    Returns (..., A, B, C). As ``scipy.ndimage.map_coordinates`` of order 1 or 0 with mode "nearest"
    does, axis by axis, in float32.
    """
    result = np.asarray(values, dtype=np.float32)
    # the axes that lose most first: the others have less to do
    ratios = [len(at) / n for at, n in zip(positions, values.shape[-3:], strict=True)]
    order = [int(axis) for axis in np.argsort(ratios, kind="stable")]
    for axis in order:
        kind = np.dtype(dtype if axis == order[-1] else np.float32)
        result = _along(result, axis - 3, np.asarray(positions[axis]), nearest, kind)
    return result


def blend_along(
    values: Float32,
    axis: int,
    below: NDArray[np.intp],
    above: NDArray[np.intp],
    share: Float32,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Weigh values along an axis, from -3 to -1: (1 - share) of those below, share of those above.

    below, above, share: (N,), of each new one.
    """

    def blend(part: Float32) -> Float32:
        lower, upper = part.take(below, axis), part.take(above, axis)
        lower *= _along_axis(1 - share, axis)
        upper *= _along_axis(share, axis)
        lower += upper
        return lower

    return in_blocks(values, axis, len(share), blend, dtype)


def in_blocks(
    values: Array, axis: int, count: int, change: Any, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Apply ``change`` to parts of an array (..., X, Y, Z) that are whole along an axis.

    axis: from -3 to -1, of which ``change`` makes ``count`` values, whatever the others hold.
    """
    shape = list(values.shape)
    shape[axis] = count
    result = np.empty(shape, dtype)
    for part in _blocks(result.shape, -3 if axis != -3 else -2):
        result[part] = change(values[part])
    return result


def _blocks(shape: tuple[int, ...], axis: int) -> Iterator[tuple[Any, ...]]:
    """Yield indices of parts of an array, cut along an axis, of few values each."""
    count = shape[axis]
    rows = max(1, _BLOCK * count // max(1, int(np.prod(shape, dtype=np.int64))))
    whole = (slice(None),) * (-axis - 1)
    for first in range(0, count, rows):
        yield (..., slice(first, first + rows), *whole)


def _along_axis(weights: Float32, axis: int) -> Float32:
    """View weights (N,) so that they lie along an axis, from -3 to -1."""
    shape = [-1 if k == axis else 1 for k in (-3, -2, -1)]
    return weights.reshape(shape)


def _along(
    values: Float32,
    axis: int,
    positions: NDArray[np.float64],
    nearest: bool,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    last = values.shape[axis] - 1
    at = positions.clip(0, last)
    if nearest:
        closest = np.floor(at + 0.5).astype(np.intp).clip(0, last)
        return in_blocks(values, axis, len(at), lambda part: part.take(closest, axis), dtype)
    lower = np.minimum(np.floor(at).astype(np.intp), max(last - 1, 0))
    upper = np.minimum(lower + 1, last)
    weight = _along_axis((at - lower).astype(np.float32), axis)

    def between(part: Float32) -> Float32:
        first: Float32 = part.take(lower, axis)
        second: Float32 = part.take(upper, axis)
        second -= first  # equal values stay exactly what they are
        second *= weight
        second += first
        return second

    return in_blocks(values, axis, len(at), between, dtype)
