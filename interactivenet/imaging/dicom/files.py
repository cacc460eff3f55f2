"""DICOM files: which files are some, and what the header of each says of its images.

Headers are parsed by pydicom, of which only the values needed here are converted.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Literal

import pydicom
from pydicom import config
from pydicom.uid import UID

from interactivenet.errors import DataError, one_line, sanitize_text
from interactivenet.imaging.dicom.header import Header
from interactivenet.imaging.dicom.opening import open_bounded
from interactivenet.imaging.dicom.planes import Plane, planes_of
from interactivenet.system.files import open_regular

# what matters is checked and reported here
warnings.filterwarnings("ignore", module=r"pydicom\.")

#: what a volume tells of its file; a person's name is not among them
TAGS = (
    "Modality", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "SeriesNumber",
    "SeriesDescription", "RescaleType", "Units",
)  # fmt: skip
_SUFFIXES = (".dcm", ".dicom", ".ima")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_IMPLICIT = "1.2.840.10008.1.2"
_NATIVE = (_IMPLICIT, "1.2.840.10008.1.2.1", _BIG_ENDIAN, _DEFLATED)
_DIRECTORY = "1.2.840.10008.1.3.10"
_PIXEL_DATA, _ITEM, _END_OF_ITEMS = 0x7FE00010, 0xFFFEE000, 0xFFFEE0DD
#: what pydicom 3.0 does not know
_NAMES = {
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
}
_UID = re.compile(r"[\d.]{1,64}")
#: where images are slices of a patient; one without a position is then a fault
_TOMOGRAPHIC = re.compile(r"(CT|MR|PET|Positron Emission Tomography) Image")


@dataclass(frozen=True, eq=False)
class DicomFile:
    """The header of a DICOM file.

    name: of the file in the folder that is read, for messages.  kind: of its object, such as
    'CT Image' or 'RT Dose'.  image_type: in capitals.  size: rows, columns.  bits: allocated,
    stored.  frames: 1 for a slice by itself.
    values: all that decides how ITK turns stored into real values, as it is written.
    tags: as those of a Volume.  reference: UID of the frame of reference that positions are in.
    date: of the study, and its time, as DICOM writes them ('20010902101500').
    has_table: whether a table, which is not applied, turns stored into real values.
    planes: where its images lie; without any, it is no part of a volume, and ``reason`` says why.
    broken: why an image that should be one cannot be used.
    """

    path: Path
    name: str
    uid: str
    series: str
    study: str
    kind: str
    image_type: tuple[str, ...]
    size: tuple[int, int]
    photometric: str
    bits: tuple[int, int]
    signed: bool
    frames: int
    transfer_syntax: str
    values: tuple[str, ...]
    tags: Mapping[str, str]
    reference: str = ""
    date: str = ""
    has_table: bool = False
    planes: tuple[Plane, ...] = ()
    reason: str = ""
    broken: str = ""

    @property
    def is_native(self) -> bool:
        """Whether its pixel data are not compressed."""
        return self.transfer_syntax in _NATIVE

    @property
    def is_localiser(self) -> bool:
        """Whether it calls itself one: a scan on which others are planned."""
        return bool({"LOCALIZER", "LOCALISER", "SCOUT"} & set(self.image_type))


def regular_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files of a folder and of those in it, in the order of their names.

    Links that lead nowhere are among them, hidden files are not. Raises DataError where a folder
    cannot be read.
    """
    yield from _walk(folder, {_identity(folder.stat())})


def begins_like_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do; False for what is not a regular file."""
    try:
        if not S_ISREG(path.stat().st_mode):
            return False
        with open_regular(path) as file:
            return _begins_like_dicom(file.read(132))
    except OSError:
        return False


def read_file(path: Path, root: Path) -> DicomFile | None:
    """Read the header of a file; None where it is not DICOM, or only a list of other files.

    root: of the folders that are read.
    Raises DataError, with the reason alone, where it begins like DICOM but cannot be read.
    """
    with open_bounded(path) as file:
        start = file.read(132)
        if not _begins_like_dicom(start):
            return None
        file.seek(0)
        try:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            header = Header(dataset)
            sop_class = header.text("SOPClassUID") or header.meta("MediaStorageSOPClassUID")
            if sop_class == _DIRECTORY:
                return None
            if sop_class and not _UID.fullmatch(sop_class):  # not told: it may be of a person
                raise DataError("has a damaged SOPClassUID")
            return _described(path, path.relative_to(root).as_posix(), header, sop_class, file)
        except (OSError, DataError):
            raise
        except Exception as error:  # of a library, on a stranger's bytes
            raise DataError(f"cannot be read as DICOM: {one_line(error)}") from error


def looks_lost(path: Path, among: bool) -> bool:
    """Whether a file that is not DICOM is what is left of one that was.

    among: whether DICOM files beside it are called alike.
    """
    if path.name.upper().startswith("DICOMDIR"):
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    with open_regular(path) as file:
        return among and not file.read(132).strip(b"\0")


def shape_of_name(path: Path) -> tuple[Path, str]:
    """Return what the names of a series' files have in common: folder, name without numbers."""
    return path.parent, re.sub(r"\d+", "#", path.name)


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder.name} cannot be read: {error.strerror or error}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            status = entry.stat()  # of what a link points at
        except OSError:  # at nothing: whoever reads it says so
            yield Path(entry.path)
            continue
        if entry.is_dir():
            if (identity := _identity(status)) not in seen:
                seen.add(identity)
                yield from _walk(Path(entry.path), seen)
        elif S_ISREG(status.st_mode):
            yield Path(entry.path)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _begins_like_dicom(start: bytes) -> bool:
    if start[128:132] == b"DICM":
        return True
    # without the preamble, as before 1993: the group length, or the first element of the header
    group, element = int.from_bytes(start[:2], "little"), int.from_bytes(start[2:4], "little")
    if len(start) < 16 or group not in (2, 8) or element > 0x18:
        return False
    is_explicit = start[4:6] in (b"UL", b"CS", b"UI", b"DA", b"TM", b"OB")
    return is_explicit or 0 < int.from_bytes(start[4:8], "little") <= 64


