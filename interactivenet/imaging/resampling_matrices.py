"""Resampling along one axis as a banded matrix, applied in blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Kind = Literal["cubic", "linear", "nearest", "area"]
#: how many voxels around a box the cubic kernel reaches: beyond them weights are below 1e-7
CONTEXT = 14
#: rows of a banded matrix that are applied as one dense product
_ROWS = 32
#: cubic weights below this are left out: together they are below float32's precision
_TINY = 2e-8
#: rows [first, last) of a matrix: the columns from which on they have weights, and those
Block = tuple[int, int, int, Float32]


def apply_along(values: Float32, axis: int, blocks: Sequence[Block], m: int) -> Float32:
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
def matrix_blocks(size: int, start: int, n: int, m: int, kind: Kind) -> tuple[Block, ...]:
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
