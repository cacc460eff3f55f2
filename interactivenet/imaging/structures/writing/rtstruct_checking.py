"""Whether an RTSTRUCT that was made encloses what was outlined, before anybody gets it."""

from __future__ import annotations

from typing import Any

import numpy as np

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.structures.reading.polygons import even_odd
from interactivenet.imaging.structures.writing.on_series import PlacedStructures

#: voxels that a contour may lie off the slice that it names: of rounded positions in a series
_NEAR = 0.25


def check_contours(dataset: Any, placed: PlacedStructures, series: Series) -> None:
    """Raise DataError where the contours of an RTSTRUCT enclose other voxels than were outlined.

    They are filled as they are written, in decimals, on the slice in which they lie, by the centres
    of voxels and even-odd. The slice has to be the one that they name.
    """
    size = np.array(placed.grid.shape[:2])
    numbers = {(one.file.uid, one.plane.frame): number for number, one in enumerate(series.slices)}
    for place, roi in enumerate(dataset.ROIContourSequence, 1):
        left = placed.map == place
        for contour in roi.ContourSequence:
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            image = contour.ContourImageSequence[0]
            frame = int(image.get("ReferencedFrameNumber", 1)) - 1
            number = numbers.get((str(image.ReferencedSOPInstanceUID), frame))
            inside = placed.grid.world_to_voxel(points * [-1.0, -1.0, 1.0])  # LPS to RAS
            if number is None or np.abs(inside[:, 2] - number).max() > _NEAR:
                raise _differs("a contour that does not lie on the slice that it names")
            start = np.clip(np.floor(inside[:, :2].min(axis=0)).astype(int), 0, size)
            stop = np.clip(np.ceil(inside[:, :2].max(axis=0)).astype(int) + 1, start, size)
            (u, v), (end_u, end_v) = start.tolist(), stop.tolist()
            enclosed = even_odd(inside[:, :2], (u, v), (end_u - u, end_v - v))
            left[u:end_u, v:end_v, number] ^= enclosed
        if left.any():
            number = int(np.flatnonzero(left.any(axis=(0, 1)))[0])
            raise _differs(f"another outline on {series.slices[number].name} than was given")


def _differs(fault: str) -> DataError:
    return DataError(
        f"the RTSTRUCT that was made has {fault}: it is not written (please report it)"
    )
