"""Where interior margin points lie: how deep below an object's extremes, and in which voxels.

Interior margin points (Spaanderman et al., arXiv 2402.07746): for either end of each axis, a
point just inside the object's extreme there. All functions work on voxel indices of an array
along RAS+ and draw from the generator that they are given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import coarse_axes

Indices = NDArray[np.intp]

#: how deep margin points lie, in voxels: along fine axes, and along coarse ones
DEPTH_FINE, DEPTH_COARSE = 5, 1


def usual_depths(spacing: tuple[float, float, float]) -> Indices:
    """How many voxels (3,) deep margin points lie along fine and coarse axes; spacing: mm."""
    return np.where(coarse_axes(spacing), DEPTH_COARSE, DEPTH_FINE)


def told_axes(apart: NDArray[np.float64], depth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Along which axes (3,) points tell where their object ends: where they are margin points.

    apart: (3,) voxels between the outermost.  depth: (3,) voxels that they are said to lie deep;
    margin points are at most a third of an object deep, and so no less apart than deep, but for
    what rounding to voxels may take.
    """
    return np.asarray(apart >= depth - 0.5)


def margin_depths(
    extent: NDArray[np.intp],
    spacing: tuple[float, float, float],
    depth_mm: float | NDArray[np.float64] | None = None,
) -> Indices:
    """How many voxels (3,) inwards of an object's extremes its margin points lie.

    extent: (3,) voxels of the object's bounding box; spacing: mm.
    5 voxels along a fine axis and 1 along a coarse one (3 times the finest spacing or more),
    or ``depth_mm``, one for all or (3,); never more than a third of the distance between the
    outermost voxel centres, so that the two points of an axis never meet unless the object is
    one voxel thick.
    """
    if depth_mm is None:
        depths = usual_depths(spacing)
    else:
        depths = np.minimum(np.rint(depth_mm / np.array(spacing)), extent)
    return np.minimum(depths, (extent - 1) // 3).astype(np.intp)


def draw_margin_points(
    voxels: Indices,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    depth_mm: float | NDArray[np.float64] | None = None,
) -> Indices:
    """Draw six margin points (6, 3) among the voxels (N, 3) of an object, N of 6 or more.

    For each end of each axis: one of the outermost voxels is drawn, moved inwards by the depth,
    and set to one of the object's nearest voxels in that plane.
    """
    first, last = voxels.min(axis=0), voxels.max(axis=0)
    depths = margin_depths(last - first + 1, spacing, depth_mm)
    chosen: list[Indices] = []
    for axis in range(3):
        for extreme, inwards in ((first[axis], 1), (last[axis], -1)):
            outermost = voxels[voxels[:, axis] == extreme]
            target = outermost[rng.integers(len(outermost))].copy()
            target[axis] = extreme + inwards * depths[axis]
            # a gap between components can leave the plane empty: the next one outwards is not
            while not (voxels[:, axis] == target[axis]).any():
                target[axis] -= inwards
            plane = voxels[voxels[:, axis] == target[axis]]
            chosen.append(nearest_free_voxel(target, (plane, voxels), chosen, spacing, rng))
    return np.array(chosen)


def nearest_free_voxel(
    target: NDArray[np.float64] | Indices,
    candidates: tuple[Indices, ...],
    taken: Sequence[Indices],
    spacing: tuple[float, float, float],
    rng: np.random.Generator | None,
) -> Indices:
    """Choose the nearest voxel (mm) that is not taken, from the first candidates that have one.

    With a generator: any of those about as near, within one and a half fine voxels.
    """
    for voxels in candidates:
        distances = np.sqrt((((voxels - target) * np.array(spacing)) ** 2).sum(axis=1))
        for voxel in taken:
            distances[(voxels == voxel).all(axis=1)] = np.inf
        if not np.isfinite(distances.min()):
            continue
        if rng is None:
            return np.asarray(voxels[distances.argmin()])
        near = np.flatnonzero(distances <= distances.min() + 1.5 * min(spacing))
        return np.asarray(voxels[near[rng.integers(len(near))]])
    raise ValueError("more points than voxels")
