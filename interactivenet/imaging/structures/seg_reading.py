"""The segments of a DICOM SEG as masks, placed by the positions of its frames.

Frames may come in any order, and those without voxels may be left out. What they refer to is not
asked where they lie.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import config
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.components import Mask
from interactivenet.imaging.dicom.header import Header
from interactivenet.imaging.dicom.planes import Plane, planes_of
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.lattice import differing
from interactivenet.imaging.size_limits import check_size

#: how far frames may lie from the voxels of the image: a fraction of a voxel, or mm where
#: positions are written in tenths of a mm; and never more than the last, a fraction
_OFF, _ROUNDED_MM, _MOST_OFF = 0.1, 0.1001, 0.25
#: deviations that are worth a word, mm
_NOTED_MM = 0.02
#: not compressed; bits of one byte begin with the lowest
_LITTLE_ENDIAN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
_KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame: its plane, the segment that it is of (0: of any), and its number in the file."""

    plane: Plane
    segment: int
    number: int


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a file on one grid.

    grid: that of the image where there is one, else their own.  notes: what is to be said.
    """

    grid: Geometry
    notes: tuple[str, ...]
    _header: Header
    _kind: str
    _frames: tuple[_Frame, ...]

    def mask(self, numbers: Collection[int]) -> Mask:
        """Mark the voxels (X, Y, Z) of some segments, in the grid's stored order.

        Raises DataError, with the reason alone, where some lie outside of the grid.
        """
        mask: Mask = np.zeros(self.grid.shape, dtype=bool)
        frames = [frame for frame in self._frames if not frame.segment or frame.segment in numbers]
        lost = 0
        for frame, pixels in zip(frames, self._pixels(frames), strict=True):
            if self._kind == "LABELMAP":
                inside = np.isin(pixels, list(numbers))
            elif self._kind == "FRACTIONAL":
                inside = pixels >= self._header.number("MaximumFractionalValue", 255) / 2
            else:
                inside = pixels != 0
            lost += _Placed(frame, self.grid, inside.shape[::-1]).put(inside.T, mask)
        if lost:
            raise DataError(
                f"has {lost} voxels of segments outside of the image, which has {self.grid}"
            )
        return mask

    def _pixels(self, frames: Sequence[_Frame]) -> Iterator[Array]:
        """Yield the stored values (rows, columns) of frames."""
        dataset = self._header.dataset
        numbers = [frame.number for frame in frames]
        syntax = self._header.meta("TransferSyntaxUID")
        try:
            if self._header.number("BitsAllocated") == 1 and syntax in _LITTLE_ENDIAN:
                yield from _bits(dataset, numbers)
            elif numbers:
                # decoded one by one: all together may be many times the size of the image
                yield from iter_pixels(dataset, indices=numbers)
        except Exception as error:  # of a library, on a stranger's bytes
            name, reason = UID(syntax, config.IGNORE).name, one_line(error)
            raise DataError(f"has frames that cannot be read ({name}): {reason}") from error


def read_segments(path: Path, header: Header, image: tuple[Path, Geometry] | None) -> Segments:
    """Find where the segments of a file lie; header: of the file, with its pixel data.

    They are brought onto the grid of the image where one is given; else they lie on their own, in
    which frames that were left out are background.
    Raises DataError, naming the file or with the reason alone, where they lie on another lattice.
    """
    kind = header.text("SegmentationType").upper()
    if kind not in _KINDS:
        raise DataError(f"is a segmentation of type '{kind}', expected {', '.join(_KINDS)}")
    frames = _frames(header, kind)
    size = header.number("Columns"), header.number("Rows")
    own = _own_grid(frames, header, size, None if image is None else image[1])
    grid = own if image is None else image[1]
    check_size(grid.shape, 2)
    notes = []
    if image is not None:
        off = _check_lattice(path, own, frames, *image)
        if off > _NOTED_MM:
            notes.append(f"its frames lie up to {off:.2g} mm from the voxels of the image")
    if kind == "FRACTIONAL":
        said = header.text("SegmentationFractionalType").lower() or "unknown"
        notes.append(f"it is fractional ({said}): voxels of 0.5 and more are inside")
    places = Counter((frame.segment, _Placed(frame, grid, size).origin) for frame in frames)
    if (twice := places.most_common(1)[0])[1] > 1:
        raise DataError(f"has {twice[1]} frames of one place, of segment {twice[0][0] or 'any'}")
    return Segments(grid, tuple(notes), header, kind, tuple(frames))


class _Placed:
    """A frame on a grid: on which voxels its pixels lie."""

    def __init__(self, frame: _Frame, grid: Geometry, size: tuple[int, int]) -> None:
        corner, *ends = np.rint(grid.world_to_voxel(_corners(frame.plane, size)[:3])).astype(int)
        steps = [end - corner for end in ends]
        self.origin: tuple[int, ...] = tuple(corner.tolist())
        self._axes = [int(np.argmax(np.abs(step))) for step in steps]
        self._backwards = [
            bool(step[axis] < 0) for step, axis in zip(steps, self._axes, strict=True)
        ]
        (self._normal,) = {0, 1, 2} - set(self._axes)

    def put(self, part: Mask, mask: Mask) -> int:
        """Mark what a frame (columns, rows) has in a mask; return how much of it lies outside."""
        count = int(np.count_nonzero(part))
        level = self.origin[self._normal]
        if not 0 <= level < mask.shape[self._normal]:
            return count
        sheet = np.moveaxis(mask, self._normal, 0)[level]  # its axes: the other two, in order
        turned = part[tuple(slice(None, None, -1 if back else 1) for back in self._backwards)]
        first = [
            self.origin[axis] - (part.shape[index] - 1 if back else 0)
            for index, (axis, back) in enumerate(zip(self._axes, self._backwards, strict=True))
        ]
        if self._axes[0] > self._axes[1]:
            turned, first = turned.T, first[::-1]
        to, of = [], []
        for start, length, size in zip(first, turned.shape, sheet.shape, strict=True):
            begin, end = max(start, 0), max(min(start + length, size), max(start, 0))
            to.append(slice(begin, end))
            of.append(slice(begin - start, end - start))
        within = turned[tuple(of)]
        sheet[tuple(to)] |= within
        return count - int(np.count_nonzero(within))


def _frames(header: Header, kind: str) -> list[_Frame]:
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
        frames.append(_Frame(plane, 0 if kind == "LABELMAP" else segment, number))
    return frames


def _bits(dataset: Any, numbers: Sequence[int]) -> Iterator[Array]:
    """Yield frames (rows, columns) of single bits, which need not begin with a byte.

    pydicom 3.0 mistakes where small ones of them begin.
    """
    shape = dataset.Rows, dataset.Columns
    count = math.prod(shape)
    data = np.frombuffer(dataset.PixelData, np.uint8)
    for number in numbers:
        first = number * count
        part = np.unpackbits(data[first // 8 : -(-(first + count) // 8)], bitorder="little")
        yield part[first % 8 : first % 8 + count].reshape(shape)


def _own_grid(
    frames: list[_Frame], header: Header, size: tuple[int, int], image: Geometry | None
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
    if off > min(max(_OFF * step, _ROUNDED_MM), _MOST_OFF * step):
        raise DataError(
            f"has frames that are not evenly spaced: up to {off:.3g} mm from steps of {step:.4g} mm"
        )
    lps = np.array([-1.0, -1.0, 1.0])
    affine = np.eye(4)
    directions = np.stack([row * first.spacing[1], column * first.spacing[0], along_stack], axis=1)
    affine[:3, :3] = directions * lps[:, None]
    affine[:3, 3] = lowest * lps
    return Geometry((*size, int(numbers) + 1), affine + 0.0)


def _step(
    gaps: NDArray[np.float64], header: Header, normal: NDArray[np.float64], image: Geometry | None
) -> float:
    """Return the distance of the planes, mm, where frames between them may have been left out."""
    candidates = []
    if image is not None:  # frames of every second slice are still frames of its slices
        directions = image.affine[:3, :3] / np.array(image.spacing)
        axis = int(np.argmax(np.abs((normal * [-1.0, -1.0, 1.0]) @ directions)))
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
        if not len(gaps) or off.max() <= min(max(_OFF * step, _ROUNDED_MM), _MOST_OFF * step):
            return step
    if not candidates:
        raise DataError("has frames at one place, and does not say how thick they are")
    return float(gaps.min())


def _corners(plane: Plane, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return where the first pixel of a frame lies, the last of its row, of its column, and both.

    (4, 3), RAS+ mm. Of a single column or row, the next one is taken.
    """
    columns, rows = (max(count - 1, 1) for count in size)
    across = plane.orientation[:3] * plane.spacing[1] * columns
    down = plane.orientation[3:] * plane.spacing[0] * rows
    ends = np.stack([np.zeros(3), across, down, across + down])
    return np.asarray((plane.position + ends) * [-1.0, -1.0, 1.0])


def _check_lattice(
    path: Path, own: Geometry, frames: list[_Frame], reference: Path, image: Geometry
) -> float:
    """Return how far frames lie from an image's voxels, mm; raise DataError for another lattice."""
    size = own.shape[0], own.shape[1]
    steps = [max(count - 1, 1) for count in size]
    spacing = np.array(image.spacing)
    limit = np.minimum(np.maximum(_OFF * spacing, _ROUNDED_MM), _MOST_OFF * spacing)
    worst = 0.0
    for frame in frames:
        corners = image.world_to_voxel(_corners(frame.plane, size))
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
