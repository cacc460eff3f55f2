"""Where the frames of a DICOM SEG lie: their own grid, and that of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.header import Header
from interactivenet.imaging.dicom.planes import Plane, planes_of
from interactivenet.imaging.geometry import LPS_RAS, Geometry
from interactivenet.imaging.lattice import differing
from interactivenet.imaging.structures.reading.tolerance import limit_mm


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame: its plane, the segment that it is of (0: of any), and its number in the file."""

    plane: Plane
    segment: int
    number: int


def frames_of(header: Header, kind: str) -> list[Frame]:
    """Return the frames of a file; kind: its Segmentation Type.

    Raises DataError where one does not say where it lies, or of which segment it is.
    """
    planes = planes_of(header)
    groups = header.items("PerFrameFunctionalGroupsSequence")
    shared = header.items("SharedFunctionalGroupsSequence")[:1]
    if not groups:
        raise DataError("does not say where its frames lie")
    frames = []
    for number, (plane, group) in enumerate(zip(planes, groups, strict=True)):
        items = [
            item
            for each in (group, *shared)
            for item in each.items("SegmentIdentificationSequence")
        ]
        segment = items[0].number("ReferencedSegmentNumber") if items else 0
        if kind != "LABELMAP" and segment < 1:
            raise DataError(f"does not say of which segment its frame {number + 1} is")
        frames.append(Frame(plane, 0 if kind == "LABELMAP" else segment, number))
    return frames


def own_grid(
    frames: list[Frame], header: Header, size: tuple[int, int], image: Geometry | None
) -> Geometry:
    """Return the grid that the frames lie on: their own positions, evenly spaced."""
    first = frames[0].plane
    row, column = first.orientation[:3], first.orientation[3:]
    for frame in frames:
        if not np.allclose(frame.plane.orientation, first.orientation, atol=1e-4):
            raise DataError("has frames of several orientations, expected one")
        if not np.allclose(frame.plane.spacing, first.spacing, rtol=1e-4):
            raise DataError("has frames of several pixel spacings, expected one")
    positions = np.stack([frame.plane.position for frame in frames])
    normal = np.cross(row, column)
    along = positions @ normal
    order = np.argsort(along)
    levels = along[order]
    gaps = np.diff(levels)
    gaps = gaps[gaps > 1e-3]
    step = _step(gaps, header, normal, image)
    numbers = np.rint((levels[-1] - levels[0]) / step)
    lowest, highest = positions[order[0]], positions[order[-1]]
    along_stack = (highest - lowest) / numbers if numbers else normal * step
    whole = np.rint((along - levels[0]) / step)
    off = np.linalg.norm(positions - (lowest + whole[:, None] * along_stack), axis=1).max()
    if off > limit_mm(step):
        raise DataError(
            f"has frames that are not evenly spaced: up to {off:.3g} mm from steps of {step:.4g} mm"
        )
    affine = np.eye(4)
    directions = np.stack([row * first.spacing[1], column * first.spacing[0], along_stack], axis=1)
    affine[:3, :3] = directions * LPS_RAS[:, None]
    affine[:3, 3] = lowest * LPS_RAS
    return Geometry((*size, int(numbers) + 1), affine + 0.0)


def _step(
    gaps: NDArray[np.float64], header: Header, normal: NDArray[np.float64], image: Geometry | None
) -> float:
    """Return the distance of the planes, mm, where frames between them may have been left out."""
    candidates = []
    if image is not None:  # frames of every second slice are still frames of its slices
        directions = image.affine[:3, :3] / np.array(image.spacing)
        axis = int(np.argmax(np.abs((normal * LPS_RAS) @ directions)))
        candidates.append(image.spacing[axis])
    measures = [
        item
        for group in (
            *header.items("SharedFunctionalGroupsSequence")[:1],
            *header.items("PerFrameFunctionalGroupsSequence")[:1],
        )
        for item in group.items("PixelMeasuresSequence")
    ]
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        if keyword == "SliceThickness" and len(gaps):
            candidates.append(float(gaps.min()))  # before a thickness, which is no distance
        for item in measures:
            if (value := item.floats(keyword, 1)) is not None and value[0] > 0:
                candidates.append(float(value[0]))
    for step in candidates:
        off = np.abs(gaps - np.maximum(np.rint(gaps / step), 1) * step)
        if not len(gaps) or off.max() <= limit_mm(step):
            return step
    if not candidates:
        raise DataError("has frames at one place, and does not say how thick they are")
    return float(gaps.min())


def corners_of(plane: Plane, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return where the first pixel of a frame lies, the last of its row, of its column, and both.

    (4, 3), RAS+ mm. Of a single column or row, the next one is taken.
    """
    columns, rows = (max(count - 1, 1) for count in size)
    across = plane.orientation[:3] * plane.spacing[1] * columns
    down = plane.orientation[3:] * plane.spacing[0] * rows
    ends = np.stack([np.zeros(3), across, down, across + down])
    return np.asarray((plane.position + ends) * LPS_RAS)


def distance_from_voxels(
    path: Path, own: Geometry, frames: list[Frame], reference: Path, image: Geometry
) -> float:
    """Return how far frames lie from an image's voxels, mm; raise DataError for another lattice."""
    size = own.shape[0], own.shape[1]
    steps = [max(count - 1, 1) for count in size]
    spacing = np.array(image.spacing)
    limit = limit_mm(spacing)
    worst = 0.0
    for frame in frames:
        corners = image.world_to_voxel(corners_of(frame.plane, size))
        off = np.abs(corners - np.rint(corners)) * spacing
        lengths = [np.abs(np.rint(end - corners[0])).tolist() for end in corners[1:3]]
        straight = all(
            sorted(length) == [0.0, 0.0, float(count)]
            for length, count in zip(lengths, steps, strict=True)
        )
        if not straight or (off > limit).any():
            raise differing(path, own, reference, image)
        worst = max(worst, float(off.max()))
    return worst
