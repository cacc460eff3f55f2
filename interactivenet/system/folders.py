"""Folders that are replaced as a whole, so that a killed job leaves none incomplete, or go away."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from interactivenet.errors import DataError

#: a folder that is kept in memory, on Linux
_IN_MEMORY = "/dev/shm"
#: seconds after which leftovers of killed jobs are removed: until then a job may be writing them
_STALE = 3600.0


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside ``target`` that takes its place at the end.

    What was at ``target`` is removed once the new one is complete; on any failure it stays as it
    was, and nothing is left behind. Raises DataError, naming the folder, where the system refuses.
    """
    target, mark = target.absolute(), secrets.token_hex(4)
    making = target.with_name(f".{target.name}.making-{mark}")
    old = target.with_name(f".{target.name}.old-{mark}")
    try:
        making.mkdir(parents=True)
        _clear(target)
        yield making
        if os.path.lexists(target):
            target.rename(old)
            os.utime(old, follow_symlinks=False)  # its age counts from now
        making.rename(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        if os.path.lexists(old) and not os.path.lexists(target):  # the new one did not come
            old.rename(target)
        _remove(making)
        _remove(old)


def temporary_folder() -> Path | None:
    """Return the folder for temporary files; None where there is none.

    Where no other can be written to, Python takes the working folder, in which the user's own files
    are: what stays behind would lie among them, so that is none.
    """
    try:
        folder, here = Path(tempfile.gettempdir()), Path.cwd()
    except FileNotFoundError:  # neither a place, nor perhaps the working folder itself
        return None
    named = {os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")}
    working = folder == here and str(folder) not in {*named, "/tmp", "/var/tmp", "/usr/tmp"}
    return None if working else folder


def keep_temporary_files_away() -> None:
    """Have temporary files in memory where only the working folder is left for them.

    On a read-only file system without /tmp libraries would leave their caches among the results.
    For this process and those that it starts.
    """
    if temporary_folder() is None and os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        tempfile.tempdir = os.environ["TMPDIR"] = _IN_MEMORY


def _clear(target: Path) -> None:
    """Put back what a job that was killed between two renames had moved away; remove the rest."""
    if not target.exists():
        for old in target.parent.glob(f".{target.name}.old-*"):
            old.rename(target)
            break
    for kind in ("making", "old"):
        for leftover in target.parent.glob(f".{target.name}.{kind}-*"):
            with suppress(OSError):  # another job was quicker
                if time.time() - leftover.stat().st_mtime > _STALE:
                    _remove(leftover)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
