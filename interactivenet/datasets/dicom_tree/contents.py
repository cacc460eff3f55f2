"""What is in a DICOM tree: patients, their studies, the series and structure sets of each."""

from __future__ import annotations

import filecmp
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interactivenet.errors import DataError, RequestError, describe_failure
from interactivenet.imaging.dicom.files import DicomFile
from interactivenet.imaging.dicom.series import Contents, contents_of, noting_absent
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.structures.reading.structure_files import (
    StructureFile,
    read_structure_header,
)
from interactivenet.system.names import list_some

#: names of what holds outlines, as files.py calls kinds of objects
_STRUCTURES = {"RT Structure Set", "Segmentation", "Label Map Segmentation", "RTSTRUCT", "SEG"}


@dataclass(frozen=True, eq=False)
class TreeStructures:
    """A structure set, or segmentation: its file, and what its header says; or why it is broken."""

    file: DicomFile
    header: StructureFile | None
    broken: str = ""

    def __str__(self) -> str:
        if self.header is None:
            return f"{self.file.name} ({self.broken})"
        said = self.header.label or self.header.description
        names = list_some([roi.name for roi in self.header.rois])
        return f"{self.file.name}{f' {said!r}' if said else ''} ({names})"


@dataclass(eq=False)
class Study:
    """A study of a patient.

    date: as DICOM writes it, and the time.  series: those that are volumes, broken ones, too.
    """

    uid: str
    date: str
    series: list[Series] = field(default_factory=list)

    def __str__(self) -> str:
        day = self.date[:8]
        if len(day) == 8 and day.isdigit():
            return f"study of {day[:4]}-{day[4:6]}-{day[6:]}"
        return f"study {self.uid}"


@dataclass(eq=False)
class Patient:
    """A patient: studies in the order of their dates.

    identifier: PatientID; '' where the files have none, and each study is taken for a patient.
    """

    identifier: str
    studies: list[Study] = field(default_factory=list)
    structures: list[TreeStructures] = field(default_factory=list)

    def __str__(self) -> str:
        return self.identifier or (self.studies[0].uid if self.studies else "unknown patient")


@dataclass(frozen=True, eq=False)
class Tree:
    """What is in a tree.

    others: series that are no volumes.  foreign: files that are neither slices nor outlines.
    lost: files that cannot be read, and why.
    """

    root: Path
    patients: tuple[Patient, ...]
    others: tuple[Series, ...]
    foreign: tuple[DicomFile, ...]
    lost: tuple[tuple[Path, str], ...]

    def lost_beside(self, series: Series) -> str:
        """Say that a file in a series' folders cannot be read, which may be one of its slices."""
        folders = {one.file.path.parent for one in series.slices}
        texts = [text for path, text in self.lost if path.parent in folders]
        return f"holds a file that cannot be read: {texts[0]}" if texts else ""


def read_tree(root: Path) -> Tree:
    """Read the headers of all files of a tree, each once; structure sets whole.

    Raises RequestError where it holds no series that is a volume.
    """
    if not root.is_dir():
        raise RequestError(f"{root}: is no folder", expected="the folder of a DICOM tree")
    try:
        contents = contents_of(root)
    except DataError as error:  # a folder in it that cannot be read
        raise RequestError(f"{root}: {error}") from error
    if not any(series.is_volume for series in contents.series):
        raise RequestError(f"{root}: holds no DICOM series that is a volume: {_held(contents)}")
    foreign: list[DicomFile] = []
    outlines: list[DicomFile] = []
    for file in contents.foreign:
        (outlines if file.kind in _STRUCTURES else foreign).append(file)
    volumes = [
        noting_absent(series, contents.absent) for series in contents.series if series.is_volume
    ]
    others = [series for series in contents.series if not series.is_volume]
    return Tree(
        root, tuple(_patients(volumes, map(_read_structures, _once(outlines)))), tuple(others),
        tuple(foreign), contents.lost,
    )  # fmt: skip


def _patients(volumes: Iterable[Series], structures: Iterable[TreeStructures]) -> list[Patient]:
    patients: dict[tuple[str, str], Patient] = {}

    def patient_of(file: DicomFile) -> Patient:
        identifier = file.tags.get("PatientID", "").strip()
        key = (identifier, "" if identifier else file.study)
        return patients.setdefault(key, Patient(identifier))

    studies: dict[tuple[int, str], Study] = {}
    for series in volumes:
        patient, file = patient_of(series.file), series.file
        study = studies.get((id(patient), file.study))
        if study is None:
            study = studies[id(patient), file.study] = Study(file.study, file.date)
            patient.studies.append(study)
        study.series.append(series)
    for one in structures:
        patient_of(one.file).structures.append(one)
    for patient in patients.values():
        patient.studies.sort(key=lambda study: (study.date, study.uid))
        for study in patient.studies:
            study.series.sort(key=_order)
        patient.structures.sort(key=lambda one: one.file.name)
    return sorted(patients.values(), key=str)


def _order(series: Series) -> tuple[int, str, str]:
    number = series.file.tags.get("SeriesNumber", "")
    return int(number) if number.isdecimal() else 0, series.file.series, series.part


def _once(files: Sequence[DicomFile]) -> list[DicomFile]:
    """Take copies of a file once; two that differ under one SOPInstanceUID both stay."""
    kept: dict[str, list[DicomFile]] = defaultdict(list)
    for file in files:
        others = kept[file.uid]
        if not any(filecmp.cmp(file.path, other.path, shallow=False) for other in others):
            others.append(file)
    return [file for group in kept.values() for file in group]


def _read_structures(file: DicomFile) -> TreeStructures:
    try:
        return TreeStructures(file, read_structure_header(file.path))
    except (DataError, OSError) as error:
        reason = describe_failure(error).removeprefix(f"{file.path}: ")
        return TreeStructures(file, None, reason)


def _held(contents: Contents) -> str:
    if contents.lost:
        return f"a file cannot be read: {contents.lost[0][1]}"
    named = [*map(str, contents.series[:4]), *(str(file.name) for file in contents.foreign[:4])]
    return f"it holds {', '.join(named)}" if named else "it holds no DICOM file"
