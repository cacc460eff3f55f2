"""Voxel grids: where voxels are in the patient.

Two words that are kept apart everywhere: the *stored grid* is the grid as the file has it, in
any orientation; the *RAS grid* is the same lattice with its axes permuted and flipped so that
they run to the patient's right, anterior and superior side (the closest such axes, for an
oblique scan). Arrays inside the program lie on the RAS grid; files keep their stored grid.
World coordinates are RAS+ millimetres, as in nibabel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.errors import DataError

Array = NDArray[Any]

#: signs of a place in LPS+, as DICOM and ITK have it, that make it one in RAS+, and back
LPS_RAS = np.array([-1.0, -1.0, 1.0])
#: two grids are one when no corner of the volume moves by more than this (mm)
SAME_GRID_MM = 1e-3
#: two voxel axes whose directions' cosine exceeds this are not perpendicular: a sheared grid
MAX_SHEAR = 1e-3
#: voxels this small or large (mm), or this far away, are a broken header's: no patient has them,
#: nor has a microscope
MIN_SPACING_MM, MAX_SPACING_MM, MAX_ORIGIN_MM = 1e-6, 1e6, 1e9
#: spacing ratio from which the coarsest axis counts as coarse (nnU-Net's rule)
ANISOTROPY = 3.0


@dataclass(frozen=True, eq=False)
class Doubt:
    """Why it is not certain where a grid lies: the file's header places it in two ways.

    reason: in words.  affines: name of each way, as ``use_form`` has it -> (4, 4), stored voxel ->
    RAS+ mm.
    """

    reason: str
    affines: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Geometry:
    """A voxel grid in the patient.

    Attributes:
        shape: Voxels along the three axes.
        affine: (4, 4) float64, homogeneous voxel index -> RAS+ mm; integer indices are the centres
            of voxels. It cannot be written to.
        native: Geometry fields of the file that it was read from, in that format's own terms, so
            that writing the same format repeats them bit for bit (owned by ``imaging``).
        doubt: Where the file places its voxels in two ways, and nobody has said which is meant:
            points in mm must not be used on such a grid. None where it is certain.

    Raises:
        DataError: The shape is not three positive numbers, or the affine is not finite, singular or
            sheared.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    native: Any = field(default=None, repr=False)
    doubt: Doubt | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise DataError(f"shape must be three positive numbers, got {shape}")
        if affine.shape != (4, 4):
            raise DataError(f"affine must have shape (4, 4), got {affine.shape}")
        if not np.isfinite(affine).all():
            raise DataError("affine has values that are not finite")
        with np.errstate(over="ignore"):
            spacing = np.linalg.norm(affine[:3, :3], axis=0)
        if spacing.min() <= 0:
            raise DataError(f"voxel spacing must be positive, got {_numbers(spacing)} mm")
        plausible = (spacing > MIN_SPACING_MM) & (spacing < MAX_SPACING_MM)
        if not plausible.all() or np.abs(affine[:3, 3]).max() > MAX_ORIGIN_MM:
            raise DataError(
                f"no scan has a spacing of {_numbers(spacing)} mm and its origin at"
                f" {_numbers(affine[:3, 3])} mm: its header is broken"
            )
        cosines = np.abs(np.triu((affine[:3, :3] / spacing).T @ (affine[:3, :3] / spacing), 1))
        if cosines.max() > MAX_SHEAR:
            angle = np.degrees(np.arccos(min(1.0, float(cosines.max()))))
            raise DataError(
                f"the affine is sheared: two voxel axes meet at {angle:.1f} degrees, expected 90"
                " (a tilted gantry? resample the scan first)"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @cached_property
    def _to_voxel(self) -> NDArray[np.float64]:
        return np.asarray(np.linalg.inv(self.affine))

    @cached_property
    def _axes(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """For each RAS axis: the stored axis that runs along it, and whether it runs backwards.

        The assignment with the greatest sum of cosines. Where two axes tie (a grid turned by 45
        degrees) the directions decide, never the order in which the axes are stored: one
        lattice has one RAS grid.
        """
        cosines = np.round(self.affine[:3, :3] / np.array(self.spacing), 6)

        def rank(order: tuple[int, ...]) -> tuple[float, list[float]]:
            turned = cosines[:, list(order)]
            turned = turned * np.where(np.diag(turned) < 0, -1.0, 1.0)
            return round(float(np.trace(turned)), 5), (turned + 0.0).ravel().tolist()

        a, b, c = max(permutations((0, 1, 2)), key=rank)
        return (a, b, c), (
            bool(cosines[0, a] < 0),
            bool(cosines[1, b] < 0),
            bool(cosines[2, c] < 0),
        )

    @property
    def orientation(self) -> str:
        """Three letters, to which side of the patient each axis runs: 'RAS', 'LPS', 'PIR' ..."""
        order, flipped = self._axes
        letters = [""] * 3
        for ras_axis, (axis, flip) in enumerate(zip(order, flipped, strict=True)):
            letters[axis] = ("RL", "AP", "SI")[ras_axis][flip]
        return "".join(letters)

    def to_ras(self, array: Array) -> Array:
        """View an array (..., *shape) of this grid with its last three axes along RAS+."""
        order, flipped = self._axes
        lead = array.ndim - 3
        turned = array.transpose([*range(lead), *(lead + axis for axis in order)])
        return _flipped(turned, flipped)

    def from_ras(self, array: Array) -> Array:
        """Undo :meth:`to_ras`: view an array (..., X, Y, Z) along RAS+ on this grid."""
        order, flipped = self._axes
        lead = array.ndim - 3
        turned = _flipped(array, flipped)
        back = [order.index(axis) for axis in range(3)]
        turned = turned.transpose([*range(lead), *(lead + axis for axis in back)])
        if turned.shape[lead:] != self.shape:
            raise ValueError(
                f"array must have shape {self.ras.shape} along RAS+, got {array.shape}"
            )
        return np.asarray(turned)

    def box_from_ras(self, array: Array, start: ArrayLike) -> tuple[Array, tuple[int, int, int]]:
        """View part of a volume along RAS+ on this grid, and say where in it the part begins.

        array: (..., x, y, z), the box that starts at voxel ``start`` (3,) of the RAS grid.
        """
        order, flipped = self._axes
        first, size = np.asarray(start), np.array(array.shape[-3:])
        mirrored = np.array(self.ras.shape) - first - size
        begins = np.where(flipped, mirrored, first)
        back = [order.index(axis) for axis in range(3)]
        lead = array.ndim - 3
        turned = _flipped(array, flipped)
        turned = turned.transpose([*range(lead), *(lead + axis for axis in back)])
        x, y, z = (int(begins[axis]) for axis in back)
        return np.asarray(turned), (x, y, z)

    def box_to_ras(self, array: Array, start: ArrayLike) -> tuple[Array, tuple[int, int, int]]:
        """Undo :meth:`box_from_ras`."""
        order, flipped = self._axes
        turned = self.to_ras(array)
        begins = np.asarray(start)[list(order)]
        mirrored = np.array(self.ras.shape) - begins - np.array(turned.shape[-3:])
        x, y, z = (int(start) for start in np.where(flipped, mirrored, begins))
        return turned, (x, y, z)

    @cached_property
    def ras(self) -> Geometry:
        """The same lattice with its axes along RAS+; itself where they already are."""
        order, flipped = self._axes
        if order == (0, 1, 2) and not any(flipped):
            return self
        affine = np.array(self.affine)
        affine[:3, :3] = self.affine[:3, order] * np.where(flipped, -1.0, 1.0)
        last = [
            self.shape[axis] - 1 if flip else 0 for axis, flip in zip(order, flipped, strict=True)
        ]
        affine[:3, 3] -= affine[:3, :3] @ np.array(last, dtype=np.float64)
        shape = (self.shape[order[0]], self.shape[order[1]], self.shape[order[2]])
        ras = Geometry(shape, affine)
        ras.__dict__["_axes"] = ((0, 1, 2), (False, False, False))  # settled, whatever rounding
        return ras

    def voxel_to_world(self, voxels: ArrayLike) -> NDArray[np.float64]:
        """Turn voxel indices (N, 3), fractions allowed, into RAS+ mm (N, 3)."""
        world = _rows(voxels, "voxels") @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.asarray(world, dtype=np.float64)

    def world_to_voxel(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn RAS+ mm (N, 3) into continuous voxel indices (N, 3)."""
        voxels = (_rows(points, "points") - self.affine[:3, 3]) @ self._to_voxel[:3, :3].T
        return np.asarray(voxels, dtype=np.float64)

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell for each point (N, 3), RAS+ mm, whether it lies in a voxel of the grid."""
        voxels = self.world_to_voxel(points)
        slack = 1e-4  # of a voxel: rounding of float32 headers
        upper = np.array(self.shape) - 0.5 + slack
        return np.asarray(((voxels >= -0.5 - slack) & (voxels <= upper)).all(axis=1))

    def nearest_voxel(self, points: ArrayLike) -> NDArray[np.intp]:
        """Give the indices (N, 3) of the voxels that hold the points (N, 3), RAS+ mm.

        Raises DataError, naming the points, where some lie outside the grid.
        """
        points = _rows(points, "points")
        outside = ~self.contains(points)
        if outside.any():
            positions = ", ".join(_numbers(point) for point in points[outside])
            raise DataError(f"points outside the image: {positions} mm (RAS); the image has {self}")
        voxels = np.rint(self.world_to_voxel(points)).astype(np.intp)
        return np.asarray(np.clip(voxels, 0, np.array(self.shape) - 1))

    def difference_mm(self, grid: Geometry) -> float:
        """Return how far the volume's corners lie apart on the two grids; inf for other shapes."""
        if self.shape != grid.shape:
            return float("inf")
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(self.shape) - 1)
        apart = self.voxel_to_world(corners) - grid.voxel_to_world(corners)
        return float(np.linalg.norm(apart, axis=1).max())

    def is_same_lattice(self, grid: Geometry) -> bool:
        """Whether both describe the same voxels in the patient, in whichever stored order."""
        return self.ras.difference_mm(grid.ras) <= SAME_GRID_MM

    def __str__(self) -> str:
        return (
            f"shape {self.shape[0]}x{self.shape[1]}x{self.shape[2]},"
            f" spacing {_numbers(self.spacing)} mm, origin {_numbers(self.affine[:3, 3])} mm,"
            f" orientation {self.orientation}"
        )


def coarse_axes(spacing: ArrayLike) -> NDArray[np.bool_]:
    """Tell which axes (3,) are coarse: at least ``ANISOTROPY`` times the finest spacing (mm)."""
    spacing = np.asarray(spacing, dtype=np.float64)
    return np.asarray(spacing >= ANISOTROPY * spacing.min())


#: an index of the last three axes of any array
Box = tuple[EllipsisType, slice, slice, slice]


def box(start: ArrayLike, stop: ArrayLike) -> Box:
    """Return the index of the voxels from ``start`` (3,) to before ``stop`` (3,).

    Of the last three axes, whatever comes before: ``image[box(start, stop)]``.
    """
    x, y, z = (slice(int(a), int(b)) for a, b in np.stack([start, stop], axis=1))
    return ..., x, y, z


def _flipped(array: Array, flipped: tuple[bool, bool, bool]) -> Array:
    x, y, z = (slice(None, None, -1 if flip else 1) for flip in flipped)
    return np.asarray(array[..., x, y, z])


def _rows(points: ArrayLike, name: str) -> NDArray[np.float64]:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"{name} must have shape (N, 3), got {points.shape}")
    return points


def _numbers(values: ArrayLike) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in np.asarray(values)) + ")"
