"""Closed polygons in a plane of voxels: what they enclose, together and each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.components import Mask

#: voxels; what is nearer than that to a voxel's centre runs through it
DIGITS = 6
#: a contour that is this many times farther away than the image is large is not of this image
_FAR = 2

Points2D = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Patch:
    """A contour in its plane: mask (U, V) of its own box, which starts at voxel ``start``."""

    start: tuple[int, int]
    mask: Mask

    @property
    def stop(self) -> tuple[int, int]:
        """The voxel after its box's last one."""
        return self.start[0] + self.mask.shape[0], self.start[1] + self.mask.shape[1]


def even_odd(points: Points2D, start: tuple[int, int], shape: tuple[int, int]) -> Mask:
    """Mark which voxel centres (U, V) of a box a closed polygon (N, 2) encloses, even-odd.

    start: the box's first voxel.  A centre on the polygon itself is inside on the sides where the
    coordinates are lowest, so that of two polygons that share an edge one has it. An edge that runs
    there and back again, as in a keyhole, encloses nothing.
    """
    toggled = np.zeros((shape[0] + 1, shape[1]), np.int64)
    first = points - np.array(start)
    second = np.roll(first, -1, axis=0)
    # upwards, so that an edge crosses at one place, whichever way it runs
    up = (first[:, 1] < second[:, 1])[:, None]
    low, high = np.where(up, first, second), np.where(up, second, first)
    begin = np.clip(np.ceil(low[:, 1]), 0, shape[1]).astype(np.int64)
    counts = np.clip(np.ceil(high[:, 1]), 0, shape[1]).astype(np.int64) - begin
    edges = np.repeat(np.arange(len(low)), counts)
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + begin[edges]
    (u, v), (end_u, end_v) = low[edges].T, high[edges].T
    crossed = u + (rows - v) * (end_u - u) / (end_v - v)
    column = np.clip(np.ceil(np.round(crossed, DIGITS)), 0, shape[0]).astype(np.int64)
    np.add.at(toggled, (column, rows), 1)
    return np.asarray(np.cumsum(toggled[:-1], axis=0) % 2 == 1)


def patch_of(points: Points2D, size: tuple[int, int]) -> Patch:
    """Rasterise a polygon (N, 2), in voxels, of an image's plane of a size.

    Raises DataError where it lies far outside of the image.
    """
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    if (low < -_FAR * np.array(size)).any() or (high > (_FAR + 1) * np.array(size)).any():
        raise DataError("has contours far outside of the image: they are of another scan")
    u, v = (int(value) for value in low)
    shape = int(high[0]) - u + 1, int(high[1]) - v + 1
    return Patch((u, v), even_odd(points, (u, v), shape))


def joined(patches: Sequence[Patch]) -> Patch:
    """Return what an odd number of patches covers."""
    if len(patches) == 1:
        return patches[0]
    u, v = (min(patch.start[axis] for patch in patches) for axis in (0, 1))
    end_u, end_v = (max(patch.stop[axis] for patch in patches) for axis in (0, 1))
    whole = Patch((u, v), np.zeros((end_u - u, end_v - v), dtype=bool))
    for patch in patches:
        left, top = patch.start[0] - u, patch.start[1] - v
        part = whole.mask[left : left + patch.mask.shape[0], top : top + patch.mask.shape[1]]
        part ^= patch.mask
    return whole


def overlap(a: Patch, b: Patch) -> tuple[Mask, Mask] | None:
    """Return the parts of two patches in the box that both cover; None where there is none."""
    start = np.maximum(a.start, b.start)
    stop = np.minimum(a.stop, b.stop)
    if (stop <= start).any():
        return None
    u, v = (slice(int(x), int(y)) for x, y in zip(start, stop, strict=True))
    parts = [
        patch.mask[u.start - patch.start[0] : u.stop - patch.start[0],
                   v.start - patch.start[1] : v.stop - patch.start[1]]
        for patch in (a, b)
    ]  # fmt: skip
    return parts[0], parts[1]


def crossing(patches: Sequence[Patch]) -> int:
    """Count the voxels that two of several patches have in common, neither within the other.

    Patches that are the same have all of theirs in common: contours as good as copies.
    """
    if len(patches) < 2:
        return 0
    starts = np.array([patch.start for patch in patches])
    stops = np.array([patch.stop for patch in patches])
    near = (starts[:, None] < stops[None]).all(axis=2)  # of thousands, few boxes are
    count = 0
    for first, second in np.argwhere(np.triu(near & near.T, 1)).tolist():
        a, b = patches[first], patches[second]
        if parts := overlap(a, b):
            both = int(np.count_nonzero(parts[0] & parts[1]))
            sizes = np.count_nonzero(a.mask), np.count_nonzero(b.mask)
            count += both if both < min(sizes) or both == max(sizes) else 0
    return count


def within(patch: Patch, size: tuple[int, int]) -> tuple[slice, slice]:
    """Return the part of a patch's box that lies in a plane of a size."""
    u, v = (
        slice(*np.clip((patch.start[axis], patch.stop[axis]), 0, size[axis]).tolist())
        for axis in (0, 1)
    )
    return u, v
