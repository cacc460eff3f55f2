"""The contours of an RTSTRUCT, as its file has them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.header import Header
from interactivenet.imaging.structures.reading.rasterising import Contour

_DATA = 0x30060050


def contours_of(header: Header, wanted: Collection[int]) -> dict[int, list[Contour]]:
    """Return the contours of the ROIs of the wanted numbers, by number.

    Raises DataError, with the reason alone, where contours are damaged.
    """
    contours: dict[int, list[Contour]] = {number: [] for number in wanted}
    for item in header.items("ROIContourSequence"):
        number = item.number("ReferencedROINumber", -1)
        if number in contours:
            contours[number] += [_contour(each) for each in item.items("ContourSequence")]
    return contours


def unlisted_contours(header: Header, listed: Collection[int]) -> dict[int, int]:
    """Return how many contours there are of ROIs that are not listed, by their numbers."""
    counts: dict[int, int] = {}
    for item in header.items("ROIContourSequence"):
        number, count = item.number("ReferencedROINumber", -1), len(item.items("ContourSequence"))
        if number not in listed and count:
            counts[number] = counts.get(number, 0) + count
    return counts


def _contour(item: Header) -> Contour:
    kind = item.text("ContourGeometricType").upper()
    points = _points(item)
    said = item.number("NumberOfContourPoints", len(points))
    if said != len(points):
        raise DataError(f"has a contour of {len(points)} points, expected {said} as it says")
    offset = item.floats("ContourOffsetVector", 3)
    if offset is not None and offset.any():
        raise DataError("has a contour with a Contour Offset Vector, which is not supported")
    return Contour(points, kind or "CLOSED_PLANAR")


def _points(item: Header) -> NDArray[np.float64]:
    """Return the points (N, 3) of a contour, LPS mm; as written: pydicom is slow with so many."""
    element = item.dataset.get_item(_DATA) if _DATA in item.dataset else None
    value = None if element is None else element.value
    if value is None or len(value) == 0:
        return np.empty((0, 3))
    texts = value.rstrip(b" \0").split(b"\\") if isinstance(value, bytes) else value
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError as error:
        raise DataError(f"has a contour whose points are no numbers: {error}") from error
    if len(numbers) % 3 or not np.isfinite(numbers).all():
        raise DataError(
            f"has a contour of {len(numbers)} coordinates, expected three finite ones per point"
        )
    return np.asarray(numbers.reshape(-1, 3))
