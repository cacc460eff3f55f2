"""Which files of a folder this program wrote itself: only those may it replace or remove."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.files import remove, sha256
from interactivenet.system.names import safe_path

#: in a record, the files that were written with it: path relative to its folder -> SHA-256
FILES = "files"
#: what file managers leave wherever one looks
JUNK = (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class WrittenFiles:
    """What a record says that this program wrote below a folder.

    files: relative path -> SHA-256; '' for a file that was being written when the record was, or
    was written by a version that noted no checksums.
    """

    folder: Path
    files: Mapping[str, str]

    @staticmethod
    def of_record(
        folder: Path, record: Mapping[str, Any], formerly: Iterable[Path]
    ) -> WrittenFiles:
        """Read what a record says.

        formerly: what belongs to a record that says nothing, of an earlier version. Raises
        DataError, naming the field, where it cannot be used.
        """
        if FILES not in record:
            return WrittenFiles(folder, {_relative(folder, path): "" for path in formerly})
        files = record[FILES]
        if not isinstance(files, dict) or not all(isinstance(v, str) for v in files.values()):
            raise DataError(f"field {FILES} is no object of paths and their checksums")
        return WrittenFiles(
            folder,
            {str(safe_path(path, f"field {FILES}:")): digest for path, digest in files.items()},
        )

    def is_own(self, path: Path) -> bool:
        """Whether a file may be replaced: it is not there, or it is as this program wrote it."""
        if not os.path.lexists(path):
            return True
        digest = self.files.get(_relative(self.folder, path))
        return digest is not None and path.is_file() and digest in ("", sha256(path))

    def strangers(self, paths: Iterable[Path]) -> list[Path]:
        """Return those of the paths that may not be replaced."""
        return [path for path in paths if not self.is_own(path)]

    def unnamed(self, paths: Iterable[Path]) -> list[Path]:
        """Return those of the paths that are there and that the record does not name."""
        return [
            path
            for path in paths
            if os.path.lexists(path) and _relative(self.folder, path) not in self.files
        ]

    def begun(self, paths: Iterable[Path]) -> dict[str, str]:
        """Return what a record says of files that are about to be written."""
        return {_relative(self.folder, path): "" for path in paths}

    def unchanged(self, paths: Iterable[Path]) -> dict[str, str]:
        """Return what a record says of those of the files that are still there."""
        own = (path for path in paths if path.exists() and self.is_own(path))
        return {name: self.files[name] for name in (_relative(self.folder, path) for path in own)}

    def remove(self, paths: Iterable[Path]) -> list[Path]:
        """Remove those of the paths that this program wrote; return the others that are there."""
        kept = []
        for path in paths:
            if self.is_own(path):
                remove(path)
            else:
                kept.append(path)
        return kept

    @property
    def paths(self) -> list[Path]:
        """All of the files, whether they are still there or not."""
        return [self.folder / path for path in self.files]


def noted_files(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """Return what a record says of the files that were just written."""
    return {_relative(folder, path): sha256(path) for path in paths if path.is_file()}


def _relative(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def files_in(folder: Path) -> list[Path]:
    """List all files and links below a folder, sorted; raises DataError where one is closed."""
    found: list[Path] = []

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror or error}") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        found += [Path(parent, name) for name in (*files, *links)]
    return sorted(found)
