"""Closed planar contours, as an RTSTRUCT has them, as voxels.

A voxel is inside where its centre is (PS3.3 C.8.8.6): of the contours of one plane, the region is
what an odd number of them encloses, so that an inner contour is a hole, and so is what a keyhole
leaves out. Contours are placed by their coordinates alone; the images that they refer to are not
asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.components import Mask
from interactivenet.imaging.geometry import LPS_RAS, Geometry
from interactivenet.imaging.structures.reading.polygons import (
    DIGITS,
    Patch,
    crossing,
    joined,
    overlap,
    patch_of,
    within,
)  # fmt: skip
from interactivenet.imaging.structures.reading.tolerance import limit_mm

#: contours lie across one axis up to this fraction of the planes' distance
_ACROSS = 0.1
#: deviations that are worth a word: a fraction of the planes' distance, mm
_NOTED, _NOTED_MM = 0.01, 0.02
#: contours of one plane lie this close to each other, mm
_ONE_PLANE_MM = 0.02
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


@dataclass(frozen=True, eq=False)
class Contour:
    """A contour of an ROI: points (N, 3), LPS mm; kind: its Contour Geometric Type."""

    points: NDArray[np.float64]
    kind: str = "CLOSED_PLANAR"


def rasterise(contours: Sequence[Contour], grid: Geometry) -> tuple[Mask, tuple[str, ...]]:
    """Mark the voxels of a stored grid that one ROI's contours enclose.

    Returns the mask (X, Y, Z) in the grid's stored order, and what is to be said. The planes of
    the contours may be those of any of the grid's axes, oblique or not.

    Raises DataError, with the reason alone, where the mask would not be what was outlined: contours
    that lie between the grid's planes or across them, or only in every second one, that lie outside
    of the grid, or are not closed.
    """
    closed, notes = _closed(contours)
    mask: Mask = np.zeros(grid.shape, dtype=bool)
    if not closed:
        return mask, tuple(notes)
    voxels = [np.round(grid.world_to_voxel(points * LPS_RAS), DIGITS) for points in closed]
    axis, planes = _planes(voxels, grid, notes)
    others = [other for other in range(3) if other != axis]
    size = grid.shape[others[0]], grid.shape[others[1]]
    sheets = np.moveaxis(mask, axis, 0)
    lost, empty, crossed, outside = 0, 0, 0, set()
    filled: dict[int, Patch] = {}
    for number, members in sorted(planes.items()):
        patches = [patch_of(voxels[index][:, others], size) for index in members]
        empty += sum(not patch.mask.any() for patch in patches)
        crossed += crossing(patches)
        whole = filled[number] = joined(patches)
        count = np.count_nonzero(whole.mask)
        if 0 <= number < grid.shape[axis]:
            (u, v), (left, top) = within(whole, size), whole.start
            part = whole.mask[u.start - left : u.stop - left, v.start - top : v.stop - top]
            sheets[number][u, v] = part
            count -= np.count_nonzero(part)
        if count:
            lost += int(count)
            outside.add(number)
    if lost:
        raise DataError(
            f"has {lost} voxels outside of the image, in {len(outside)} of its {len(planes)} planes"
        )
    _check_gaps(filled, axis, grid, notes)
    if empty:
        notes.append(f"{_has(empty, 'contour')} no voxel's centre inside: nothing is left of it")
    if crossed:
        notes.append(
            f"contours of one plane cross or coincide: the {crossed} voxels that lie in two of them"
            " are read as outside"
        )
    return mask, tuple(notes)


def _closed(contours: Sequence[Contour]) -> tuple[list[NDArray[np.float64]], list[str]]:
    """Return the contours that enclose something, each once; and notes of the others."""
    notes = []
    kinds = Counter(contour.kind for contour in contours if contour.kind not in _CLOSED)
    closed = [contour.points for contour in contours if contour.kind in _CLOSED]
    opened = {kind: count for kind, count in kinds.items() if kind != "POINT"}
    if opened and closed:
        raise DataError(
            f"has {_kinds(opened)} beside {len(closed)} closed ones: what it encloses is unknown"
        )
    if kinds:
        them = "it encloses" if sum(kinds.values()) == 1 else "they enclose"
        notes.append(f"left out {_kinds(kinds)}: {them} nothing")
    whole = [points for points in closed if len(points) >= 3]
    if thin := len(closed) - len(whole):
        notes.append(f"left out {_contours(thin)} of fewer than 3 points")
    once = {_key(points): points for points in whole}
    if copies := len(whole) - len(once):
        notes.append(
            f"{_contours(copies)} {'is' if copies == 1 else 'are'} there twice: taken once"
        )
    if not once and not notes:
        notes.append("has no contours")
    return list(once.values()), notes


def _key(points: NDArray[np.float64]) -> bytes:
    """Return what is the same for copies of a contour, wherever and whichever way they begin.

    Whether they are closed by their first point once more, and digits below 0.01 mm, are no matter.
    """
    return np.unique(np.round(points, 2) + 0.0, axis=0).tobytes()


def _planes(
    voxels: Sequence[NDArray[np.float64]], grid: Geometry, notes: list[str]
) -> tuple[int, dict[int, list[int]]]:
    """Find the axis across which the contours lie; return it, and plane -> numbers of contours."""
    worst = {}
    for axis in (2, 1, 0):  # as stored: slices, as a rule, are along the last
        distance = grid.spacing[axis]
        numbers = [round(float(points[:, axis].mean())) for points in voxels]
        off = [
            np.abs(p[:, axis] - n).max() * distance for p, n in zip(voxels, numbers, strict=True)
        ]
        worst[axis] = float(max(off))
        if worst[axis] <= limit_mm(distance):
            break
    else:
        _refuse(voxels, grid, worst)
    planes: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(numbers):
        planes[number].append(index)
    for number, members in planes.items():
        levels = [float(voxels[index][:, axis].mean()) * distance for index in members]
        if max(levels) - min(levels) > _ONE_PLANE_MM:
            raise DataError(
                f"has contours {max(levels) - min(levels):.2g} mm apart that fall on one plane of"
                f" the image, {_place(number, axis, grid)}: they are of another image"
            )
    if worst[axis] > max(_NOTED * distance, _NOTED_MM):
        notes.append(f"its contours lie up to {worst[axis]:.2g} mm from the planes of the image")
    if axis != 2:
        notes.append(f"its contours do not lie in slices, but across axis {'xyz'[axis]}")
    return axis, dict(planes)


def _refuse(voxels: Sequence[NDArray[np.float64]], grid: Geometry, worst: dict[int, float]) -> None:
    """Raise DataError that says how contours lie that are in no planes of a grid."""
    spreads = {
        axis: max(float(np.ptp(points[:, axis])) * grid.spacing[axis] for points in voxels)
        for axis in (2, 1, 0)
    }
    axis = min(spreads, key=lambda axis: spreads[axis])
    if spreads[axis] <= _ACROSS * grid.spacing[axis]:
        raise DataError(
            f"has contours up to {worst[axis]:.2g} mm from the planes of the image, which are"
            f" {grid.spacing[axis]:.4g} mm apart: they were drawn on another image"
        )
    raise DataError(
        f"has contours that lie across the planes of the image, by {spreads[axis]:.3g} mm or more:"
        " they were drawn on an image of another orientation"
    )


def _check_gaps(filled: dict[int, Patch], axis: int, grid: Geometry, notes: list[str]) -> None:
    """Note planes that are skipped within an object; raise DataError where most are."""
    numbers = sorted(number for number, patch in filled.items() if patch.mask.any())
    steps = np.diff(numbers)
    gaps = [
        (a, b)
        for a, b in pairwise(numbers)
        if b - a > 1 and (parts := overlap(filled[a], filled[b])) and (parts[0] & parts[1]).any()
    ]
    if len(gaps) > 1 and np.median(steps) > 1:
        raise DataError(
            f"has contours in {len(numbers)} planes, mostly every {_ordinal(int(np.median(steps)))}"
            " one of the image: what lies between them was left to be interpolated"
        )
    if gaps:
        skipped = sum(b - a - 1 for a, b in gaps)
        places = ", ".join(
            f"between {_place(a, axis, grid)} and {_place(b, axis, grid)}" for a, b in gaps[:3]
        )
        more = f", and {len(gaps) - 3} more gaps" if len(gaps) > 3 else ""
        notes.append(
            f"{_has(skipped, 'plane', ' within it')} no contour, {places}{more}:"
            f" {'it stays' if skipped == 1 else 'they stay'} empty"
        )


def _place(number: int, axis: int, grid: Geometry) -> str:
    """Say where a plane of a grid lies, for messages: that of its first voxel, LPS mm."""
    voxel = np.zeros(3)
    voxel[axis] = number
    along = int(np.argmax(np.abs(grid.affine[:3, axis])))
    return f"{'xyz'[along]} = {(grid.voxel_to_world(voxel[None])[0] * LPS_RAS)[along]:.2f} mm"


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def _contours(count: int) -> str:
    return "1 contour" if count == 1 else f"{count} contours"


def _has(count: int, noun: str, which: str = "") -> str:
    return f"1 {noun}{which} has" if count == 1 else f"{count} {noun}s{which} have"


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{_contours(count)} of type {kind}" for kind, count in sorted(kinds.items()))
