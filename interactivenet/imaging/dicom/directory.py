"""DICOMDIR, the list of the files on a disk: which of them are not there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pydicom

from interactivenet.imaging.dicom.header import Header


def absent_files(listing: Path, present: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files that a DICOMDIR lists and that are not present.

    Names are compared in small letters: many disks show them so. A list that cannot be read, or is
    none, names nothing.
    """
    there = {_folded(path) for path in present}
    try:
        records = Header(pydicom.dcmread(listing, force=True)).items("DirectoryRecordSequence")
        names = [record.values("ReferencedFileID") for record in records]
    except Exception:  # of a library, on a stranger's bytes
        return ()
    paths = (listing.parent.joinpath(*name) for name in names if name and ".." not in name)
    return tuple(path for path in paths if _folded(path) not in there)


def _folded(path: Path) -> Path:
    return Path(*(part.casefold() for part in path.parts))
