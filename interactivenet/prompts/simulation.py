"""Simulated prompts: points as a clinician would place them, from a label map.

Interior margin points (Spaanderman et al., arXiv 2402.07746): for either end of each axis, a
point just inside the object's extreme there. All functions work on voxel indices of an array
along RAS+ and draw from the generator that they are given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from interactivenet.errors import RequestError
from interactivenet.imaging.geometry import coarse_axes

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

#: how deep margin points lie, in voxels: along fine axes, and along coarse ones
DEPTH_FINE, DEPTH_COARSE = 5, 1
_DRAWS = 10
_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class SimulationOptions:
    """How prompts are simulated; stored beside them.

    random: this many random points per object instead of margin points, 0 for none.
    centre: the object's deepest point instead of margin points (with ``random``: both).
    depth_mm: depth of margin points below the extremes; None for 5 voxels, 1 along coarse axes.
    jitter_mm: standard deviation of noise on each coordinate; points stay inside the object.
    """

    seed: int = 0
    random: int = 0
    centre: bool = False
    depth_mm: float | None = None
    jitter_mm: float = 0.0
    per_component: bool = False
    largest_component: bool = True
    format: str = "nii.gz"

    def __post_init__(self) -> None:
        checks = {
            "--seed": self.seed >= 0,
            "--random": self.random >= 0,
            "--depth-mm": self.depth_mm is None or 0 <= self.depth_mm < math.inf,
            "--jitter-mm": 0 <= self.jitter_mm < math.inf,
        }
        for option, right in checks.items():
            if not right:
                raise RequestError(f"{option}: expected 0 or more")


@dataclass(frozen=True)
class LabelledObject:
    """The voxels of one object.

    mask: its bounding box, bool.  start: (3,) index of the box's first voxel in the volume.
    ignored: voxels of the label left out as stray components; components: how many there were.
    """

    mask: Mask
    start: Indices
    ignored: int = 0
    components: int = 1

    @property
    def voxels(self) -> Indices:
        """(N, 3) indices of the object's voxels in the volume."""
        return np.argwhere(self.mask) + self.start


def find_objects(mask: Mask, *, per_component: bool, largest_only: bool) -> list[LabelledObject]:
    """Split the voxels (X, Y, Z) of one label into objects; none for an empty mask.

    per_component: every 26-connected component is an object, largest first.
    largest_only: otherwise, the object is the largest component, not the whole label.
    """
    box = _bounding_box(mask)
    if box is None:
        return []
    cropped = mask[box]
    start = np.array([one.start for one in box], dtype=np.intp)
    if not per_component and not largest_only:
        return [LabelledObject(cropped, start)]
    components, count = ndimage.label(cropped, structure=_NEIGHBOURS)
    if count == 1:
        return [LabelledObject(cropped, start)]
    sizes = np.bincount(components.ravel())[1:]
    order = np.argsort(-sizes, kind="stable")
    objects = []
    for component in order if per_component else order[:1]:
        one = components == component + 1
        inner = _bounding_box(one)
        assert inner is not None
        shift = np.array([part.start for part in inner], dtype=np.intp)
        ignored = 0 if per_component else int(sizes.sum() - sizes[component])
        objects.append(LabelledObject(one[inner], start + shift, ignored, count))
    return objects


