"""The grid that belongs to an object: the box of its points on a fixed number of voxels.

Positions here are in *grid mm*: along the axes of a grid, its voxel v lies at v * spacing. The box
of the points is grown by how deep they lie below the object's extremes, which makes it about the
object's own; the sample is that box with a share of its extents around it. So every object looks
the same size to the network, whatever its own and whatever the scan's spacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.encoding import encode_prompts
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.geometry import box as box_of_voxels
from interactivenet.imaging.interpolation import interpolate_at
from interactivenet.planning.plan import CropMargins, Encoding, Plan
from interactivenet.prompts.margin_points import usual_depths
from interactivenet.prompts.prompt import Prompt

if TYPE_CHECKING:
    from torch import Tensor

Float64 = NDArray[np.float64]
Values = TypeVar("Values", NDArray[np.float32], "Tensor")

#: lengths of the grid's sides, in the units of the geodesic map: the same for every object
UNITS = 64.0
#: voxels: positions that differ by less are one
_SAME = 1e-6
#: an image whose values spread less than this share of their mean says nothing
_CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class ObjectBox:
    """Where an object should lie, and the box around it that the sample shows; grid mm, (3,) each.

    first, last: of the object, as its points and their depth tell.  low, high: of the sample.
    """

    first: Float64
    last: Float64
    low: Float64
    high: Float64

    def centres(self, shape: ArrayLike) -> list[Float64]:
        """Where the voxel centres of a sample (3,) lie along each axis, grid mm."""
        cells = self.cell(shape)
        return [
            low + (np.arange(n) + 0.5) * cell
            for n, low, cell in zip(np.asarray(shape).tolist(), self.low, cells, strict=True)
        ]

    def cell(self, shape: ArrayLike) -> Float64:
        """The size of a voxel (3,), mm, of a sample of that shape."""
        return np.asarray((self.high - self.low) / np.asarray(shape))

    def scan_voxels(
        self, spacing: ArrayLike, shape: ArrayLike
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first and one past the last voxel (3,) of a scan with their centres inside."""
        first = np.ceil(self.low / np.asarray(spacing) - _SAME)
        stop = np.floor(self.high / np.asarray(spacing) + _SAME) + 1
        start = first.clip(0, shape).astype(np.intp)
        return start, stop.clip(start, shape).astype(np.intp)

    def voxels_in_scan(
        self, shape: ArrayLike, spacing: ArrayLike, scan: ArrayLike
    ) -> tuple[slice, slice, slice]:
        """Return where the voxels of a sample lie whose centres are in a scan of that shape."""
        x, y, z = (
            slice(*np.searchsorted(at, [-mm / 2, (n - 0.5) * mm]).tolist())
            for at, mm, n in zip(
                self.centres(shape), np.asarray(spacing), np.asarray(scan), strict=True
            )
        )
        return x, y, z

    def voxels(self, positions: Float64, shape: ArrayLike) -> Float64:
        """Bring positions (N, 3), grid mm, to voxels of a sample of that shape."""
        return np.asarray((positions - self.low) / self.cell(shape) - 0.5)


def object_box(
    points: Float64, depth_mm: ArrayLike, spacing: ArrayLike, cut: CropMargins
) -> ObjectBox:
    """Place the box of points (N, 3), grid mm, that lie ``depth_mm`` (3,) below the extremes.

    Half a voxel of the scan (``spacing``, (3,) mm) comes on top: points are voxels. A depth larger
    than the points' extent cannot be: margin points are at most a third of an object deep.
    """
    first, last = points.min(axis=0), points.max(axis=0)
    half = np.asarray(spacing, dtype=np.float64) / 2
    grown = np.minimum(np.asarray(depth_mm, dtype=np.float64), last - first) + half
    first, last = first - grown, last + grown
    margins = cut.margins(last - first)
    return ObjectBox(first, last, first - margins[:, 0], last + margins[:, 1])


