"""One run at a time in a folder, which also clears away what killed runs left behind."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import remove

#: temporary names of :func:`interactivenet.system.files.replacing`
_TEMPORARY = re.compile(r"\.\d+-[0-9a-f]{8}-.+")
#: errors of a file system without locks
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make sure that no other run writes into a folder, which is made if need be.

    The lock ends with the process, however that ends; on a file system without locks there is
    none. Temporary files that killed runs left in the folder and those right below are removed.
    Raises RequestError where another run is writing, DataError where the folder is not writable.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RequestError(
            f"{folder}: another run is writing to it", remedy="wait until that has ended"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error
    try:
        for parent in (folder, *(path for path in folder.iterdir() if path.is_dir())):
            for path in parent.iterdir():
                if _TEMPORARY.fullmatch(path.name):
                    remove(path)
        yield
    finally:
        lock.release()
