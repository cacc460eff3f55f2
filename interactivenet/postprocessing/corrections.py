"""Clicks as hard constraints: an object's probability, corrected where a person has clicked.

A click shifts the log-odds around it, by as much as turns the clicked voxel and less and less
farther away. So what the network was unsure of follows first, and what it was sure of only near
the click. It needs neither the image nor a network that knows of clicks, takes milliseconds, and
no click is ever left unheeded. Measured against a random walker on the image and against a brush:
docs/explanation/corrections.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from interactivenet.imaging.geometry import Geometry, box
from interactivenet.prompts.prompt import Prompt

#: a voxel belongs to the object from this probability on
_THRESHOLD = 0.5
#: how far a click is felt, of the cube root of the object's volume: the shift is exp(-1) there
_REACH = 0.4
#: log-odds, on the click's side, of a voxel that a click has brought there
_SIDE = 0.5
#: log-odds beyond these count as these: what a network is sure of can be corrected, too
_MOST = 4.0
#: a shift of less than this is none
_LEAST = 0.05


@dataclass(frozen=True)
class VoxelClick:
    """A correction in a volume: the voxel (3,), and whether it belongs to the object."""

    voxel: tuple[int, int, int]
    positive: bool


def apply_corrections(
    probability: NDArray[Any],
    clicks: Sequence[VoxelClick],
    spacing: ArrayLike,
    *,
    earlier: Sequence[VoxelClick] = (),
) -> NDArray[Any]:
    """Return an object's probability (X, Y, Z) after clicks, one after the other.

    probability: of any floating-point type, which is kept.  spacing: (3,) mm.
    earlier: clicks that were applied before.

    A click's shift of the log-odds is that which brings the clicked voxel to its side, times
    exp(-(r / R)^2) at the distance r, where R is 0.4 of the cube root of the object's volume; up to
    the outline's distance from the click (and to R), voxels come to its side, whatever they were:
    who clicks on what is missing clicks into its middle. Of two clicks of different kinds, the
    later one reaches half of the way.

    No click: the very array. A positive click only adds, a negative one only removes, and all
    clicked voxels are 1 or 0 at the end. Clicks outside of the volume are ignored.
    """
    if not clicks:
        return probability
    spacing = np.asarray(spacing, np.float64)
    corrected: NDArray[Any] = probability.copy()
    applied = [each for each in earlier if _lies_in(each, corrected)]
    for click in clicks:
        if not _lies_in(click, corrected):
            continue
        _shift(corrected, click, applied, spacing)
        applied.append(click)
        for each in applied:
            corrected[each.voxel] = float(each.positive)
    return corrected


def _lies_in(click: VoxelClick, volume: NDArray[Any]) -> bool:
    return all(0 <= v < n for v, n in zip(click.voxel, volume.shape, strict=True))


def _shift(
    probability: NDArray[Any],
    click: VoxelClick,
    earlier: Sequence[VoxelClick],
    spacing: NDArray[np.float64],
) -> None:
    """Change a probability, in place, by one click."""
    volume = np.count_nonzero(probability >= _THRESHOLD) * spacing.prod()
    reach = _REACH * float(np.cbrt(volume))
    centre = np.array(click.voxel)
    opposed = [each.voxel for each in earlier if each.positive != click.positive]
    if opposed:
        reach = min(reach, np.linalg.norm((opposed - centre) * spacing, axis=1).min() / 2)
    if reach <= 0:
        return  # an empty object: only the clicked voxel is known
    farthest = reach * math.sqrt(math.log((_MOST + _SIDE) / _LEAST))
    margin = np.floor(farthest / spacing).astype(np.intp)
    start, stop = np.maximum(centre - margin, 0), centre + margin + 1
    part = probability[box(start, stop)]
    offsets = np.ogrid[tuple(slice(-int(c), n - int(c)) for c, n in
                             zip(centre - start, part.shape, strict=True))]  # fmt: skip
    squares = [(o * mm).astype(np.float32) ** 2 for o, mm in zip(offsets, spacing, strict=True)]
    squared = squares[0] + squares[1] + squares[2]

    side = 1.0 if click.positive else -1.0
    most = float(expit(_MOST))
    odds = logit(part.astype(np.float32).clip(1 - most, most)) * side
    needed = max(_SIDE - float(odds[tuple(centre - start)]), 0.0)
    shift = needed * np.exp(-squared / reach**2)
    there = squared[(part >= _THRESHOLD) == click.positive]
    inner = min(float(there.min()) if there.size else np.inf, reach**2)
    shift = np.where(squared <= inner, np.maximum(shift, _SIDE - odds), shift)
    new = expit((odds + shift) * side).astype(part.dtype)
    new = np.maximum(new, part) if click.positive else np.minimum(new, part)
    part[...] = np.where(shift < _LEAST, part, new)


def voxel_clicks(prompt: Prompt, grid: Geometry, start: ArrayLike = (0, 0, 0)) -> list[VoxelClick]:
    """Return a prompt's corrections as voxels of a grid, counted from the voxel ``start`` (3,).

    Raises DataError where one lies outside of the grid.
    """
    if not prompt.corrections:
        return []
    positions = np.array([each.position for each in prompt.corrections])
    voxels = (grid.nearest_voxel(positions) - np.asarray(start)).tolist()
    return [
        VoxelClick((x, y, z), each.positive)
        for (x, y, z), each in zip(voxels, prompt.corrections, strict=True)
    ]


def grown_to_hold(
    probability: NDArray[np.float16], clicks: Sequence[VoxelClick]
) -> tuple[NDArray[np.float16], NDArray[np.intp]]:
    """Grow a volume, with 0, until it holds every positive click; returns it, and its new start.

    The start (3,) is in voxels of the volume as it was, 0 or less.
    """
    voxels = np.array([each.voxel for each in clicks if each.positive], np.intp).reshape(-1, 3)
    before = np.maximum(-voxels.min(axis=0, initial=0), 0)
    after = np.maximum(voxels.max(axis=0, initial=0) + 1 - probability.shape, 0)
    if not (before.any() or after.any()):
        return probability, before
    return np.pad(probability, np.stack([before, after], axis=1)), -before


def corrected(
    prompt: Prompt,
    probability: NDArray[np.float16],
    start: tuple[int, int, int],
    grid: Geometry,
) -> tuple[NDArray[np.float16], tuple[int, int, int]]:
    """Apply a prompt's own corrections; returns its probability, and the first voxel of that.

    probability: (x, y, z), in a box of a scan's RAS ``grid`` from the voxel ``start`` on; it grows
    to hold every positive click. Without corrections, the very array.
    """
    clicks = voxel_clicks(prompt, grid, start)
    if not clicks:
        return probability, start
    grown, first = grown_to_hold(probability, clicks)
    x, y, z = (np.array(start) + first).tolist()
    return apply_corrections(grown, voxel_clicks(prompt, grid, (x, y, z)), grid.spacing), (x, y, z)


def ceded(
    prompt: Prompt,
    probability: NDArray[np.float16],
    start: tuple[int, int, int],
    others: Sequence[Prompt],
    grid: Geometry,
) -> NDArray[np.float16]:
    """Take from a prompt what others have clicked on: their positive clicks are negative for it.

    Else such a click would gain a single voxel, where this one's probability is higher.
    probability, start, grid: as for :func:`corrected`, after it. The very array where none of their
    clicks lies in what is this prompt's.
    """
    clicks = []
    for other in others:
        for x, y, z in (grid.nearest_voxel(other.positive) - np.array(start)).tolist():
            click = VoxelClick((x, y, z), False)
            if _lies_in(click, probability) and probability[x, y, z] >= _THRESHOLD:
                clicks.append(click)
    earlier = voxel_clicks(prompt, grid, start)
    return apply_corrections(probability, clicks, grid.spacing, earlier=earlier)


def still_labelled(prompt: Prompt, label: NDArray[Any], grid: Geometry) -> list[str]:
    """Name negative corrections in voxels that another object of the same label holds.

    label: map (X, Y, Z) on the RAS ``grid`` of the scan, of all objects.
    """
    numbers = [number for number, each in enumerate(prompt.corrections) if not each.positive]
    held = label[tuple(grid.nearest_voxel(prompt.negative).T)] == prompt.label
    named = [prompt.call_correction(number) for number, is_held in zip(numbers, held, strict=True)
             if is_held]  # fmt: skip
    if not named:
        return []
    verb = "lies" if len(named) == 1 else "lie"
    return [
        f"{', '.join(named)} {verb} in another object of its label, whose voxel stays in the label"
        " map: correct that one, too"
    ]
