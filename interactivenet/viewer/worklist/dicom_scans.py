"""The scans of a DICOM tree: one for each series, or part of one, that is a volume."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.series import Contents, choose, contents_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.system.names import list_some, printable
from interactivenet.viewer.worklist.scan_files import FoundScan

#: bytes of a case's name
_LONGEST = 120


def find_dicom_scans(path: Path) -> list[FoundScan]:
    """List the series of a DICOM folder, of those in it, or of one multi-frame file.

    What is no volume, as single images, localisers, structure sets and files that cannot be read,
    is listed with its problem. A scan is called as its folder is, and, where that has several, as
    its series is, too. Raises DataError where a folder cannot be read.
    """
    root = path if path.is_dir() else path.parent
    read = cache(contents_of)  # one folder may have copies of many series
    contents = read(path)
    parted = list(_parted(contents, path, read))
    volumes = Counter(
        folder for folder, _, series in parted if series.is_volume and not series.problem
    )
    scans = []
    for folder, of_folder, series in parted:
        single = volumes[folder] == 1 and series.is_volume and not series.problem
        scans.append(_scan(series, folder, root, of_folder, single=single))
    return [*scans, *_others(contents, root)]


def _parted(
    contents: Contents, path: Path, read: Callable[[Path], Contents]
) -> Iterator[tuple[Path, Contents, Series]]:
    """Yield each series with its folder, and all that was read with it.

    Copies of a series in several folders are several scans: one may have been changed since.
    """
    for series in contents.series:
        folder = _folder_of(series, path)
        below = _folders_below(folder, series)
        copied = any("are copies of others" in note for note in series.notes)
        if len(below) < 2 or not (series.problem or copied):
            yield folder, contents, series
            continue
        for each in below:
            of_folder = read(each)
            own = [one for one in of_folder.series if one.file.series == series.file.series]
            yield from _parted(replace(of_folder, series=tuple(own)), each, read)


def _folders_below(folder: Path, series: Series) -> list[Path]:
    """Return the folders in a folder that has no file of a series itself."""
    if not folder.is_dir() or any(one.file.path.parent == folder for one in series.slices):
        return []
    return [path for path in sorted(folder.iterdir())
            if path.is_dir() and not path.name.startswith(".")]  # fmt: skip


def _scan(
    series: Series, folder: Path, root: Path, contents: Contents, *, single: bool
) -> FoundScan:
    tags = series.file.tags
    uid = series.file.series
    wanted = f"{uid}:{series.part}" if uid and series.part else uid
    place = folder if folder.is_dir() else folder.parent
    problem = ""
    if not series.is_volume:
        problem = f"{series} is no volume: {series.problem or _why_not(series)}"
    else:
        try:
            choose(contents, wanted)
        except DataError as error:
            called = tags.get("SeriesNumber", "") or tags.get("SeriesDescription", "") or uid
            problem = f"series {called} {error}"
    name = place.name
    if not single:
        said = tags.get("SeriesNumber", ""), tags.get("SeriesDescription", ""), series.part
        name = "_".join(filter(None, (name, *said)))
    case = re.sub(r"[^\w.-]+", "_", name).strip("._")
    case = case.encode()[:_LONGEST].decode(errors="ignore") or "series"
    return FoundScan(
        "" if problem else case, (folder,), _relative(place.parent, root), wanted,
        problem=printable(problem),
    )  # fmt: skip


def _why_not(series: Series) -> str:
    if len(series.slices) < 2:
        return "it has a single image"
    return next((note for note in series.notes if "localiser" in note), "it is a localiser")


def _others(contents: Contents, root: Path) -> list[FoundScan]:
    """List what is no image of a volume, by its folder and kind, and what cannot be read."""
    foreign: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in contents.foreign:
        foreign[file.path.parent, file.reason or file.kind].append(file.path)
    scans = []
    for (folder, reason), files in foreign.items():
        names = list_some([file.name for file in files])
        kind = "is" if len(files) == 1 else "are"
        problem = printable(f"{names} {kind} no scan: {reason}")
        scans.append(FoundScan("", tuple(files), _relative(folder, root), problem=problem))
    lost: dict[Path, list[tuple[Path, str]]] = defaultdict(list)
    for path, reason in contents.lost:
        lost[path.parent].append((path, reason))
    for folder, unread in lost.items():
        more = f" (and {len(unread) - 1} more files)" if len(unread) > 1 else ""
        problem = printable(f"{unread[0][1]}{more}")
        paths = tuple(path for path, _ in unread)
        scans.append(FoundScan("", paths, _relative(folder, root), problem=problem))
    return scans


def _folder_of(series: Series, path: Path) -> Path:
    """Return the smallest folder that has all of a series, or the single file that was given."""
    if not path.is_dir():
        return path
    folders = {one.file.path.parent for one in series.slices} or {series.file.path.parent}
    return Path(os.path.commonpath(list(folders)))


def _relative(folder: Path, root: Path) -> str:
    try:
        place = folder.relative_to(root).as_posix()
    except ValueError:  # of the folder itself, the one that it is in
        return ""
    return printable("" if place == "." else place)
