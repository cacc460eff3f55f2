"""DICOM series as volumes: of a folder, of a tree of studies, or of one multi-frame file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from interactivenet.errors import DataError, naming
from interactivenet.imaging.dicom.files import begins_like_dicom, regular_files
from interactivenet.imaging.dicom.identity import SeriesIdentity, identity_of
from interactivenet.imaging.dicom.pixels import read_values
from interactivenet.imaging.dicom.series import Contents, choose, contents_of
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
    geometry = grid_of(found)
    check_size(geometry.shape, max(found.file.bits[0] // 8, 1))
    return read_values(found.slices), geometry, found.notes, found.file.tags


def read_dicom_grid(path: Path, series: str = "") -> Geometry:
    """Return the grid that :func:`read_dicom` reads, from the headers alone; raises as it does."""
    return grid_of(find_series(path, series))


def grid_of(series: Series) -> Geometry:
    """Return the grid of a series, which knows whose it is: ``native`` is a SeriesIdentity.

    Raises DataError where its slices are uneven, or one is missing.
    """
    affine, _ = stack_affine(series.slices)
    rows, columns = series.file.size
    return Geometry((columns, rows, len(series.slices)), affine, native=identity_of(series.file))


def find_series(path: Path, series: str = "") -> Series:
    """Find the series that :func:`read_dicom` reads, from the headers alone; raises as it does."""
    if path.is_dir():
        return choose(_unchanged_contents(path) if series else contents_of(path), series)
    if not begins_like_dicom(path):
        raise DataError("is no DICOM file")
    contents = contents_of(path)
    if not contents.lost and not any(found.file.frames > 1 for found in contents.series):
        what = contents.foreign[0].reason if contents.foreign else "one slice"
        raise DataError(f"is a single DICOM file ({what}): expected the folder of its series")
    return choose(contents, series)


def series_files(path: Path, series: str = "") -> dict[str, Path]:
    """Return the files of the series that :func:`read_dicom` reads, by their paths in the folder.

    Raises DataError as that does, naming the path.
    """
    with naming(path):
        files = {one.file.path for one in find_series(path, series).slices}
    root = path if path.is_dir() else path.parent
    return {file.relative_to(root).as_posix(): file for file in sorted(files)}


def folder_of(series: Series) -> Path:
    """Return what :func:`find_series` finds a series in: the folder of all of its files.

    Of a series that is one multi-frame file, that file.
    """
    files = {one.file.path for one in series.slices}
    if len(files) == 1:
        return files.pop()
    return Path(os.path.commonpath([file.parent for file in files]))


def _unchanged_contents(folder: Path) -> Contents:
    """Return what is in a folder, read again only where a file has changed since the last time.

    A folder that many series share is asked once for each.
    """
    return _contents(folder, tuple((file, *_state(file)) for file in regular_files(folder)))


def _state(file: Path) -> tuple[int, int, int]:
    try:
        status = file.stat()
    except OSError:  # a link that leads nowhere
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=2)
def _contents(folder: Path, _: tuple[tuple[Path, int, int, int], ...]) -> Contents:
    return contents_of(folder)


def holds_dicom(folder: Path) -> bool:
    """Whether a folder, or one in it, has a DICOM file; the first one found answers."""
    return any(begins_like_dicom(file) for file in regular_files(folder))


def identity_at(path: Path, series: str) -> SeriesIdentity:
    """Return the identity of the series of a UID, with its part, that was read at a path.

    Where it is not there any more, nothing but its UID is known.
    """
    try:
        return identity_of(find_series(path, series).file)
    except (DataError, OSError):
        return SeriesIdentity("", "", series.partition(":")[0], "")
