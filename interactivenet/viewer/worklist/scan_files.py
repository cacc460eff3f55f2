"""What is known of an image before it is opened: from names, and from headers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from interactivenet.datasets.file_matching import SUFFIXED, is_of_case, stems
from interactivenet.datasets.modalities import ANY
from interactivenet.errors import DataError, describe_failure, naming
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.system.names import printable

#: files of a segmentation of 3D Slicer
_SEGMENTATION = ".seg.nrrd"


@dataclass(frozen=True)
class FoundScan:
    """A scan, or what may be one, in a folder.

    case: what its files are called where it is saved; '' where it cannot be opened.
    place: its folder, relative to the one that was given; '' for that itself.
    images: one per modality.  series: which of a DICOM folder.  points: a file beside it.
    problem: why it cannot be opened, one sentence.
    subset: of a raw task; '' elsewhere.
    """

    case: str
    images: tuple[Path, ...]
    place: str = ""
    series: str = ""
    points: Path | None = None
    problem: str = ""
    subset: Literal["", "Tr", "Ts"] = ""
    task: Path | None = None


@dataclass
class FoundScans:
    """What a folder holds.

    notes: what was left out, and why: a sentence each.
    """

    scans: list[FoundScan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def images_of_case(files: Mapping[str, Sequence[Path]], case: str) -> tuple[Path, ...]:
    """Return the images of a case, as it is shown; files: by their names without suffix."""
    return tuple(
        path for stem, paths in files.items() for path in paths if is_of_case(printable(stem), case)
    )


def header_problem(path: Path) -> str:
    """Say why an image cannot be opened, as far as its name and its header show; '' if it can."""
    suffix = suffix_of(path)
    try:
        if path.is_symlink() and not path.exists():
            return f"{path.name} is a link to {path.readlink()}, which leads nowhere"
        if path.is_dir():
            from interactivenet.imaging.dicom.reading import find_series

            with naming(path.name):
                find_series(path)
        elif suffix == _SEGMENTATION:
            return f"{path.name} is a segmentation of 3D Slicer, and no scan"
        elif path.stat().st_size == 0:
            return f"{path.name} is empty"
        elif suffix in (".nii", ".nii.gz", ".hdr"):
            from interactivenet.imaging.nifti import check_nifti

            with naming(path.name):
                check_nifti(path)
    except (DataError, OSError) as error:
        return describe_failure(error)
    return ""


def images_per_case(folder: Path) -> int:
    """Return how many images each case of a folder has, by their names alone: 1 where unclear.

    They are numbered, as in a raw task, where all cases have the same numbers, from 0000 on.
    """
    numbers: dict[str, set[int]] = {}
    for stem in stems(folder, READABLE):
        match = SUFFIXED.fullmatch(stem)
        if match is None:
            return 1
        numbers.setdefault(match[1], set()).add(int(match[2]))
    sets = {frozenset(each) for each in numbers.values()}
    if len(sets) != 1:
        return 1
    (only,) = sets
    return len(only) if only == set(range(len(only))) else 1


def expected_modalities(folder: Path, modalities: Sequence[str]) -> tuple[str, ...]:
    """Return the modalities to match the files of a folder by."""
    if tuple(modalities) != (ANY,):
        return tuple(modalities)
    count = images_per_case(folder)
    return (ANY,) if count == 1 else tuple(f"image {number}" for number in range(count))


def listed_once(listed: Sequence[tuple[str, FoundScan]]) -> list[tuple[str, FoundScan]]:
    """Leave out scans that were reached by two of the paths that were given."""
    seen: set[tuple[tuple[Path, ...], str]] = set()
    kept = []
    for source, scan in listed:
        key = tuple(path.absolute() for path in scan.images), scan.series
        if key not in seen:
            seen.add(key)
            kept.append((source, scan))
    return kept


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, with -2, -3 ... behind it where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
