"""Writing folders so that a killed job leaves no half folder under a final name."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from interactivenet.errors import DataError

#: leftovers of killed jobs go after this many seconds: until then another job may write them
_STALE = 3600.0


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside ``target`` that takes its place at the end.

    What was at ``target`` goes when the new one is complete; on any failure it stays as it was,
    and nothing is left behind. Raises DataError, naming the folder, where the system refuses.
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
            os.utime(old, follow_symlinks=False)  # its age is that of a leftover
        making.rename(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        if os.path.lexists(old) and not os.path.lexists(target):  # the new one did not come
            old.rename(target)
        _remove(making)
        _remove(old)


def _clear(target: Path) -> None:
    """Put back what a job that was killed between two renames had moved away; remove the rest."""
    if not target.exists():
        for old in target.parent.glob(f".{target.name}.old-*"):
            old.rename(target)
            break
    for kind in ("making", "old"):
        for left in target.parent.glob(f".{target.name}.{kind}-*"):
            with suppress(OSError):  # another job was quicker
                if time.time() - left.stat().st_mtime > _STALE:
                    _remove(left)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
