"""The largest diameters of a mask, in mm, as radiologists measure a lesion.

Between centres of outer voxel faces, those between a voxel of the mask and one outside of it:
the vertices of the mask's marching-cubes surface. The 3D one is PyRadiomics' Maximum3DDiameter.
The axial one is measured within a slice; PyRadiomics' Maximum2DDiameterSlice also compares faces
that lie between two slices, one of either, and so is larger where a surface is stepped.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.errors import DataError
from interactivenet.evaluation.metrics import checked_spacing
from interactivenet.imaging.components import bounding_box

#: in so many directions the widths of planes are compared
_DIRECTIONS = 16
#: of a length, what its computation may be off by
_ROUNDING = 1e-9
#: of so many points all are compared with all: a hull would take longer
_FEW = 300


def largest_diameters(mask: ArrayLike, spacing: ArrayLike) -> tuple[float, float]:
    """Measure the largest axial and the largest 3D diameter of a mask, mm; 0, 0 of an empty one.

    mask: (X, Y, Z) along RAS+.  spacing: (3,) mm.
    The axial diameter lies within a plane of voxels of constant Z, between faces across X or Y.
    Raises DataError where the mask is no volume or the spacing no spacing.
    """
    inside, sides = np.asarray(mask) != 0, checked_spacing(spacing)
    if inside.ndim != 3:
        raise DataError(f"a mask must have shape (X, Y, Z), got {inside.shape}")
    box = bounding_box(inside)
    if box is None:
        return 0.0, 0.0
    ends = [_ends(inside[box], axis) for axis in range(3)]
    across = np.concatenate(ends[:2])
    across = across[np.argsort(across[:, 2], kind="stable")]
    begins = np.flatnonzero(np.diff(across[:, 2], prepend=-1))
    # no diameter is smaller than a plane's width in any direction; none of one that lies between
    # two of the directions is larger than their widths by more than this
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    along = (across[:, :2] * sides[:2]) @ np.stack([np.cos(angles), np.sin(angles)])
    widths = np.maximum.reduceat(along, begins) - np.minimum.reduceat(along, begins)
    widest = widths.max(axis=1)
    possible = widest / np.cos(np.pi / (2 * _DIRECTIONS)) >= widest.max() * (1 - _ROUNDING)
    planes = np.split(across[:, :2], begins[1:])
    axial = max(_farthest(planes[place], sides[:2]) for place in np.flatnonzero(possible))
    return axial, _farthest(np.concatenate(ends), sides)


def _ends(mask: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """Centres (N, 3), voxels, of the outermost faces of every line of voxels along an axis.

    The faces between them lie on the segment that joins these: none is farther from anything than
    both ends are.
    """
    lines = np.moveaxis(mask, axis, -1)
    places = np.argwhere(lines.any(axis=-1))
    occupied = lines[tuple(places.T)]
    first = occupied.argmax(axis=-1) - 0.5
    last = occupied.shape[-1] - occupied[:, ::-1].argmax(axis=-1) - 0.5
    faces = [np.insert(places.astype(np.float64), axis, end, axis=1) for end in (first, last)]
    return np.concatenate(faces)


def _farthest(points: NDArray[np.float64], sides: NDArray[np.float64]) -> float:
    """Distance, mm, of the two of the points (N, D), voxels, that lie farthest apart.

    Both are corners of the convex hull, which has a volume: a voxel has faces on all sides.
    """
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    placed = points * sides
    outer = _outer(placed)
    if len(outer) > _FEW:
        try:
            outer = outer[ConvexHull(outer).vertices]
        except QhullError:  # what is left of a thin disc lies in one plane
            outer = placed[ConvexHull(placed).vertices]
    return float(pdist(outer).max())


def _outer(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out most of the points (N, D), mm, that cannot be one of the two farthest apart."""
    from scipy.spatial.distance import pdist

    axes = np.array(list(product((-1, 0, 1), repeat=points.shape[1]))).T
    along = points @ axes
    extremes = points[np.unique(np.concatenate([along.argmax(axis=0), along.argmin(axis=0)]))]
    first, second = np.triu_indices(len(extremes), 1)
    distances = pdist(extremes)
    at_least, place = float(distances.max()), int(distances.argmax())
    middle = (extremes[first[place]] + extremes[second[place]]) / 2
    radii = np.linalg.norm(points - middle, axis=1)
    # the other one is no farther from the middle than the farthest of all
    kept = points[radii >= at_least * (1 - _ROUNDING) - radii.max()]
    return np.asarray(kept)
