"""The formats that results can be written in: label maps, and what other programs take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from interactivenet.errors import RequestError

ExportFormat = Literal["dcm-seg", "rtstruct", "seg.nrrd"]
MapFormat = Literal["nii.gz", "mha", "nrrd"]
#: what is written behind a case's name
SUFFIXES: Mapping[ExportFormat, str] = {
    "dcm-seg": ".seg.dcm", "rtstruct": ".rtstruct.dcm", "seg.nrrd": ".seg.nrrd",
}  # fmt: skip
#: what people call the formats
NAMES: Mapping[ExportFormat, str] = {
    "dcm-seg": "DICOM SEG", "rtstruct": "RTSTRUCT", "seg.nrrd": "3D Slicer",
}  # fmt: skip
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
MAP_FORMATS: tuple[MapFormat, ...] = get_args(MapFormat)
#: formats that refer to a DICOM series
OF_SERIES: tuple[ExportFormat, ...] = ("dcm-seg", "rtstruct")
#: in a record, what was exported: format -> file, what it was made from, and notes
EXPORTS = "exports"
#: format -> why a file could not be written, when it was tried last
EXPORT_FAILURES = "export_failures"


def chosen_formats(given: str | Sequence[str]) -> tuple[MapFormat, tuple[ExportFormat, ...]]:
    """Part formats into that of label maps, 'nii.gz' where none is given, and the others.

    Raises RequestError for one that there is not, and for two formats of label maps.
    """
    names = _once(given, (*MAP_FORMATS, *EXPORT_FORMATS))
    maps = [known for known in MAP_FORMATS if known in names]
    if len(maps) > 1:
        raise RequestError(
            field="format", value=tuple(maps), expected="one format of label maps only"
        )
    exports = tuple(kind for kind in EXPORT_FORMATS if kind in names)
    return (maps[0] if maps else "nii.gz"), exports


def chosen_exports(given: str | Sequence[str]) -> tuple[ExportFormat, ...]:
    """Return formats of exports, each once; raises RequestError for none, and for any other."""
    names = _once(given, EXPORT_FORMATS)
    if not names:
        raise RequestError(field="format", expected=f"one of {', '.join(EXPORT_FORMATS)}")
    return tuple(kind for kind in EXPORT_FORMATS if kind in names)


def export_file(folder: Path, case: str, kind: ExportFormat) -> Path:
    """Return the path of a case's file of a format."""
    return folder / f"{case}{SUFFIXES[kind]}"


def _once(given: str | Sequence[str], known: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys([given] if isinstance(given, str) else given))
    if unknown := [name for name in names if name not in known]:
        raise RequestError(field="format", value=unknown[0], expected=f"one of {', '.join(known)}")
    return names
