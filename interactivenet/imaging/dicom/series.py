"""The series in a DICOM folder, or in a tree of studies: which there are, and which is meant."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.directory import absent_files
from interactivenet.imaging.dicom.files import (
    DicomFile,
    looks_lost,
    read_file,
    regular_files,
    shape_of_name,
)
from interactivenet.imaging.dicom.volumes import Series, volumes_of
from interactivenet.system.names import list_some

#: where an anonymisation gave one UID to several patients
_SHARED = (
    "images of another patient have its SeriesInstanceUID, too: they are taken for no part of it"
)
#: so many series to choose from are named
_LISTED = 12


@dataclass(frozen=True, eq=False)
class Contents:
    """What is in a folder.

    foreign: what is no image of a volume.  lost: what cannot be read, and why.  absent: what a
    DICOMDIR lists that is not there.
    """

    series: tuple[Series, ...]
    foreign: tuple[DicomFile, ...]
    lost: tuple[tuple[Path, str], ...]
    absent: tuple[Path, ...] = ()


def contents_of(path: Path) -> Contents:
    """Read the headers of a folder, of the folders in it, or of one file; find out their series."""
    root = path if path.is_dir() else path.parent
    files: list[DicomFile] = []
    others: list[Path] = []
    lost: list[tuple[Path, str]] = []

    def lose(file: Path, reason: str) -> None:
        lost.append((file, f"{file.relative_to(root).as_posix()} {reason}"))

    for each in regular_files(path) if path.is_dir() else [path]:
        try:
            file = read_file(each, root)
        except DataError as error:
            lose(each, str(error))
        except OSError as error:
            lose(each, f"cannot be read: {error.strerror or error}")
        else:
            if file is None:
                others.append(each)
            else:
                files.append(file)
    shapes = {shape_of_name(file.path) for file in files}
    for other in others:
        if looks_lost(other, shape_of_name(other) in shapes):
            lose(other, f"is no DICOM file ({other.stat().st_size} bytes): was it cut short?")
    listings = [other for other in others if other.name.upper() == "DICOMDIR"]
    present = [*(file.path for file in files), *others, *(path for path, _ in lost)]
    absent = chain.from_iterable(absent_files(listing, present) for listing in listings)
    by_series: dict[tuple[str, ...], list[DicomFile]] = defaultdict(list)
    for file in files:
        if file.planes or file.broken:  # an anonymisation may give one UID to several patients
            patient = file.tags.get("PatientID", "")
            by_series[patient, file.series or f"of {file.study}"].append(file)
    foreign = tuple(file for file in files if not (file.planes or file.broken))
    patients = Counter(uid for _, uid in by_series)
    series = [
        replace(one, notes=(*one.notes, _SHARED)) if patients[uid] > 1 else one
        for (_, uid), members in by_series.items()
        for one in volumes_of(members)
    ]
    return Contents(tuple(series), foreign, tuple(lost), tuple(absent))


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
        return noting_absent(series, contents.absent)
    volumes = [series for series in contents.series if series.is_volume]
    candidates = volumes or list(contents.series)
    if not volumes and len(candidates) > 1:
        raise DataError(
            f"holds {len(candidates)} DICOM series, none of which is a volume:"
            f" {_listed(candidates)}"
        )
    if len(candidates) > 1:
        raise DataError(
            f"holds {len(candidates)} DICOM series: {_listed(candidates)}; "
            + (
                _one_uid(candidates)
                or "choose one by its number, UID or description, as"
                f" `series={_shortest(candidates)!r}`, or give its own folder"
            )
        )
    notes = []
    if others := [series for series in contents.series if series is not candidates[0]]:
        notes.append(f"left out series that are no volumes: {_listed(others)}")
    if contents.foreign:
        notes.append(f"left out what is no slice: {_foreign(contents.foreign)}")
    series = _usable(candidates[0])
    return noting_absent(replace(series, notes=(*series.notes, *notes)), contents.absent)


def noting_absent(series: Series, absent: Sequence[Path]) -> Series:
    """Note what a DICOMDIR lists in the folders of a series that is not there; absent: these."""
    folders = {one.file.path.parent.as_posix().casefold() for one in series.slices}
    names = [path.name for path in absent if path.parent.as_posix().casefold() in folders]
    if not names:
        return series
    note = (
        f"DICOMDIR lists {len(names)} files beside its own that are not there: {list_some(names)}"
    )
    return replace(series, notes=(*series.notes, note))


def _wanted(series: Sequence[Series], wanted: str) -> Series:
    for key in (str, str.casefold):
        found = [one for one in series if key(wanted.strip()) in map(key, one.names)]
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(
                f"holds {len(found)} DICOM series '{wanted}': {_listed(found)}; "
                + (_one_uid(found) or f"choose one by its UID, as `series={found[0].uid!r}`")
            )
    raise DataError(f"holds no DICOM series '{wanted}'; it holds {_listed(series)}")


def _one_uid(series: Sequence[Series]) -> str:
    """Say that several series cannot be told apart by their UIDs; '' where they can."""
    counts = Counter(one.uid for one in series)
    if min(counts.values()) < 2:
        return ""
    patients = {one.file.tags.get("PatientID", "one without PatientID") for one in series}
    return f"they have one UID, though they are of several patients: {', '.join(sorted(patients))}"


def _usable(series: Series) -> Series:
    if series.problem:
        raise DataError(series.problem)
    return series


def _foreign(files: Sequence[DicomFile]) -> str:
    return list_some([f"{file.name} ({file.reason})" for file in files])


def _listed(series: Sequence[Series]) -> str:
    """Describe series; those that share number and description with others by their UID, too."""
    counts = _counts(series)
    texts = [
        f"{one}" if any(counts[name] == 1 for name in _said(one)) else f"{one} {one.uid}"
        for one in series[:_LISTED]
    ]
    more = f", and {len(series) - _LISTED} more" if len(series) > _LISTED else ""
    return ", ".join(texts) + more


def _said(series: Series) -> list[str]:
    """Return the names of a series that a description of it shows."""
    return [name for name in series.names if name != series.uid]


def _counts(series: Sequence[Series]) -> Counter[str]:
    return Counter(name for one in series for name in one.names)


def _shortest(series: Sequence[Series]) -> str:
    """Return a name of a usable series that no other has."""
    counts = _counts(series)
    for one in sorted(series, key=lambda one: bool(one.problem)):
        for name in (*_said(one), one.uid):
            if counts[name] == 1:
                return name
    return series[0].uid
