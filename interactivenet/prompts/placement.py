"""Points in mm, and images of which it is not certain where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry


def check_certain(points: ArrayLike, image: tuple[Path, Geometry] | None) -> None:
    """Raise DataError where points (N, 3), RAS+ mm, meet an image that may lie in two places.

    The message says where the first point would be in either.
    image: its path and stored grid; None where there is none.
    """
    if image is None or image[1].doubt is None or not len(np.asarray(points)):
        return
    path, grid = image
    point = np.asarray(points, dtype=np.float64)[0]
    assert grid.doubt is not None
    voxels = " and ".join(
        f"{_voxel(point, Geometry(grid.shape, affine))} by the {form}"
        for form, affine in grid.doubt.affines.items()
    )
    place = ", ".join(f"{value:.6g}" for value in point)
    raise DataError(
        f"has points in mm, but {path} may lie in two places: {grid.doubt.reason}. The first point,"
        f" ({place}) mm (RAS), is in voxel {voxels}",
        remedy="say which is meant, `use_form='sform'` or `use_form='qform'`",
    )


def _voxel(point: ArrayLike, grid: Geometry) -> str:
    """Name the voxel of a point, and whether the image has it."""
    voxel = np.rint(grid.world_to_voxel(np.asarray(point)[None])[0]).astype(int).tolist()
    outside = "" if grid.contains(np.asarray(point)[None])[0] else " (outside of it)"
    return f"({', '.join(map(str, voxel))}){outside}"
