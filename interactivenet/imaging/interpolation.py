"""Values of a volume at positions that lie along its axes: one array of positions for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import Array

Float32 = NDArray[np.float32]
Positions = Sequence[NDArray[np.float64]]


def interpolate_at(values: Array, positions: Positions, *, nearest: bool = False) -> Float32:
    """Interpolate an array (..., X, Y, Z) linearly at every combination of positions.

    positions: three arrays, of lengths A, B, C: positions along X, Y and Z, in voxels (0 is the
    centre of the first); beyond the outermost centres, their values repeat.
    nearest: take the nearest voxel's value instead.
    Returns (..., A, B, C) float32. As ``scipy.ndimage.map_coordinates`` of order 1 or 0 with
    mode "nearest" does, axis by axis.
    """
    result = np.asarray(values, dtype=np.float32)
    # the axes that lose most first: the others have less to do
    ratios = [len(at) / n for at, n in zip(positions, values.shape[-3:], strict=True)]
    for axis in np.argsort(ratios, kind="stable"):
        result = _along(result, int(axis) - 3, np.asarray(positions[axis]), nearest)
    return np.ascontiguousarray(result)


def _along(values: Float32, axis: int, positions: NDArray[np.float64], nearest: bool) -> Float32:
    last = values.shape[axis] - 1
    at = positions.clip(0, last)
    if nearest:
        return values.take(np.floor(at + 0.5).astype(np.intp).clip(0, last), axis)
    lower = np.minimum(np.floor(at).astype(np.intp), max(last - 1, 0))
    weight = (at - lower).astype(np.float32)
    shape = [1] * values.ndim
    shape[axis] = len(at)
    weight = weight.reshape(shape)
    first = values.take(lower, axis)
    second = values.take(np.minimum(lower + 1, last), axis)
    # between: equal values stay exactly what they are
    return np.asarray(first + weight * (second - first), dtype=np.float32)
