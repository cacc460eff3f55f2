"""What the six points tell of an object's extent, and how a network's answer gives way to it.

Each point lies just inside one of the object's extremes: nothing of the object lies far beyond the
box of the points, grown by how deep they lie. A network that never saw an object of the kind leaks
through its outline all the same, and there its log-odds fall, the more the farther beyond. Of an
object that looks like the ellipsoid through its extremes anyhow, that ellipsoid decides what the
network leaves open. What both gain, and of which objects, is measured by
``benchmarks/extent_prior.py``; docs/explanation/learning.md has the figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.planning.plan import ExtentPrior
from interactivenet.postprocessing.merging import THRESHOLD

Float64 = NDArray[np.float64]
#: no network is so sure beyond the extremes that nothing could be told
_SUREST = 0.999
#: Dice of an outline and the ellipsoid, up to which the latter tells nothing, and from which all
_UNLIKE, _LIKE = 0.6, 0.8
#: squared radii from the ellipsoid's surface on, outwards, from which on no more is lost
_FARTHEST = 3.0
#: how far probabilities may be from 1/2 to be open to the ellipsoid: all the way, and at all
_OPEN, _CLOSED = 0.2, 0.4
#: how far from a click the ellipsoid is told again, of the cube root of its volume
_REACH = 0.15


@dataclass(frozen=True, eq=False)
class Extent:
    """Where an object should end, in voxels of an array: the centre of its first voxel is at 0.

    first, last: (3,) its extremes, as the points, their depth and positive corrections tell; -inf
        and inf where they tell none.  slack: (3,) how far beyond them it may reach all the same.
    middle, half: (3,) of the ellipsoid through the extremes that the points alone tell, and its
        radii; these are 0 where it is not known.
    clicks: (N, 3) corrections, around which no ellipsoid is told.
    spacing: (3,) mm.
    """

    first: Float64
    last: Float64
    slack: Float64
    middle: Float64
    half: Float64
    clicks: Float64
    spacing: Float64


def apply_extent_prior(probability: NDArray[Any], extent: Extent, prior: ExtentPrior) -> float:
    """Change, in place, how probable an object is (X, Y, Z), floating.

    Between the extremes, and in their slack, every bit is kept but where the ellipsoid decides.
    Returns the share of the mask that lay beyond, and is lost.
    """
    lost = _confine(probability, extent, prior.beyond)
    if prior.ellipsoid and extent.half.all():
        _tell_ellipsoid(probability, extent, prior.ellipsoid)
    return lost


def _confine(probability: NDArray[Any], extent: Extent, beyond: float) -> float:
    """Take ``beyond`` from the log-odds for each half extent beyond the extremes.

    Returns the share of the mask that is lost.
    """
    low, high = extent.first - extent.slack, extent.last + extent.slack
    x, y, z = (
        np.exp(-beyond * np.maximum(np.abs(2 * np.arange(n) - a - b) / (b - a) - 1, 0))
        if math.isfinite(b - a)
        else np.ones(n)
        for n, a, b in zip(probability.shape, low.tolist(), high.tolist(), strict=True)
    )
    inside = (y == 1)[:, None] & (z == 1)
    found = kept = 0
    # plane by plane: of a large object there is no second copy
    for plane, of_plane in zip(probability, x.tolist(), strict=True):
        found += int(np.count_nonzero(plane >= THRESHOLD))
        where = ~inside if of_plane == 1 else np.ones_like(inside)
        if where.any():
            sure = plane[where].astype(np.float64).clip(0, _SUREST)
            plane[where] = _with_odds(sure, (of_plane * y[:, None] * z)[where])
        kept += int(np.count_nonzero(plane >= THRESHOLD))
    return 1 - kept / found if found else 0.0


def _tell_ellipsoid(probability: NDArray[Any], extent: Extent, most: float) -> None:
    """Add to the log-odds, where they are open, ``most`` in the middle of the ellipsoid.

    It falls with the squared radius: to 0 on the surface, and below 0 beyond. The less the outline
    is like the ellipsoid, the less is told.
    """
    places = [np.arange(n, dtype=np.float64) for n in probability.shape]
    x, y, z = (
        ((at - middle) / half) ** 2
        for at, middle, half in zip(places, extent.middle, extent.half, strict=True)
    )
    radii = y[:, None] + z
    both = voxels = 0
    for plane, of_plane in zip(probability, x.tolist(), strict=True):
        mask, ellipsoid = plane >= THRESHOLD, radii + of_plane <= 1
        both += int(np.count_nonzero(mask & ellipsoid))
        voxels += int(np.count_nonzero(mask)) + int(np.count_nonzero(ellipsoid))
    dice = 2 * both / voxels if voxels else 0.0
    weight = most * min((dice - _UNLIKE) / (_LIKE - _UNLIKE), 1.0)
    if weight <= 0:
        return
    volume = 4 / 3 * math.pi * float(np.prod(extent.half * extent.spacing))
    reach = _REACH * volume ** (1 / 3)
    # squared distances from each click along each axis, in reaches
    squares = [
        [((at - c) * mm / reach) ** 2
         for at, c, mm in zip(places, click, extent.spacing, strict=True)]
        for click in extent.clicks
    ]  # fmt: skip
    for number, (plane, of_plane) in enumerate(zip(probability, x.tolist(), strict=True)):
        where = np.abs(plane.astype(np.float64) - THRESHOLD) < _CLOSED
        if not where.any():
            continue
        values = plane[where].astype(np.float64)
        share = np.minimum((_CLOSED - np.abs(values - THRESHOLD)) / (_CLOSED - _OPEN), 1)
        for far_x, far_y, far_z in squares:
            share *= 1 - np.exp(-(far_x[number] + (far_y[:, None] + far_z)[where]))
        told = weight * np.maximum(1 - radii[where] - of_plane, -_FARTHEST)
        plane[where] = _with_odds(values, np.exp(share * told))


def _with_odds(values: Float64, factor: Float64) -> Float64:
    """Multiply the odds of probabilities by factors."""
    return np.asarray(values * factor / (values * factor + 1 - values))
