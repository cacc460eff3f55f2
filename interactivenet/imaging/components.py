"""Connected components of masks, the boxes around them, and the voxels of label values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from interactivenet.imaging.geometry import Array

Mask = NDArray[np.bool_]
Box3D = tuple[slice, slice, slice]

#: what touches a voxel: by a face, an edge or a corner
NEIGHBOURS_26 = np.ones((3, 3, 3), dtype=bool)


def label_components(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Number the 26-connected components of a mask (X, Y, Z).

    Returns the numbers (X, Y, Z), from 1, 0 for background, and how many components there are.
    """
    numbers, count = ndimage.label(mask, structure=NEIGHBOURS_26)
    return numbers, int(count)


def component_sizes(numbers: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Count the voxels (count + 1,) of each of the numbers (X, Y, Z) from 1 on; 0 of background."""
    sizes = np.zeros(count + 1, np.int64)
    for slab in numbers:  # slab by slab: bincount copies to 64 bits
        sizes += np.bincount(slab.ravel(), minlength=count + 1)
    sizes[0] = 0
    return sizes


def bounding_box(mask: Mask) -> Box3D | None:
    """Return the index of the smallest box around a mask (X, Y, Z); None for an empty mask."""
    box = []
    for across in ((1, 2), (0, 2), (0, 1)):
        # eight times as fast as scipy's find_objects, which reads integers
        inside = np.flatnonzero(mask.any(axis=across))
        if not len(inside):
            return None
        box.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return box[0], box[1], box[2]


def label_counts(label: Array) -> dict[int, int]:
    """Count the voxels of each foreground value of a label map (X, Y, Z)."""
    if label.dtype.itemsize > 2:
        values, counts = np.unique(label, return_counts=True)
        return {int(value): int(n) for value, n in zip(values, counts, strict=True) if value}
    totals = np.zeros(np.iinfo(label.dtype).max + 1, np.int64)
    for slab in np.moveaxis(label, 2, 0):  # slab by slab: bincount copies to 64 bits
        totals += np.bincount(slab.ravel(), minlength=len(totals))
    return {int(value): int(totals[value]) for value in np.flatnonzero(totals) if value}
