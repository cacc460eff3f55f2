"""Two grids compared: in what they differ, and a label map brought to another extent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import SAME_GRID_MM, Array, Geometry
from interactivenet.imaging.volume import Volume

#: differences below these are rounding: of directions (degrees), of spacing (a fraction)
_SAME_ANGLE, _SAME_SPACING = 0.01, 1e-4


def check_same_lattice(path: Path, grid: Geometry, reference: Path, expected: Geometry) -> None:
    """Raise DataError, saying in what, where two files do not share one voxel grid."""
    if not grid.is_same_lattice(expected):
        raise differing(path, grid, reference, expected)


def differing(path: Path, grid: Geometry, reference: Path, expected: Geometry) -> DataError:
    """Make the error that says in what the grid of a file differs from the expected one."""
    return DataError(
        f"{path}: grid differs: {describe_difference(grid, expected)}. It has {grid}; expected that"
        f" of {reference}: {expected}",
        remedy=_other_form(grid, expected),
    )


def describe_difference(grid: Geometry, expected: Geometry) -> str:
    """Say in what a grid differs from the expected one, and how far that is at the corners."""
    aligned = grid.orientation == expected.orientation
    a, b = (grid, expected) if aligned else (grid.ras, expected.ras)
    named = "xyz" if aligned else "RAS"
    found = []
    if a.shape != b.shape:
        found.append(f"shape {_times(a.shape)} against {_times(b.shape)}")
    for axis, here, there in zip(named, a.spacing, b.spacing, strict=True):
        if abs(here / there - 1) > _SAME_SPACING:
            found.append(f"spacing {here:.6g} against {there:.6g} mm along {axis}")
    angle = _angle(a, b)
    if angle > _SAME_ANGLE:
        found.append(f"directions differ by {angle:.3g} degrees")
    if not found:
        shift = ", ".join(f"{value:.3g}" for value in a.affine[:3, 3] - b.affine[:3, 3] + 0.0)
        found.append(f"it is shifted by ({shift}) mm (RAS)")
    apart = np.linalg.norm(_corners(a) - _corners(b), axis=1).max()
    return f"{', '.join(found)}; corners lie up to {apart:.3g} mm apart"


def on_image(path: Path, label: Volume, reference: Path, image: Geometry) -> Volume:
    """Bring a label map onto the grid of its image, where both are parts of one lattice.

    What the label map does not cover is background; what of it lies outside of the image is cut
    off. ``notes`` say so. A label map of the image's own extent is no part of it: it must lie
    where the image lies.
    Raises DataError where it lies on another lattice, or where labels lie outside of the image.
    """
    if label.source.is_same_lattice(image):
        return label
    grid, target = label.grid, image.ras
    if grid.shape == target.shape:
        raise differing(path, label.source, reference, image)
    start = _first_voxel(grid, target)
    for form in _forms(label.source, image):
        elsewhere = _first_voxel(_by(label.source, form).ras, _by(image, form).ras)
        if not np.array_equal(start, elsewhere):
            raise DataError(
                f"{path}: covers another part of {reference}, and which part is not certain, as a"
                " NIfTI header places its voxels in two ways",
                remedy="say which is meant, `use_form='sform'` or `use_form='qform'`",
            )
    # the label map's own box on the image's lattice: the same voxels, or the lattices differ
    affine = np.array(target.affine)
    affine[:3, 3] = target.voxel_to_world(start[None])[0]
    if grid.difference_mm(Geometry(grid.shape, affine)) > SAME_GRID_MM:
        raise differing(path, label.source, reference, image)
    shape, size = np.array(target.shape), np.array(grid.shape)
    first, last = np.clip(start, 0, shape), np.clip(start + size, 0, shape)
    inside = tuple(slice(a, b) for a, b in zip(first - start, last - start, strict=True))
    array = np.zeros(target.shape, label.array.dtype)
    lost = int(np.count_nonzero(label.array))
    if (last > first).all():
        within = label.array[0][inside]
        array[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = within
        lost -= int(np.count_nonzero(within))
    if lost:
        raise DataError(
            f"{path}: has {lost} labelled voxels outside of {reference}, on whose lattice it lies:"
            f" it has {label.source}; the image has {image}"
        )
    note = (
        f"covers another part of the image's lattice, {_times(grid.shape)} voxels from"
        f" ({', '.join(map(str, start.tolist()))}) of {_times(target.shape)} (along RAS): the rest"
        " is read as background"
    )
    return Volume.from_stored(image.from_ras(array), image, notes=(*label.notes, note))


def _angle(a: Geometry, b: Geometry) -> float:
    """Return the angle between the axes of two grids, degrees."""
    turn = _directions(a).T @ _directions(b)
    if np.linalg.det(turn) < 0:  # one of them is mirrored
        return float(np.degrees(np.arccos(np.clip(np.diag(turn).min(), -1, 1))))
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    # of sine and cosine, as the cosine alone is blind to small angles
    return float(np.degrees(np.arctan2(np.linalg.norm(skew), np.trace(turn) - 1)))


def _directions(grid: Geometry) -> NDArray[np.float64]:
    return np.asarray(grid.affine[:3, :3] / np.array(grid.spacing))


def _corners(grid: Geometry) -> NDArray[np.float64]:
    """Return the places of the volume's corners (8, 3), RAS+ mm."""
    corners: Array = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(grid.shape) - 1)
    return grid.voxel_to_world(corners)


def _other_form(grid: Geometry, expected: Geometry) -> str:
    """Name the form of a header by which the two grids would be one; '' where there is none."""
    for form in _forms(grid, expected):
        if _by(grid, form).is_same_lattice(_by(expected, form)):
            return f"by the {form} of its header they are one: `use_form={form!r}`"
    return ""


def _forms(*grids: Geometry) -> list[str]:
    """Name the ways in which the headers of some of these grids place their voxels."""
    return sorted({name for grid in grids if grid.doubt for name in grid.doubt.affines})


def _first_voxel(part: Geometry, grid: Geometry) -> NDArray[np.int64]:
    """Return the voxel (3,) of a grid that the first voxel of a part of it is."""
    voxel = grid.world_to_voxel(part.affine[None, :3, 3])[0]
    return np.asarray(np.rint(voxel).astype(np.int64))


def _by(grid: Geometry, form: str) -> Geometry:
    affine = grid.doubt.affines.get(form) if grid.doubt else None
    return grid if affine is None else Geometry(grid.shape, affine)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
