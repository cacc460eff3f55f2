"""What must be certain of an open image: where it lies, and that its files are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.image_files import files_of


def state_of_files(images: Sequence[Path]) -> str:
    """Return what changes with the files of images: their names, sizes, and times of change.

    '' for a file that is not there any more is a part of it, and no error.
    """
    digest = hashlib.sha256()
    for image in images:
        try:
            files = files_of(image)
        except (DataError, OSError):
            files = {"": image}
        for name, path in sorted(files.items()):
            try:
                found = path.stat()
                state = f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
            except OSError:
                state = ""
            digest.update(f"{image}\0{name}\0{state}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def check_certain(grid: Geometry, name: str) -> None:
    """Raise DataError where the header of an image says in two ways where it lies.

    Points in mm could be in either: they are better refused before they are placed than after.
    """
    if grid.doubt is not None:
        raise DataError(
            f"{name}: may lie in two places: {grid.doubt.reason}, so that points cannot be placed",
            remedy="write the right position into its header, or, for a raw task, say in its"
            " dataset.json which is meant",
        )
