"""DICOM series as volumes: of a folder, of a tree of studies, or of one multi-frame file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.files import begins_like_dicom, regular_files
from interactivenet.imaging.dicom.pixels import read_values
from interactivenet.imaging.dicom.series import choose, contents_of
from interactivenet.imaging.dicom.stack import stack_affine
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.size_limits import check_size


def read_dicom(
    path: Path, series: str = ""
) -> tuple[Array, Geometry, tuple[str, ...], Mapping[str, str]]:
    """Read a DICOM series: array (X, Y, Z) as stored, grid, notes, tags.

    path: a folder, in which and below which its files are; or one multi-frame file.
    series: number, UID or description of the one to read; '' for the only one.
    The grid follows from the slices' own positions. Raises DataError for several series, for
    slices that are uneven, missing or cut short, and for files that cannot be read.
    """
    found = find_series(path, series)
    affine, _ = stack_affine(found.slices)
    rows, columns = found.file.size
    geometry = Geometry((columns, rows, len(found.slices)), affine)
    check_size(geometry.shape, max(found.file.bits[0] // 8, 1))
    return read_values(found.slices), geometry, found.notes, found.file.tags


def find_series(path: Path, series: str = "") -> Series:
    """Find the series that :func:`read_dicom` reads, from the headers alone; raises as it does."""
    if path.is_dir():
        return choose(contents_of(path), series)
    if not begins_like_dicom(path):
        raise DataError("is no DICOM file")
    contents = contents_of(path)
    if not contents.lost and not any(found.file.frames > 1 for found in contents.series):
        what = contents.foreign[0].reason if contents.foreign else "one slice"
        raise DataError(f"is a single DICOM file ({what}): expected the folder of its series")
    return choose(contents, series)


def holds_dicom(folder: Path) -> bool:
    """Whether a folder, or one in it, has a DICOM file; the first one found answers."""
    return any(begins_like_dicom(file) for file in regular_files(folder))
