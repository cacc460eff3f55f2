"""New cases that are DICOM: trees of studies, and names taken from their headers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from interactivenet.datasets.file_matching import SUFFIXED, stems
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, naming
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.io import PROMPT_SUFFIXES

#: what a new case is called by
NameBy: TypeAlias = Literal["folder", "patient", "study", "series"]

#: the elements that a name is made of, joined by '_'
_ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "patient": ("PatientID",),
    "study": ("PatientID", "StudyInstanceUID"),
    "series": ("PatientID", "SeriesInstanceUID"),
}
#: bytes of a name
_LONGEST = 180


def is_study(folder: Path, interactions: Path) -> bool:
    """Whether a folder is one case's tree of DICOM studies, and not a folder of cases.

    It is one where it has DICOM files (or DICOMDIR) beside its folders; where the points are one
    file; and where there are points of its own name, but none of the names of the folders in it.
    """
    from interactivenet.imaging.dicom.files import begins_like_dicom
    from interactivenet.imaging.dicom.reading import holds_dicom

    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders or any(suffix_of(entry) for entry in entries if entry not in folders):
        return False
    if any(begins_like_dicom(entry) for entry in entries):
        return True
    if interactions.is_dir():
        marked = set(stems(interactions, PROMPT_SUFFIXES))
        if folder.name not in marked or any(case_of(path.name) in marked for path in folders):
            return False
    return holds_dicom(folder)


def is_dicom_tree(folder: Path) -> bool:
    """Whether a folder is a tree of DICOM studies, and no dataset of another layout."""
    from interactivenet.imaging.dicom.reading import holds_dicom

    if not folder.is_dir() or (folder / "dataset.json").exists():
        return False
    if any((folder / images).is_dir() and (folder / labels).is_dir()
           for images, labels in (("images", "labels"), ("imagesTr", "labelsTr"))):  # fmt: skip
        return False
    return not any(suffix_of(entry) for entry in folder.iterdir()) and holds_dicom(folder)


def case_of(name: str) -> str:
    """Return a folder's name without the number of its modality."""
    match = SUFFIXED.fullmatch(name)
    return match[1] if match else name


def dicom_name(path: Path, series: str, name_by: NameBy) -> str:
    """Return the name that a DICOM image gives its case, safe as a file's name.

    Raises DataError, naming the path, where it is not DICOM or its header lacks an element.
    """
    from interactivenet.imaging.dicom.reading import find_series

    if suffix_of(path, READABLE):
        raise DataError(f"{path}: is not DICOM, but cases are named by `name_by={name_by!r}`")
    try:
        tags = find_series(path, series).file.tags
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    with naming(path):
        return name_of(tags, name_by)


def name_of(tags: Mapping[str, str], name_by: NameBy) -> str:
    """Return the name that a header gives a case; raises DataError where it lacks an element."""
    parts = []
    for keyword in _ELEMENTS[name_by]:
        part = safe_part(tags.get(keyword, ""))
        if not part:
            raise DataError(f"has no {keyword} to name the case by")
        parts.append(part)
    return "_".join(parts).encode()[:_LONGEST].decode(errors="ignore")


def safe_part(text: str) -> str:
    """Return a text as part of a name: of letters, digits, '_', '-' and '.', and no hidden file's.

    '' where nothing of it is left.
    """
    part = re.sub(r"[^\w.-]+", "_", text).strip("._")
    return part.encode()[:_LONGEST].decode(errors="ignore")


def dicom_names(
    paths: Iterable[Path], series: str, name_by: NameBy
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the names that images give their cases, and why the others give none."""
    names: dict[Path, str] = {}
    reasons: dict[Path, str] = {}
    for path in paths:
        try:
            names[path] = dicom_name(path, series, name_by)
        except DataError as error:
            reasons[path] = str(error)
    return names, reasons


def renamed(cases: Sequence[Case], names: Mapping[Path, str]) -> tuple[list[Case], dict[str, str]]:
    """Name cases as their first image does; return them, and why some cannot be.

    Raises nothing: two cases of one name both fail, each naming the other's folder.
    """
    given = [replace(case, name=names.get(case.images[0], case.name)) for case in cases]
    counts = Counter(case.name for case in given)
    failures: dict[str, str] = {}
    for name in (name for name, count in counts.items() if count > 1):
        folders = ", ".join(str(case.images[0]) for case in given if case.name == name)
        failures[name] = f"{counts[name]} cases have this name ({folders}): name them otherwise"
    return [case for case in given if counts[case.name] == 1], failures
