"""What the six points tell of an object's extent, and how a network's answer gives way to it.

Each point lies just inside one of the object's extremes: nothing of the object lies far beyond the
box of the points, grown by how deep they lie. A network that never saw an object of the kind leaks
through its outline all the same, and there its log-odds fall, the more the farther beyond. Of an
object that looks like the ellipsoid through its extremes anyhow, that ellipsoid is told as well, as
a prior is, in log-odds: what the network is sure of stays. What both gain, and of which objects, is
measured by ``benchmarks/extent_prior.py``; docs/explanation/learning.md has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.planning.plan import EXTENT_SLACK, ExtentPrior

#: a voxel belongs to the object from this probability on
_THRESHOLD = 0.5
#: no network is so sure beyond the extremes that nothing could be told
_SUREST = 0.999
#: Dice of an outline and the ellipsoid, up to which the latter tells nothing, and from which all
_UNLIKE, _LIKE = 0.6, 0.8
#: squared radii from the ellipsoid's surface on, outwards, from which on no more is lost
_FARTHEST = 3.0


@dataclass(frozen=True, eq=False)
class Extent:
    """Where an object should end, in voxels of an array: the centre of its first voxel is at 0.

    first, last: (3,) its extremes, as the points and their depth tell.  depth: (3,) of the points.
    """

    first: NDArray[np.float64]
    last: NDArray[np.float64]
    depth: NDArray[np.float64]

    @property
    def half(self) -> NDArray[np.float64]:
        """(3,) half of the object's extents, in voxels."""
        return (self.last - self.first) / 2

    def distances(self, shape: tuple[int, ...]) -> list[NDArray[np.float64]]:
        """How far the planes of an array lie from the object's middle along each axis, voxels."""
        middle = (self.first + self.last) / 2
        return [np.abs(np.arange(n) - at) for n, at in zip(shape, middle, strict=True)]


def apply_extent_prior(
    probability: NDArray[np.float32], extent: Extent, prior: ExtentPrior
) -> tuple[float, ...]:
    """Change, in place, how probable the object (K, X, Y, Z) is to K networks.

    Without an ellipsoid, what lies between the extremes, and so much beyond them as the points may
    lie deeper than is assumed, keeps every bit; nothing becomes more probable.
    Returns the share (K,) of each network's mask that lay beyond, and is lost.
    """
    lost = []
    for answer in probability:
        lost.append(_confine(answer, extent, prior.beyond))
        if prior.ellipsoid:
            _round(answer, extent, prior.ellipsoid)
    return tuple(lost)


def _confine(answer: NDArray[np.float32], extent: Extent, beyond: float) -> float:
    """Take ``beyond`` from the log-odds (X, Y, Z) for each half extent beyond the extremes.

    Returns the share of the mask that is lost.
    """
    found = kept = 0
    half = extent.half + EXTENT_SLACK * extent.depth
    x, y, z = (
        np.exp(-beyond * np.maximum(far / most - 1, 0))
        for far, most in zip(extent.distances(answer.shape), half.tolist(), strict=True)
    )
    inside = (y == 1)[:, None] & (z == 1)
    # plane by plane: of a large object's window there is no second copy
    for plane, of_plane in zip(answer, x.tolist(), strict=True):
        found += int(np.count_nonzero(plane >= _THRESHOLD))
        where = ~inside if of_plane == 1 else np.ones_like(inside)
        if where.any():
            odds = (of_plane * y[:, None] * z)[where]
            plane[where] = _shifted(plane[where], odds)
        kept += int(np.count_nonzero(plane >= _THRESHOLD))
    return 1 - kept / found if found else 0.0


def _round(answer: NDArray[np.float32], extent: Extent, most: float) -> None:
    """Add to the log-odds (X, Y, Z) of an outline like the ellipsoid ``most`` in its middle.

    It falls with the squared radius: to 0 on the surface, and below 0 beyond.
    """
    x, y, z = (
        (far / half) ** 2
        for far, half in zip(extent.distances(answer.shape), extent.half.tolist(), strict=True)
    )
    radii = y[:, None] + z
    both = voxels = 0
    for plane, of_plane in zip(answer, x.tolist(), strict=True):
        mask, ellipsoid = plane >= _THRESHOLD, radii + of_plane <= 1
        both += int(np.count_nonzero(mask & ellipsoid))
        voxels += int(np.count_nonzero(mask)) + int(np.count_nonzero(ellipsoid))
    dice = 2 * both / voxels if voxels else 0.0
    weight = most * min((dice - _UNLIKE) / (_LIKE - _UNLIKE), 1.0)
    if weight <= 0:
        return
    for plane, of_plane in zip(answer, x.tolist(), strict=True):
        odds = np.exp(weight * np.maximum(1 - radii - of_plane, -_FARTHEST))
        plane[...] = _shifted(plane, odds)


def _shifted(values: NDArray[np.float32], odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply the odds of probabilities."""
    sure = values.astype(np.float64).clip(1 - _SUREST, _SUREST)
    return np.asarray(sure * odds / (sure * odds + 1 - sure))