def _described(path: Path, name: str, header: Header, sop_class: str, file: BinaryIO) -> DicomFile:
    stored = _NAMES.get(sop_class) or UID(sop_class, config.IGNORE).name
    kind = sanitize_text(stored.removesuffix(" Storage") or header.text("Modality") or "DICOM")
    is_image = stored.endswith("Image Storage") or (stored == sop_class and header.has("Rows"))
    if stored.startswith("RT "):
        is_image = False
    series = header.text("SeriesInstanceUID")
    if (is_image or not sop_class) and not header.has("Rows"):
        raise DataError("ends within its header: was it cut short?")
    photometric = header.text("PhotometricInterpretation").upper()
    syntax = header.meta("TransferSyntaxUID")
    if not syntax:
        syntax = _IMPLICIT if header.dataset.original_encoding[0] else "1.2.840.10008.1.2.1"
    tags = {keyword: header.decoded(keyword) for keyword in TAGS}
    planes: tuple[Plane, ...] = ()
    reason = broken = ""
    if not is_image:
        reason = kind
    elif header.number("SamplesPerPixel", 1) != 1 or photometric == "PALETTE COLOR":
        reason = f"{kind} in colour"
    elif "MOSAIC" in header.values("ImageType"):
        reason = broken = "is a mosaic of several slices (convert it to NIfTI first)"
    else:
        try:
            planes = planes_of(header)
        except DataError as error:
            reason = f"{kind}: {error}"
            if _TOMOGRAPHIC.search(kind) and "SECONDARY" not in header.values("ImageType"):
                broken = str(error)
    if planes:
        broken = _pixel_problem(header, syntax, file)
        tags["RescaleType"] = tags["RescaleType"] or planes[0].rescale_type
    return DicomFile(
        path, name, header.text("SOPInstanceUID"), series, header.text("StudyInstanceUID"), kind,
        tuple(value.upper() for value in header.values("ImageType")),
        (header.number("Rows"), header.number("Columns")), photometric,
        (header.number("BitsAllocated", 16), header.number("BitsStored", 16)),
        header.number("PixelRepresentation") == 1, header.frames, syntax,
        tuple(
            header.text(keyword)
            for keyword in ("RescaleIntercept", "RescaleSlope", "BitsStored", "PixelRepresentation")
        ),
        {keyword: value for keyword, value in tags.items() if value},
        header.text("FrameOfReferenceUID"), header.text("StudyDate") + header.text("StudyTime"),
        header.has("ModalityLUTSequence"),
        planes, reason, broken,
    )  # fmt: skip


def _pixel_problem(header: Header, syntax: str, file: BinaryIO) -> str:
    """Say why the pixel data are not whole; '' where they are. file: at their beginning."""
    rows, columns = header.number("Rows"), header.number("Columns")
    bits = header.number("BitsAllocated")
    if min(rows, columns) < 1 or bits not in (8, 12, 16, 32):
        return f"has {rows}x{columns} pixels of {bits} bits, expected 8, 16 or 32 bits"
    expected = rows * columns * bits // 8 * header.frames
    if syntax == _DEFLATED:
        file.seek(0)
        found = len(pydicom.dcmread(file, force=True).get("PixelData", b""))
        return _too_short(found, expected)
    big, implicit = syntax == _BIG_ENDIAN, bool(header.dataset.original_encoding[0])
    order: Literal["big", "little"] = "big" if big else "little"
    start = file.read(12)
    group, element = int.from_bytes(start[:2], order), int.from_bytes(start[2:4], order)
    if len(start) < 12 or group != _PIXEL_DATA >> 16:
        return "ends before its pixel data: it was cut short"
    if group << 16 | element != _PIXEL_DATA:
        return "has pixel data of floating-point numbers, expected whole ones"
    if implicit:
        file.seek(-4, os.SEEK_CUR)
    length = int.from_bytes(start[4:8] if implicit else start[8:12], order)
    here, end = file.tell(), file.seek(0, os.SEEK_END)
    if length == 0xFFFFFFFF:
        return _fragments_problem(file, here, end)
    if syntax in _NATIVE and length < expected:
        return _too_short(length, expected)
    if here + length > end:
        return _too_short(end - here, length) + ": it was cut short"
    return ""


def _too_short(found: int, expected: int) -> str:
    if found >= expected:
        return ""
    return f"has {found} bytes of pixel data, expected {expected}"


def _fragments_problem(file: BinaryIO, here: int, end: int) -> str:
    """Say whether the fragments of compressed pixel data are all there."""
    while here + 8 <= end:
        file.seek(here)
        item = file.read(8)
        tag = int.from_bytes(item[:2], "little") << 16 | int.from_bytes(item[2:4], "little")
        if tag == _END_OF_ITEMS:
            return ""
        if tag != _ITEM:
            return "has compressed pixel data that are damaged"
        here += 8 + int.from_bytes(item[4:], "little")
    return "ends within its pixel data: it was cut short"
