"""Headers of the series that outlines belong to: what objects made from it repeat and refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pydicom
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VM
from pydicom.dataset import Dataset
from pydicom.valuerep import validate_value

from interactivenet.errors import DataError, one_line, sanitize_text
from interactivenet.imaging.dicom.reading import folder_of
from interactivenet.imaging.dicom.stack import Slice
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.structures.structure import Structure
from interactivenet.system.files import check_regular

#: identifiers without which nothing can refer to a series
_REQUIRED = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID",
    "FrameOfReferenceUID",
)  # fmt: skip
#: of the patient and study modules: type 2, which are there though perhaps empty
_MANDATORY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
#: and what is repeated where it is there
_OPTIONAL = (
    "IssuerOfPatientID", "OtherPatientIDs", "EthnicGroup", "PatientIdentityRemoved",
    "DeidentificationMethod", "StudyDescription", "PatientAge", "PatientSize", "PatientWeight",
)  # fmt: skip
#: patient and study, as objects made from a series repeat them
REPEATED = (*_MANDATORY, *_OPTIONAL, "StudyInstanceUID")
#: what archives file by: kept, whatever it is
_FILED_BY = (
    "PatientName", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyInstanceUID",
)  # fmt: skip
#: what all slices of a series have in common, as what is written has it once
_OF_ONE = {"PatientID": "patient", "StudyInstanceUID": "place", "SeriesInstanceUID": "place",
           "FrameOfReferenceUID": "place"}  # fmt: skip
_LENGTHS = {"SH": 16, "LO": 64}
#: values that there are
_ENUMERATED = {"PatientSex": ("M", "F", "O", ""), "PatientIdentityRemoved": ("YES", "NO", "")}


@dataclass(frozen=True, eq=False)
class SourceHeaders:
    """The headers of a series' files without pixels, whose mandatory elements are all there.

    Attributes:
        of_slices: Header of each slice's file, in the order of the slices; frames of one file
            share one.
        notes: What of the patient and study modules is not repeated as it is, a sentence each.
    """

    of_slices: tuple[Dataset, ...]
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Dataset:
        """The header that the patient and the study are taken from."""
        return self.of_slices[0]

    @property
    def of_files(self) -> tuple[Dataset, ...]:
        """The header of each file once."""
        return tuple({id(header): header for header in self.of_slices}.values())

    @property
    def series_number(self) -> int:
        """The number of the series, 0 to 999; 0 where it has none."""
        number = str(self.first.get("SeriesNumber") or "")
        return int(number) % 1000 if number.isdigit() else 0


def read_source_headers(series: Series) -> SourceHeaders:
    """Read the headers of a series' files.

    Values of the patient and study modules that DICOM does not allow are cut or left empty, but
    not what archives file by. Raises DataError, naming the file, where one cannot be read, is
    another than it was, or lacks what an object needs to refer to it.
    """
    headers: dict[str, Dataset] = {}
    for one in series.slices:
        if str(one.file.path) not in headers:
            headers[str(one.file.path)] = _read(one)
    of_slices = tuple(headers[str(one.file.path)] for one in series.slices)
    for keyword, whose in _OF_ONE.items():
        found = sorted({str(header.get(keyword) or "none") for header in of_slices})
        if len(found) > 1:
            raise DataError(
                f"{folder_of(series)}: has slices of {len(found)} {keyword}s, {found[0]} and"
                f" {found[1]}: they are not of one {whose}",
                expected="one",
            )
    first = of_slices[0]
    checked = (*REPEATED, "PositionReferenceIndicator")
    notes = [note for keyword in checked if (note := _mended(first, keyword))]
    if (count := len({str(header.PatientName) for header in of_slices})) > 1:
        notes.append(
            f"Its slices have {count} PatientNames: that of {series.slices[0].name} counts."
        )
    if not first.get("SpecificCharacterSet"):
        notes += [
            f"The series does not say in which characters its {keyword} is written: it is taken for"
            " Latin 1; compare it with the archive's."
            for keyword in _FILED_BY
            if not str(first.get(keyword, "")).isascii()
        ]
    return SourceHeaders(of_slices, tuple(notes))


def _read(one: Slice) -> Dataset:
    path = one.file.path
    check_regular(path)
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        for keyword in _REQUIRED:
            if not str(header.get(keyword, "") or "").strip():
                raise DataError(
                    f"{path}: has no {keyword}, without which nothing in DICOM can refer to it"
                )
        if str(header.SOPInstanceUID) != one.file.uid:
            raise DataError(f"{path}: is another file than it was when the series was read")
        for keyword in _MANDATORY:
            if keyword not in header or header[keyword].value is None:
                setattr(header, keyword, "")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DataError:
        raise
    except Exception as error:  # of a library, on a stranger's bytes
        raise DataError(f"{path}: cannot be read as DICOM: {one_line(error)}") from error
    return header


def _mended(header: Dataset, keyword: str) -> str:
    """Have a value of a header as DICOM allows it; return what was done, '' for nothing."""
    if keyword not in header:
        return ""
    element = header[keyword]
    try:
        if element.VM > 1 and dictionary_VM(element.tag) == "1":
            raise ValueError("several values")
        for value in element.value if element.VM > 1 else [element.value]:
            validate_value(element.VR, "" if value is None else str(value), RAISE)
            if keyword in _ENUMERATED and value not in _ENUMERATED[keyword]:
                raise ValueError("none of those that there are")
    except (ValueError, TypeError):  # whose texts repeat what may be a name
        said = f"The {keyword} of the series is none that DICOM allows"
        if keyword in _FILED_BY:
            return f"{said}: it is written as it is, as archives file by it."
        most = _LENGTHS.get(element.VR, 0)
        if isinstance(element.value, str) and len(element.value) > most > 0:
            element.value = element.value[:most].strip()
            return f"{said}: it is cut to its first {most} characters in the file."
        element.value = ""
        return f"{said}: it is empty in the file."
    return ""


def failure(kind: str, series: Series, headers: SourceHeaders, error: Exception) -> DataError:
    """Make the error that says that a library refuses a series' headers; no person's name in it."""
    reason = one_line(error).replace(str(headers.first.get("PatientName") or "\0"), "PatientName")
    return DataError(
        f"{folder_of(series)}: no {kind} can be made of its headers: {type(error).__name__}:"
        f" {reason}"
    )


def dicom_text(text: str, most: int = 64) -> str:
    """Return a text as an element of type LO (64 characters) or SH (16) may have it."""
    return sanitize_text(text.replace("\\", "/")).strip()[:most].strip()


def dicom_names(structures: Sequence[Structure]) -> tuple[dict[int, str], tuple[str, ...]]:
    """Return number -> name of structures as an element of type LO may have it, and notes.

    Names that DICOM has no room or no characters for are changed, so that no two are alike, and
    that is said.
    """
    names: dict[int, str] = {}
    notes = []
    for one in structures:
        name, tries = dicom_text(one.name) or "structure", 1
        while name in names.values():
            tries += 1
            end = f" ({tries})"
            name = f"{dicom_text(one.name, 64 - len(end)) or 'structure'}{end}"
        names[one.number] = name
        if name != one.name:
            notes.append(f"'{sanitize_text(one.name)}' is called '{name}' in the file.")
    return names, tuple(notes)
