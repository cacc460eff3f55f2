"""Volumes as the compiled kernels want them: padded, flat, the best axis in contiguous memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The kernels have these constants compiled in, and what numba has kept does not notice a change
# of this file: whoever changes one must edit kernels.py too.
#: the distance of a voxel that is not reached: far above any real one, far below overflow
FAR = np.float32(1e30)
#: voxels that a kernel handles at once, and rows are padded to a multiple of it
SEGMENT = 32
#: voxels of padding at either end of a row
HALO = 8

Order = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """A volume of ``shape`` whose axes were put in ``order``: voxels along axes z, y, x.

    The padded volume has one more plane and row at either end, and HALO more voxels (and what
    fills the last segment) along x.
    """

    shape: tuple[int, int, int]
    order: Order

    @property
    def segments(self) -> int:
        """Segments of a row."""
        return -(-self.shape[2] // SEGMENT)

    @property
    def padded(self) -> tuple[int, int, int]:
        """Shape of the padded volume."""
        return self.shape[0] + 2, self.shape[1] + 2, self.segments * SEGMENT + 2 * HALO

    @property
    def inner(self) -> tuple[slice, ...]:
        """Where the real voxels are in a padded array (..., z, y, x)."""
        return (..., slice(1, -1), slice(1, -1), slice(HALO, HALO + self.shape[2]))  # type: ignore[return-value]

    def pad(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Put an image (C, X, Y, Z) into flat padded channels (C, V); the padding is zero."""
        padded = np.zeros((len(image), *self.padded), dtype=np.float32)
        padded[self.inner] = image.transpose(0, *(axis + 1 for axis in self.order))
        return padded.reshape(len(image), -1)

    def start(self, seeds: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Distances to start from, padded (z, y, x): zero at the seeds (X, Y, Z), FAR elsewhere."""
        padded = np.full(self.padded, FAR)
        padded[self.inner][seeds.transpose(self.order)] = 0
        return padded

    def crop(self, padded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the real voxels (X, Y, Z) out of a padded volume; inf where not reached."""
        distance = np.empty([self.shape[self.order.index(axis)] for axis in range(3)], np.float32)
        distance.transpose(self.order)[...] = padded[self.inner]
        return distance


def in_given_order(shape: tuple[int, int, int]) -> Layout:
    """Lay out a volume with its axes as they are."""
    return Layout(shape, (0, 1, 2))


def in_best_order(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Layout:
    """Lay out a volume with the axis along x on which whole rows are handled best.

    That is a fine axis, since paths run along cheap steps and a row is settled in one go, and
    one that fills its segments.
    """

    def burden(axis: int) -> tuple[float, int]:
        filling = -(-shape[axis] // SEGMENT) * SEGMENT / shape[axis]
        return filling * (spacing[axis] / min(spacing)) ** 0.5, -axis

    x = min(range(3), key=burden)
    z, y = (axis for axis in range(3) if axis != x)
    return Layout((shape[z], shape[y], shape[x]), (z, y, x))
