"""Folders of very many files: spread over subfolders, where one would hold too many.

Parallel file systems (Lustre, BeeGFS, NFS) list and change a folder of tens of thousands of files
slowly, and some sites refuse them. A file is in the folder itself, or in one of its 256 subfolders
'00' to 'ff': the first two digits of the SHA-256 of its name. Readers look in both places, so that
what was written before, or as long as there were few, stays where it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from interactivenet.system.names import composed

#: entries that one folder is given at most
MOST_ENTRIES = 10_000
_SUBFOLDER = "[0-9a-f][0-9a-f]"


def subfolder(folder: Path, name: str) -> Path:
    """Return the subfolder that a name's files are spread to; name: without suffix."""
    data = composed(name).encode("utf-8", "surrogateescape")
    return folder / hashlib.sha256(data).hexdigest()[:2]


def folder_of(folder: Path, name: str, suffix: str) -> Path:
    """Return where a name's file of a suffix is; the folder itself where it is nowhere."""
    if not (folder / f"{name}{suffix}").exists():
        other = subfolder(folder, name)
        if (other / f"{name}{suffix}").exists():
            return other
    return folder


def spread_files(folder: Path, suffix: str) -> Iterator[Path]:
    """Yield the files of a suffix in a folder and its subfolders; hidden ones are none."""
    for pattern in (f"[!.]*{suffix}", f"{_SUBFOLDER}/[!.]*{suffix}"):
        yield from folder.glob(pattern)