def assumed_depth(prompt: Prompt, plan: Plan, grid: Geometry) -> Float64:
    """How deep (3,), mm along a scan's axes, the points of a prompt are taken to lie.

    As the prompt says; else as the plan says; else as margin points are simulated.
    """
    depth = prompt.depth_mm or (plan.grid.depth_mm if plan.grid is not None else None)
    if depth is None:
        return np.asarray(usual_depths(grid.spacing) * np.array(grid.spacing), dtype=np.float64)
    return np.array(depth)


def standardise(image: Values) -> Values:
    """Bring each channel of an image (C, X, Y, Z) to mean 0 and deviation 1."""
    mean = image.mean((1, 2, 3))[:, None, None, None]
    centred = image - mean
    deviation = ((centred * centred).mean((1, 2, 3)) ** 0.5)[:, None, None, None]
    constant = deviation <= _CONSTANT * abs(mean) + 1e-30
    result: Values = centred / (deviation + constant)
    return result


def point_maps(image: Values, points: Float64, box: ObjectBox, encoding: Encoding) -> list[Values]:
    """Make the maps of points (N, 3), grid mm, on a standardised image (C, X, Y, Z).

    The geodesic map's lengths are in the object's units: the grid's sides are ``UNITS`` long. The
    ellipsoid is that through the object's box: 1 at its centre, 1/2 on it. Tensors for a tensor.
    """
    shape = tuple(image.shape[1:])
    voxels = np.rint(box.voxels(points, shape)).astype(np.intp).clip(0, np.array(shape) - 1)
    seeds: NDArray[np.bool_] = np.zeros(shape, dtype=bool)
    seeds[tuple(voxels.T)] = True
    x, y, z = (UNITS / n for n in shape)
    maps = [encode_prompts(image, seeds, (x, y, z), encoding)]
    if encoding.extent:
        maps.append(_like(_ellipsoid(box, shape), image))
    return maps


def _like(array: NDArray[np.float32], image: Values) -> Values:
    """Return an array as what the image is: itself, or a tensor on the image's device."""
    if isinstance(image, np.ndarray):
        return array
    from torch import from_numpy

    return from_numpy(array).to(image.device)


def sample_at(
    array: Array, grid: Geometry, box: ObjectBox, shape: ArrayLike, origin: Float64,
    *, nearest: bool = False,
) -> NDArray[np.float32]:  # fmt: skip
    """Interpolate an array (..., X, Y, Z) on a grid at the voxels (3,) of a sample.

    origin: (3,) where the array's first voxel lies in the grid mm of ``box``.
    """
    positions = [
        (at - first) / mm
        for at, first, mm in zip(box.centres(shape), origin, grid.spacing, strict=True)
    ]
    return interpolate_at(array, positions, nearest=nearest)


def mask_at(
    label: Array, grid: Geometry, box: ObjectBox, shape: ArrayLike, origin: Float64
) -> NDArray[np.uint8]:
    """Like :func:`sample_at`, of a mask: 1 where it is more than a half.

    Beyond the scan, the mask of its outermost voxels goes on, as its image does.
    """
    return (sample_at(label, grid, box, shape, origin) > 0.5).astype(np.uint8)


def origin_in(grid: Geometry, of: Geometry) -> Float64:
    """Where (3,) the first voxel of a grid lies in the grid mm of another with the same axes."""
    return np.asarray(of.world_to_voxel(grid.voxel_to_world([[0, 0, 0]]))[0] * of.spacing)


def covered_by(box: ObjectBox, mask: Array, spacing: ArrayLike) -> float:
    """Return the fraction of a mask's voxels (X, Y, Z) whose centres lie in a sample's box."""
    start, stop = box.scan_voxels(spacing, mask.shape)
    inside = mask[box_of_voxels(start, stop)]
    total = int(np.count_nonzero(mask))
    return int(np.count_nonzero(inside)) / total if total else 1.0


def _ellipsoid(box: ObjectBox, shape: tuple[int, ...]) -> NDArray[np.float32]:
    centre, half = (box.first + box.last) / 2, (box.last - box.first) / 2
    x, y, z = (
        np.exp2(-(((at - c) / h) ** 2))
        for at, c, h in zip(box.centres(shape), centre, half, strict=True)
    )
    return np.asarray(x[:, None, None] * y[:, None] * z, dtype=np.float32)
