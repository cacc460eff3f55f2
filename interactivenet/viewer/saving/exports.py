"""What is saved besides, in the formats of archives, planning systems and 3D Slicer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.errors import RequestError, describe_failure
from interactivenet.inference.export_formats import (
    EXPORT_FORMATS,
    EXPORTS,
    NAMES,
    ExportFormat,
    chosen_exports,
)
from interactivenet.viewer.annotations.annotation_files import AnnotationFiles


def offered(tags: Sequence[Mapping[str, str]]) -> tuple[ExportFormat, ...]:
    """Return the formats that a scan can be saved in: all, where it is DICOM.

    tags: of its channels, as in a Volume.
    """
    is_dicom = bool(tags) and all(channel.get("SeriesInstanceUID") for channel in tags)
    return EXPORT_FORMATS if is_dicom else ()


def parse_formats(given: Any, tags: Sequence[Mapping[str, str]]) -> tuple[ExportFormat, ...]:
    """Read the formats of a request, a list or a text with commas; none is fine.

    Raises RequestError for one that there is not, or that the scan cannot be saved in.
    """
    names = given.split(",") if isinstance(given, str) and given else given or ()
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise RequestError("'formats' is no list of texts", expected="'formats': ['dcm-seg']")
    formats = chosen_exports(list(names)) if names else ()
    if formats and not offered(tags):
        raise RequestError(
            f"{NAMES[formats[0]]} needs a scan that is a DICOM series, and this one is none"
        )
    return formats


def exported_before(files: AnnotationFiles, case: str) -> dict[Path, str]:
    """Return the files in other formats that were written of a case: path -> name of the format."""
    entries = files.read_record(case).get(EXPORTS)
    if not isinstance(entries, dict):
        return {}
    named = {NAMES[kind]: entries.get(kind) for kind in EXPORT_FORMATS}
    found = {
        files.folder / entry["file"]: name
        for name, entry in named.items()
        if isinstance(entry, dict) and isinstance(entry.get("file"), str)
    }
    return {path: name for path, name in found.items() if path.exists()}


def removed_since(before: Mapping[Path, str]) -> tuple[str, ...]:
    """Say which of them went with the outlines that they were of."""
    return tuple(
        f"{path.name}, of what was saved before, was removed: save as {name} again to have it"
        for path, name in before.items()
        if not path.exists()
    )


def write_exports(
    files: AnnotationFiles, case: str, formats: Sequence[ExportFormat]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write a saved case in other formats; return the files, and what there is to say of them.

    One that cannot be written costs itself only: the notes say why.
    """
    if not formats:
        return (), ()
    from interactivenet.inference.exporting.exporter import Exporter, export_case

    try:
        exported = export_case(files, case, Exporter(tuple(formats)))
    except Exception as error:  # what was saved before stays
        names = ", ".join(NAMES[kind] for kind in formats)
        return (), (f"{names}: not written: {describe_failure(error)}",)
    failed = [
        f"{NAMES[kind]}: not written: {exported.failures[kind]}"
        for kind in formats
        if kind in exported.failures
    ]
    return (*exported.written, *exported.kept), (*failed, *exported.notes)
