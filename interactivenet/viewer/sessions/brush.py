"""Outlines that a person has painted over: the last resort."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.components import bounding_box
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.io import read_label
from interactivenet.postprocessing.judging import hold_points
from interactivenet.postprocessing.merging import Segmentation, SegmentedObject
from interactivenet.system.files import remove, write_bytes

#: in messages, in place of a temporary file
_MASK = "the mask"


@dataclass(frozen=True, eq=False)
class Painted:
    """A mask that is an object's outline for as long as its marks stay.

    marks: points and corrections that it was painted over.  mask: (x, y, z) bool, in a box of the
    scan along RAS+.
    """

    marks: tuple[Any, ...]
    mask: NDArray[np.bool_]
    box: tuple[slice, slice, slice]


def paint(marks: tuple[Any, ...], mask: NDArray[np.bool_]) -> Painted:
    """Keep a mask (X, Y, Z) along RAS+; raises RequestError where it is empty."""
    box = bounding_box(mask)
    if box is None:
        raise RequestError(f"{_MASK} is empty", expected="voxels of the object")
    return Painted(marks, mask[box].copy(), box)


def painted_over(result: Segmentation, painted: Mapping[int, Painted]) -> Segmentation:
    """Put masks in place of objects' outlines; what they cover of others is theirs.

    painted: by the number of the object in the result, from 0, in the order they were painted in.
    """
    if not painted:
        return result
    label, instance = result.label.copy(), result.instance_map.copy()
    for number in painted:
        before = instance == number + 1
        label[before], instance[before] = 0, 0
    for number, each in painted.items():
        value = result.objects[number].prompt.label
        label[each.box][each.mask], instance[each.box][each.mask] = value, number + 1
    objects = tuple(
        _described(segmented, instance, number, result.source.ras, is_painted=number in painted)
        for number, segmented in enumerate(result.objects)
    )
    return replace(result, label=label, instance_map=instance, objects=objects)


def read_mask(data: bytes, grid: Geometry, folder: Path) -> Array:
    """Read a mask (X, Y, Z) along RAS+, bool, from a NIfTI file's bytes.

    grid: the stored grid of the scan that it lies on.  folder: for a temporary file.
    Raises DataError where it is no such file, or lies elsewhere.
    """
    suffix = ".nii.gz" if data[:2] == b"\x1f\x8b" else ".nii"
    path = folder / f"mask-{secrets.token_hex(8)}{suffix}"
    try:
        write_bytes(path, data)
        label = read_label(path, image=(Path("the image"), grid))
    except DataError as error:
        raise DataError(str(error).replace(str(path), _MASK)) from error
    finally:
        remove(path)
    return np.asarray(label.array[0] != 0)


def _described(
    segmented: SegmentedObject, instance: Array, number: int, grid: Geometry, *, is_painted: bool
) -> SegmentedObject:
    """Measure an object again; nothing is expected of what a person has painted."""
    mask = instance == number + 1
    volume = int(np.count_nonzero(mask)) * (float(np.prod(grid.spacing)) / 1000)
    if not is_painted and volume == segmented.volume_ml:
        return segmented
    prompt = segmented.prompt
    held = hold_points(
        mask, grid.nearest_voxel(prompt.points), touching=grid.nearest_voxel(prompt.positive)
    )
    changed = replace(
        segmented, volume_ml=volume, points_inside=held.inside, components=held.components,
        untouched_components=held.untouched,
    )  # fmt: skip
    if not is_painted:
        return changed
    return replace(changed, expected_dice=None, needs_review=None, reasons=(), beyond_extremes=0.0)
