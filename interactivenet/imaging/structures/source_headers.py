"""Headers of the series that outlines belong to: what objects made from it repeat and refer to."""

from __future__ import annotations

from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.dicom.stack import Slice
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.system.files import check_regular

#: identifiers without which nothing can refer to a series
_REQUIRED = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID",
    "FrameOfReferenceUID",
)  # fmt: skip
#: type 2 of the patient and study modules: there, though perhaps empty
_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SourceHeaders:
    """The headers of a series' files without pixels, whose mandatory elements are all there.

    Attributes:
        of_slices: Header of each slice's file, in the order of the slices; frames of one file
            share one.
    """

    of_slices: tuple[Dataset, ...]

    @property
    def first(self) -> Dataset:
        """The header that the patient and the study are taken from."""
        return self.of_slices[0]

    @property
    def of_files(self) -> tuple[Dataset, ...]:
        """The header of each file once."""
        return tuple({id(header): header for header in self.of_slices}.values())


def read_source_headers(series: Series) -> SourceHeaders:
    """Read the headers of a series' files.

    Raises DataError, naming the file, where one cannot be read, is another than it was, or lacks
    what an object needs to refer to it.
    """
    headers: dict[str, Dataset] = {}
    for one in series.slices:
        if str(one.file.path) not in headers:
            headers[str(one.file.path)] = _read(one)
    of_slices = tuple(headers[str(one.file.path)] for one in series.slices)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        found = sorted({str(header.get(keyword)) for header in of_slices})
        if len(found) > 1:
            raise DataError(
                f"{series.file.path.parent}: has slices of {len(found)} {keyword}s,"
                f" {found[0]} and {found[1]}: outlines of them have no one place"
            )
    return SourceHeaders(of_slices)


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
        for keyword in _EMPTY:
            if keyword not in header or header[keyword].value is None:
                setattr(header, keyword, "")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DataError:
        raise
    except Exception as error:  # of a library, on a stranger's bytes
        raise DataError(f"{path}: cannot be read as DICOM: {one_line(error)}") from error
    return header
