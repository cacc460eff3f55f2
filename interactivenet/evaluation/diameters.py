"""The largest diameters of a mask, in mm, as radiologists measure a lesion.

Between centres of outer voxel faces, those between a voxel of the mask and one outside of it:
the vertices of the mask's marching-cubes surface. The 3D one is PyRadiomics' Maximum3DDiameter.
The axial one is measured within a slice; PyRadiomics' Maximum2DDiameterSlice also compares faces
that lie between two slices, one of either, and so is larger where a surface is stepped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from interactivenet.errors import DataError
from interactivenet.evaluation.metrics import checked_spacing
from interactivenet.imaging.components import bounding_box


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
    axial = 0.0
    for height in np.unique(across[:, 2]):
        plane = across[across[:, 2] == height, :2]
        # no diameter exceeds the diagonal of the box around it
        if np.linalg.norm(np.ptp(plane, axis=0) * sides[:2]) > axial:
            axial = max(axial, _farthest(plane, sides[:2]))
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
    corners = points[ConvexHull(points).vertices] * sides
    return float(pdist(corners).max())
