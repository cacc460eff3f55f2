"""Images that are sent: kept under names of the server's own, as long as it runs."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.dicom.files import begins_like_dicom
from interactivenet.imaging.io import suffix_of
from interactivenet.system.files import remove
from interactivenet.system.names import printable
from interactivenet.viewer.refusals import TooLarge
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.worklist.scan_files import header_problem
from interactivenet.viewer.worklist.upload_room import UploadRoom
from interactivenet.viewer.worklist.worklist import Worklist, WorklistEntry

#: formats of a single file; others have their voxels in a second one, or are DICOM
SENDABLE = (".nii.gz", ".nii", ".mha", ".nrrd")
_DOUBLE = (".mhd", ".nhdr", ".hdr", ".img", ".raw", ".zraw")
_PART = 2**20


class Uploads:
    """Keeps what is sent in a folder, and adds it to a worklist."""

    def __init__(
        self, folder: Path, worklist: Worklist, settings: ViewerSettings, room: UploadRoom
    ) -> None:
        self._folder, self._worklist, self._settings = folder, worklist, settings
        self._room = room

    def check(self) -> None:
        """Raise RequestError where nothing may be sent, TooLarge where there is no more room."""
        if not self._settings.uploads:
            raise RequestError("this server takes no uploads")
        self._room.take(1)
        self._room.give_back(1)

    def keep(self, sent: Sequence[tuple[str, BinaryIO]]) -> list[WorklistEntry]:
        """Keep files, and return their entries: files of no other kind are one DICOM folder.

        sent: name, as the client calls it, and content.  Raises RequestError where a file is of a
        kind that has its voxels elsewhere, DataError where the disk is full, or where a file is no
        image: nothing is kept then, and the file is called as the client calls it.
        """
        self.check()
        if not sent:
            raise RequestError("no file was sent", expected="images, as 'files'")
        for name, _ in sent:
            if PurePosixPath(name.lower()).suffix in _DOUBLE:
                raise RequestError(
                    "a file of this kind has its voxels in another", expected=", ".join(SENDABLE)
                )
        kept: list[tuple[str, Path]] = []
        others = [(name, content) for name, content in sent if not suffix_of(Path(name), SENDABLE)]
        try:
            for name, content in sent:
                if suffix := suffix_of(Path(name), SENDABLE):
                    path = self._folder / f"{secrets.token_hex(8)}{suffix}"
                    self._write(path, content)
                    kept.append((_last(name)[: -len(suffix)], path))
                    if problem := header_problem(path):
                        raise DataError(problem.replace(path.name, _shown(name)))
            if others:
                kept.append(("DICOM", self._series(others)))
        except (DataError, TooLarge):
            for _, path in kept:
                self._drop(path)
            raise
        return [entry for name, path in kept for entry in self._worklist.add_uploads(name, path)]

    def _series(self, sent: Sequence[tuple[str, BinaryIO]]) -> Path:
        """Keep the files of a DICOM folder; DataError where none of them is of that kind."""
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir()
        try:
            for number, (_, content) in enumerate(sent):
                self._write(folder / f"{number:05}.dcm", content)
            if not any(begins_like_dicom(path) for path in folder.iterdir()):
                others = f", nor are the {len(sent) - 1} others" if len(sent) > 1 else ""
                raise DataError(
                    f"{_shown(sent[0][0])} is no image{others}",
                    expected=f"{', '.join(SENDABLE)} or DICOM",
                )
        except (DataError, TooLarge):
            self._drop(folder)
            raise
        return folder

    def _drop(self, path: Path) -> None:
        """Remove what was kept, and give its room back."""
        for file in list(path.iterdir()) if path.is_dir() else [path]:
            self._room.give_back(file.stat().st_size)
            remove(file)
        if path.is_dir():
            path.rmdir()

    def _write(self, path: Path, content: BinaryIO) -> None:
        taken = 0
        try:
            with path.open("xb") as writing:
                while part := content.read(_PART):
                    self._room.take(len(part))
                    taken += len(part)
                    writing.write(part)
        except (OSError, TooLarge) as error:
            self._room.give_back(taken)
            remove(path)
            if isinstance(error, TooLarge):
                raise
            raise DataError(f"what was sent cannot be kept: {error.strerror or error}") from error


def _last(name: str) -> str:
    """Return what a person reads of a name, which may be a whole path."""
    return name.replace("\\", "/").rpartition("/")[2]


def _shown(name: str) -> str:
    return printable(_last(name))[:120] or "a file without a name"
