"""What is seen of an object in a small picture: which part of the scan, and which grey values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.components import Box3D
from interactivenet.imaging.geometry import Array
from interactivenet.plotting.planes import choose_window

#: edge of a plane's picture, pixels
PANEL = 148
#: what is shown around the object: this share of its extent, at least so many mm
_CONTEXT, _CONTEXT_MM = 0.3, 10.0
#: so many voxels decide the window and the centre of an object; of larger ones every second, third
_SAMPLED = 40_000
_NONE: NDArray[np.float64] = np.empty((0, 3))


@dataclass(frozen=True, eq=False)
class PicturedObject:
    """An object of a picture.

    number: its value in the map of objects.  box: around its voxels there, None for none.
    text: name, volume and so on.  review: whether it is to be looked at first.
    points, positive, negative: (N, 3) voxels, fractions allowed: margin points and corrections.
    """

    number: int
    box: Box3D | None
    text: str
    review: bool = False
    points: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    positive: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    negative: NDArray[np.float64] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, eq=False)
class View:
    """What is seen around an object: a cube of ``side`` mm around its ``middle`` (3,), mm.

    In mm from the centre of the first voxel along each axis.  spacing: (3,) mm.  shape: voxels.
    """

    middle: NDArray[np.float64]
    side: float
    spacing: NDArray[np.float64]
    shape: tuple[int, ...]

    def voxels(self, axis: int) -> NDArray[np.intp]:
        """Return which voxel each pixel shows along an axis, in the axis' direction."""
        offsets = (np.arange(PANEL) + 0.5) / PANEL - 0.5
        places = (self.middle[axis] + offsets * self.side) / self.spacing[axis]
        return np.asarray(np.floor(places + 0.5), np.intp)

    def seen(self, axis: int) -> slice:
        """Return the voxels along an axis that are seen, as far as the scan reaches; one at least.

        One more at each end: a pixel may hold the centre of a voxel that it does not show.
        """
        voxels, last = self.voxels(axis), self.shape[axis] - 1
        first = min(max(int(voxels[0]) - 1, 0), last)
        return slice(first, min(max(int(voxels[-1]) + 1, first), last) + 1)

    def pixels(self, voxels: NDArray[np.float64], axis: int) -> NDArray[np.intp]:
        """Return at which pixel voxels lie along an axis; some are outside of the picture."""
        share = (voxels * self.spacing[axis] - self.middle[axis]) / self.side + 0.5
        return np.asarray(np.floor(share * PANEL), np.intp)


def frame(
    pictured: PicturedObject,
    channel: Array,
    spacing: tuple[float, float, float],
    instance_map: Array,
) -> tuple[View, NDArray[np.intp], tuple[float, float]]:
    """Choose what is seen of an object: view, the voxel (3,) its planes go through, and window."""
    sides, shape = np.array(spacing), channel.shape
    corners = [np.rint(pictured.points).astype(np.intp)]
    if pictured.box:
        corners.append(np.array([[side.start, side.stop - 1] for side in pictured.box]).T)
    outermost = np.concatenate(corners)
    if not len(outermost):
        outermost = np.array([[0, 0, 0], np.array(shape) - 1])
    low, high = outermost.min(axis=0) - 0.5, outermost.max(axis=0) + 0.5
    extent = (high - low) * sides
    side = float((extent + 2 * np.maximum(extent * _CONTEXT, _CONTEXT_MM)).max())
    view = View((low + high) / 2 * sides, side, sides, shape)
    around = tuple(view.seen(axis) for axis in range(3))
    inside = instance_map[_thinned(around)] == pictured.number
    window = choose_window(channel[_thinned(around)], inside)
    if not np.isfinite(window).all():
        window = (0.0, 1.0)
    return view, _centre(pictured, instance_map, outermost), window


def _thinned(box: tuple[slice, ...]) -> tuple[slice, ...]:
    """Leave out voxels of a box, so that few enough are left."""
    voxels = float(np.prod([side.stop - side.start for side in box]))
    step = max(1, int(np.ceil((voxels / _SAMPLED) ** (1 / 3))))
    return tuple(slice(side.start, side.stop, step) for side in box)


def _centre(
    pictured: PicturedObject, instance_map: Array, outermost: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Choose the voxel (3,) of the object that is closest to the middle of them all."""
    if pictured.box is None:
        middle = np.rint(outermost.mean(axis=0)).astype(np.intp)
        return np.asarray(middle.clip(0, np.array(instance_map.shape) - 1))
    for box in (_thinned(pictured.box), pictured.box):  # a thin object may have none of the first
        voxels = np.argwhere(instance_map[box] == pictured.number)
        if len(voxels):
            break
    apart = np.linalg.norm(voxels - voxels.mean(axis=0), axis=1)
    start, step = np.array([[side.start, side.step or 1] for side in box]).T
    return np.asarray(start + voxels[apart.argmin()] * step)
