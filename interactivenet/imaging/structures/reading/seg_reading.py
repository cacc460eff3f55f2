"""The segments of a DICOM SEG as masks, placed by the positions of its frames.

Frames may come in any order, and those without voxels may be left out. What they refer to is not
asked where they lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom import config
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.components import Mask
from interactivenet.imaging.dicom.header import Header
from interactivenet.imaging.dicom.single_bits import unpack_frame
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.size_limits import check_size
from interactivenet.imaging.structures.reading.seg_frames import (
    Frame,
    corners_of,
    distance_from_voxels,
    frames_of,
    own_grid,
)

#: deviations that are worth a word, mm
_NOTED_MM = 0.02
#: not compressed, so that frames of single bits are unpacked here
_LITTLE_ENDIAN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
_KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a file on one grid.

    grid: that of the image where there is one, else their own.  notes: what is to be said.
    """

    grid: Geometry
    notes: tuple[str, ...]
    _header: Header
    _kind: str
    _frames: tuple[Frame, ...]

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

    def values(self) -> set[int]:
        """Return the stored values of all frames."""
        found: set[int] = set()
        for pixels in self._pixels(self._frames):
            found.update(np.unique(pixels).tolist())
        return found

    def _pixels(self, frames: Sequence[Frame]) -> Iterator[Array]:
        """Yield the stored values (rows, columns) of frames."""
        dataset = self._header.dataset
        numbers = [frame.number for frame in frames]
        syntax = self._header.meta("TransferSyntaxUID")
        try:
            if self._header.number("BitsAllocated") == 1 and syntax in _LITTLE_ENDIAN:
                shape = dataset.Rows, dataset.Columns
                for number in numbers:
                    yield unpack_frame(dataset.PixelData, number, shape)
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
    frames = frames_of(header, kind)
    size = header.number("Columns"), header.number("Rows")
    own = own_grid(frames, header, size, None if image is None else image[1])
    grid = own if image is None else image[1]
    check_size(grid.shape, 2)
    notes = []
    if image is not None:
        off = distance_from_voxels(path, own, frames, *image)
        if off > _NOTED_MM:
            notes.append(f"its frames lie up to {off:.2g} mm from the voxels of the image")
    if kind == "FRACTIONAL":
        said = header.text("SegmentationFractionalType").lower() or "unknown"
        notes.append(f"it is fractional ({said}): voxels of 0.5 and more are inside")
    listed = {item.number("SegmentNumber") for item in header.items("SegmentSequence")}
    strange = Counter(frame.segment for frame in frames if frame.segment not in {0, *listed})
    if strange:
        numbers = ", ".join(map(str, sorted(strange)))
        notes.append(
            f"left out {strange.total()} frames of segments that it does not list: {numbers}"
        )
    places = Counter((frame.segment, _Placed(frame, grid, size).origin) for frame in frames)
    if (twice := places.most_common(1)[0])[1] > 1:
        raise DataError(f"has {twice[1]} frames of one place, of segment {twice[0][0] or 'any'}")
    segments = Segments(grid, tuple(notes), header, kind, tuple(frames))
    if kind == "LABELMAP" and (values := segments.values() - {0, *listed}):
        named = ", ".join(map(str, sorted(values)))
        said = f"left out voxels of segments that it does not list: {named}"
        segments = replace(segments, notes=(*notes, said))
    return segments


class _Placed:
    """A frame on a grid: on which voxels its pixels lie."""

    def __init__(self, frame: Frame, grid: Geometry, size: tuple[int, int]) -> None:
        corner, *ends = np.rint(grid.world_to_voxel(corners_of(frame.plane, size)[:3])).astype(int)
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