def draw_points(
    thing: LabelledObject,
    spacing: tuple[float, float, float],
    settings: SimulationOptions,
    rng: np.random.Generator,
    scan_spacing: tuple[float, float, float] | None = None,
) -> Indices:
    """Draw points (N, 3), voxels, in an object, as the settings say.

    spacing: of the grid of the object, mm.  scan_spacing: of the scan, where the object was
    brought to another grid: points lie as deep, in mm, as they would in the scan.
    """
    if settings.random or settings.centre:
        parts = [centre_point(thing, spacing)] if settings.centre else []
        if settings.random:
            parts.append(random_points(thing, settings.random, rng))
        points = np.unique(np.concatenate(parts), axis=0)
    else:
        depth: float | NDArray[np.float64] | None = settings.depth_mm
        if depth is None and scan_spacing is not None:
            depth = _depths(scan_spacing) * np.array(scan_spacing)
        points = margin_points(thing, spacing, rng, depth)
    if settings.jitter_mm:
        points = jitter(points, thing, spacing, settings.jitter_mm, rng)
    return points


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
    one thick.
    """
    if depth_mm is None:
        wanted = _depths(spacing)
    else:
        wanted = np.minimum(np.rint(depth_mm / np.array(spacing)), extent)
    return np.minimum(wanted, (extent - 1) // 3).astype(np.intp)


def _depths(spacing: tuple[float, float, float]) -> Indices:
    return np.where(coarse_axes(spacing), DEPTH_COARSE, DEPTH_FINE)


def margin_points(
    thing: LabelledObject,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    depth_mm: float | NDArray[np.float64] | None = None,
) -> Indices:
    """Place the six interior margin points of an object.

    For each end of each axis: one of the object's outermost voxels is drawn, moved inwards by
    the depth, and set to one of the object's nearest voxels in that plane. Returns (N, 3)
    different voxels of the object, N = 6, or all of them where it has fewer. Points that
    happen to share one plane are drawn again, a few times.
    """
    voxels = thing.voxels
    if len(voxels) <= 6:
        return voxels
    for _ in range(_DRAWS):
        points = _draw_margin_points(voxels, spacing, rng, depth_mm)
        if np.linalg.matrix_rank(points - points[0]) == 3:
            break
    return points


def _draw_margin_points(
    voxels: Indices,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    depth_mm: float | NDArray[np.float64] | None,
) -> Indices:
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
            chosen.append(_near(target, (plane, voxels), chosen, spacing, rng))
    return np.array(chosen)


def random_points(thing: LabelledObject, count: int, rng: np.random.Generator) -> Indices:
    """Draw ``count`` different voxels (N, 3) of the object, or all where it has fewer."""
    voxels = thing.voxels
    return np.asarray(voxels[np.sort(rng.permutation(len(voxels))[:count])])


def centre_point(thing: LabelledObject, spacing: tuple[float, float, float]) -> Indices:
    """Return the object's deepest voxel (1, 3); of several, the nearest to its centroid.

    Depth is the distance (mm) to the nearest voxel outside the object.
    """
    depth = ndimage.distance_transform_edt(np.pad(thing.mask, 1), sampling=spacing)
    deepest = np.argwhere(depth >= depth.max() - 1e-6) - 1 + thing.start
    away = ((deepest - thing.voxels.mean(axis=0)) * spacing) ** 2
    return np.asarray(deepest[away.sum(axis=1).argmin()][None])


def jitter(
    points: Indices,
    thing: LabelledObject,
    spacing: tuple[float, float, float],
    deviation_mm: float,
    rng: np.random.Generator,
) -> Indices:
    """Move points (N, 3) by normal noise (mm per axis), to the object's nearest free voxels."""
    voxels = thing.voxels
    moved: list[Indices] = []
    for point in points:
        target = point + rng.normal(0.0, deviation_mm, 3) / spacing
        moved.append(_near(target, (voxels,), moved, spacing, None))
    return np.array(moved)


def _near(
    target: NDArray[np.float64] | Indices,
    candidates: tuple[Indices, ...],
    taken: list[Indices],
    spacing: tuple[float, float, float],
    rng: np.random.Generator | None,
) -> Indices:
    """Choose the nearest voxel (mm) that is not taken, from the first candidates that have one.

    With a generator: any of those about as near, within one and a half fine voxels.
    """
    for voxels in candidates:
        away = np.sqrt((((voxels - target) * np.array(spacing)) ** 2).sum(axis=1))
        for one in taken:
            away[(voxels == one).all(axis=1)] = np.inf
        if not np.isfinite(away.min()):
            continue
        if rng is None:
            return np.asarray(voxels[away.argmin()])
        near = np.flatnonzero(away <= away.min() + 1.5 * min(spacing))
        return np.asarray(voxels[near[rng.integers(len(near))]])
    raise ValueError("more points than voxels")


def _bounding_box(mask: Mask) -> tuple[slice, slice, slice] | None:
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        where = np.flatnonzero(mask.any(axis=others))
        if not len(where):
            return None
        box.append(slice(int(where[0]), int(where[-1]) + 1))
    return box[0], box[1], box[2]
