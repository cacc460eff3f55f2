"""Normalising the values of a modality, in place: of a large scan there is one copy, not five."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from interactivenet.planning.plan import Normalisation

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: values whose sum is left to NumPy
_LEAF = 2**16


def normalise(values: Float32, inside: Float32, normalisation: Normalisation) -> Float32:
    """Normalise the values (X, Y, Z) of one modality in place, and return them.

    inside: the part (x, y, z) of them, whose values that are not zero tell the mean and the
    deviation of a z-score.
    """
    if normalisation.kind == "ct":
        mean, std = normalisation.mean, normalisation.std
        assert mean is not None and std is not None
        np.clip(values, normalisation.low, normalisation.high, out=values)
        values -= mean
        values /= std
        return values
    moments = foreground_moments(inside)
    if moments is None:
        return values
    mean, std = moments
    if std <= 1e-6 * abs(mean):  # a constant image says nothing
        std = 1.0
    for plane in values:  # in float64, as mean and deviation are
        plane[:] = (plane.astype(np.float64) - mean) / std
    return values


def foreground_moments(values: Float32) -> tuple[float, float] | None:
    """Return mean and standard deviation of the values (X, Y, Z) that are not 0; None for none.

    To the bit those that NumPy finds in a float64 copy of them all, which is never made.
    """
    count = int(np.count_nonzero(values))
    if not count:
        return None
    mean = _sum(values, count, lambda part: part) / count

    def squared(part: Float64) -> Float64:
        part -= mean
        part *= part
        return part

    return mean, math.sqrt(_sum(values, count, squared) / count)


def _sum(values: Float32, count: int, change: Callable[[Float64], Float64]) -> float:
    """Sum what ``change`` makes of the ``count`` values that are not 0, in NumPy's pairs."""
    parts = _Selected(values)

    def add(number: int) -> float:
        if number <= _LEAF:
            return float(np.add.reduce(change(parts.take(number))))
        half = number // 2
        half -= half % 8  # as NumPy splits: its loops add eight at once
        return add(half) + add(number - half)

    return add(count)


class _Selected:
    """The values that are not 0 of an array (X, Y, Z), in its order, some after the other."""

    def __init__(self, values: Float32) -> None:
        self._planes = (plane[plane != 0] for plane in values)
        self._rest: Float32 = np.empty(0, np.float32)

    def take(self, number: int) -> Float64:
        """Return the next so many (N,)."""
        taken = np.empty(number, np.float64)
        done = 0
        while done < number:
            if not len(self._rest):
                self._rest = next(self._planes)
            part = self._rest[: number - done]
            taken[done : done + len(part)] = part
            done, self._rest = done + len(part), self._rest[len(part) :]
        return taken
