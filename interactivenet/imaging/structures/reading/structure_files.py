"""RTSTRUCT and DICOM SEG files: which files are some, and what their headers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from interactivenet.errors import DataError, naming
from interactivenet.imaging.dicom.files import begins_like_dicom, regular_files
from interactivenet.imaging.dicom.header import Header
from interactivenet.imaging.dicom.identity import SeriesIdentity
from interactivenet.imaging.dicom.opening import read_dataset
from interactivenet.system.files import check_regular
from interactivenet.system.names import list_names

Kind = Literal["", "RTSTRUCT", "SEG"]
#: SOP classes: RT Structure Set Storage, Segmentation Storage, Label Map Segmentation Storage
_KINDS: dict[str, Kind] = {
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",
}
_SOP_CLASS = 0x00080016
_NONE = "is no RTSTRUCT or DICOM SEG"


@dataclass(frozen=True)
class Roi:
    """A region of a structure set, or a segment.

    number: its own in the file.  name: ROI Name, or Segment Label.  parts: how many contours, or
    frames, it has.  frame_of_reference: UID of that of its own positions; '' where nobody says.
    """

    number: int
    name: str
    parts: int
    frame_of_reference: str = ""


@dataclass(frozen=True, eq=False)
class StructureFile:
    """What the header of an RTSTRUCT or SEG says; texts are '' where it says nothing.

    Attributes:
        path: The file.
        kind: 'RTSTRUCT' or 'SEG'.
        uid: Its SOPInstanceUID.
        label: Structure Set Label, or Content Label.
        description: Of its series.
        date: When it was drawn, YYYYMMDD.
        time: The same, HHMMSS with fractions.
        patient_id: PatientID.
        study: StudyInstanceUID.
        frame_of_reference: UID of the frame of reference that its positions are in; of several,
            which its ROIs have, the first.
        series: SeriesInstanceUIDs that it refers to.
        rois: In the order of the file.
    """

    path: Path
    kind: Kind
    uid: str
    label: str
    description: str
    date: str
    time: str
    patient_id: str
    study: str
    frame_of_reference: str
    series: tuple[str, ...]
    rois: tuple[Roi, ...]

    def frames_of(self, rois: Collection[int]) -> dict[int, str]:
        """Return the frame of reference of each of the ROIs of some numbers, where it is known."""
        frames = {
            roi.number: roi.frame_of_reference or self.frame_of_reference
            for roi in self.rois
            if roi.number in rois
        }
        return {number: frame for number, frame in frames.items() if frame}


def differences(file: StructureFile, scan: SeriesIdentity, frame: str = "") -> list[str]:
    """Say in what outlines are not of a scan: patient, frame of reference, series.

    frame: UID of the frame of reference of the ROIs that are read; '' for that of the file.
    What either of them does not say is no difference.
    """
    notes = []
    if file.patient_id and scan.patient and file.patient_id != scan.patient:
        notes.append(f"it is of patient {file.patient_id}, the image of {scan.patient}")
    own, expected = frame or file.frame_of_reference, scan.frame_of_reference
    if own and expected and own != expected:
        notes.append(
            "its frame of reference is another one than the image's: nothing says that positions"
            " in both mean the same place"
        )
    elif file.series and scan.series and scan.series not in file.series:
        same = own and own == expected
        where = "another series of the same frame of reference" if same else (
            "another series than the image, and nothing says that positions in both mean the same"
            " place"
        )  # fmt: skip
        notes.append(f"it was drawn on {where}")
    return notes


def structure_kind(path: Path) -> Kind:
    """Say which kind of outlines a file holds, from its first bytes; '' for any other file."""
    try:
        if not begins_like_dicom(path):
            return ""
        header = Header(read_dataset(path, until=_SOP_CLASS))
        sop_class = header.text("SOPClassUID") or header.meta("MediaStorageSOPClassUID")
    except DataError:
        return ""
    return _KINDS.get(sop_class, "")


def find_structure_file(path: Path) -> Path | None:
    """Find the RTSTRUCT or SEG that a path is, or that is the only one in a folder; else None.

    Raises DataError, naming them, where a folder has several.
    """
    if not path.is_dir():
        return path if structure_kind(path) else None
    found = [file for file in regular_files(path) if structure_kind(file)]
    if len(found) > 1:
        raise DataError(
            f"{path}: holds {len(found)} structure sets or segmentations, expected one:"
            f" {list_names(found)}"
        )
    return found[0] if found else None


def holds_structures(path: Path) -> bool:
    """Whether a path is an RTSTRUCT or SEG, or a folder of one or several."""
    try:
        return find_structure_file(path) is not None
    except DataError:
        return True


def read_structure_header(path: Path) -> StructureFile:
    """Read what an RTSTRUCT or SEG holds, without its voxels.

    Raises DataError, naming the file, where it is neither, or cannot be read.
    """
    with naming(path):
        check_regular(path)
        if not structure_kind(path):
            raise DataError(_NONE if path.exists() else "does not exist")
        return describe(path, Header(read_dataset(path)))


def describe(path: Path, header: Header) -> StructureFile:
    """Return what a header that has been read says; raises as :func:`read_structure_header`."""
    sop_class = header.text("SOPClassUID") or header.meta("MediaStorageSOPClassUID")
    kind = _KINDS.get(sop_class, "")
    if not kind:
        raise DataError(_NONE)
    is_contours = kind == "RTSTRUCT"
    label, date, time = (
        ("StructureSetLabel", "StructureSetDate", "StructureSetTime")
        if is_contours
        else ("ContentLabel", "ContentDate", "ContentTime")
    )
    series, frame = _references(header) if is_contours else (_seg_series(header), "")
    return StructureFile(
        path, kind, header.text("SOPInstanceUID"), header.decoded(label),
        header.decoded("SeriesDescription"), header.text(date), header.text(time),
        header.decoded("PatientID"), header.text("StudyInstanceUID"),
        frame or header.text("FrameOfReferenceUID"), tuple(dict.fromkeys(filter(None, series))),
        _rois(header) if is_contours else _segments(header),
    )  # fmt: skip


def _references(header: Header) -> tuple[list[str], str]:
    """Return the series that a structure set refers to, and its frame of reference."""
    frames = header.items("ReferencedFrameOfReferenceSequence")
    series = [
        series.text("SeriesInstanceUID")
        for frame in frames
        for study in frame.items("RTReferencedStudySequence")
        for series in study.items("RTReferencedSeriesSequence")
    ]
    own = [
        roi.text("ReferencedFrameOfReferenceUID") for roi in header.items("StructureSetROISequence")
    ]
    named = [*own, *(frame.text("FrameOfReferenceUID") for frame in frames)]
    return series, next(filter(None, named), "")


def _rois(header: Header) -> tuple[Roi, ...]:
    contours = {
        item.number("ReferencedROINumber", -1): len(item.items("ContourSequence"))
        for item in header.items("ROIContourSequence")
    }
    numbered = [
        (item.number("ROINumber", -1), item) for item in header.items("StructureSetROISequence")
    ]
    _check_numbers([number for number, _ in numbered], "ROIs")
    return tuple(
        Roi(number, item.decoded("ROIName"), contours.get(number, 0),
            item.text("ReferencedFrameOfReferenceUID"))
        for number, item in numbered
    )  # fmt: skip


def _check_numbers(numbers: Sequence[int], what: str) -> None:
    for number, count in Counter(numbers).items():
        if count > 1:
            raise DataError(f"has several {what} of the number {number}")


def _seg_series(header: Header) -> list[str]:
    return [item.text("SeriesInstanceUID") for item in header.items("ReferencedSeriesSequence")]


def _segments(header: Header) -> tuple[Roi, ...]:
    frames: Counter[int] = Counter()
    for frame in header.items("PerFrameFunctionalGroupsSequence"):
        for item in frame.items("SegmentIdentificationSequence")[:1]:
            frames[item.number("ReferencedSegmentNumber")] += 1
    is_map = header.text("SegmentationType").upper() == "LABELMAP"
    numbered = [(item.number("SegmentNumber"), item) for item in header.items("SegmentSequence")]
    _check_numbers([number for number, _ in numbered], "segments")
    return tuple(
        Roi(number, item.decoded("SegmentLabel"), header.frames if is_map else frames[number])
        for number, item in numbered
        if number > 0  # 0 is the background of a label map
    )
