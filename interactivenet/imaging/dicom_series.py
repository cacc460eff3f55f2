"""The series in a DICOM folder, or in a tree of studies: which there are, and which is meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from interactivenet.errors import DataError
from interactivenet.imaging.dicom_files import (
    DicomFile,
    looks_lost,
    read_file,
    regular_files,
    shape_of_name,
)
from interactivenet.imaging.dicom_volumes import Series, some_of, volumes_of

#: so many series to choose from are named
_LISTED = 12


@dataclass(frozen=True, eq=False)
class Contents:
    """What is in a folder. foreign: what is no image of a volume.  lost: what cannot be read."""

    series: tuple[Series, ...]
    foreign: tuple[DicomFile, ...]
    lost: tuple[tuple[Path, str], ...]


def read_contents(paths: Iterable[Path]) -> Contents:
    """Read the headers of all files, and find out which series they make."""
    files: list[DicomFile] = []
    others: list[Path] = []
    lost: list[tuple[Path, str]] = []
    for path in paths:
        try:
            file = read_file(path)
        except DataError as error:
            lost.append((path, f"{path.name} {error}"))
            continue
        if file is None:
            others.append(path)
        else:
            files.append(file)
    shapes = {shape_of_name(file.path) for file in files}
    for path in others:
        if path.name.upper() == "DICOMDIR":
            continue
        if (files or path.suffix.lower() == ".dcm") and looks_lost(path):
            suffixed = path.suffix.lower() in (".dcm", ".dicom", ".ima")
            if suffixed or shape_of_name(path) in shapes:
                size = path.stat().st_size
                text = f"{path.name} is no DICOM file ({size} bytes): was it cut short?"
                lost.append((path, text))
    by_series: dict[str, list[DicomFile]] = defaultdict(list)
    for file in files:
        if file.planes or file.broken:
            by_series[file.series].append(file)
    foreign = tuple(file for file in files if not (file.planes or file.broken))
    series = chain.from_iterable(volumes_of(members) for members in by_series.values())
    return Contents(tuple(series), foreign, tuple(lost))


def choose(contents: Contents, wanted: str) -> Series:
    """Return the series that is wanted, by number, UID or description; '' for the only one.

    Its notes say what was left out. Raises DataError, listing what is there, where it is not
    clear which is meant or where it cannot be used.
    """
    lost = contents.lost
    if wanted and contents.series:
        series = _usable(_wanted(contents.series, wanted))
        # a file that cannot be read does not say of which series it is
        folders = {one.file.path.parent for one in series.slices}
        lost = tuple((path, text) for path, text in lost if path.parent in folders)
    if lost:
        more = f" (and {len(lost) - 1} more files)" if len(lost) > 1 else ""
        raise DataError(f"holds a file that cannot be read: {lost[0][1]}{more}")
    if not contents.series:
        if not contents.foreign:
            raise DataError("holds no DICOM series")
        raise DataError(f"holds no DICOM images of a volume, but {_foreign(contents.foreign)}")
    if wanted:
        return series
    volumes = [series for series in contents.series if series.is_volume]
    candidates = volumes or list(contents.series)
    if len(candidates) > 1:
        raise DataError(
            f"holds {len(candidates)} DICOM series: {_listed(candidates)}; choose one by its"
            f" number, UID or description, as `series={_shortest(candidates)!r}`"
        )
    notes = []
    if others := [series for series in contents.series if series is not candidates[0]]:
        notes.append(f"left out series that are no volumes: {_listed(others)}")
    if contents.foreign:
        notes.append(f"left out what is no slice: {_foreign(contents.foreign)}")
    series = _usable(candidates[0])
    return replace(series, notes=(*series.notes, *notes))


def _wanted(series: Sequence[Series], wanted: str) -> Series:
    for key in (str, str.casefold):
        found = [one for one in series if key(wanted.strip()) in map(key, one.names)]
        if len(found) == 1:
            return found[0]
        if found:
            uids = {one.file.series for one in found}
            by = "UID" if len(uids) == len(found) else "UID and part"
            texts = [f"{one.names[-1]} ({_uid(one)})" for one in found[:_LISTED]]
            raise DataError(
                f"holds {len(found)} DICOM series '{wanted}': {', '.join(texts)}; choose one by"
                f" its {by} with `series`"
            )
    raise DataError(f"holds no DICOM series '{wanted}'; it holds {_listed(series)}")


def _uid(series: Series) -> str:
    return series.file.series + (f":{series.part}" if series.part else "")


def _usable(series: Series) -> Series:
    if series.problem:
        raise DataError(series.problem)
    return series


def _foreign(files: Sequence[DicomFile]) -> str:
    return some_of([f"{file.path.name} ({file.reason})" for file in files])


def _listed(series: Sequence[Series]) -> str:
    more = f", and {len(series) - _LISTED} more" if len(series) > _LISTED else ""
    return ", ".join(map(str, series[:_LISTED])) + more


def _shortest(series: Sequence[Series]) -> str:
    """Return a name of a usable series that no other has."""
    counts: dict[str, int] = defaultdict(int)
    for one in series:
        for name in one.names:
            counts[name] += 1
    for one in sorted(series, key=lambda one: bool(one.problem)):
        for name in one.names:
            if counts[name] == 1:
                return name
    return series[0].names[0]


def contents_of(path: Path) -> Contents:
    """Read the headers of a folder, of the folders in it, or of one file."""
    return read_contents(regular_files(path) if path.is_dir() else [path])
