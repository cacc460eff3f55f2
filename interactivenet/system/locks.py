"""One run at a time in a folder, and nothing left of runs that were killed."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import remove

#: temporary names of ``io.atomic.replacing``
_TEMPORARY = re.compile(r"\.\d+-[0-9a-f]{8}-.+")
#: what a file system without locks says
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make sure that this is the only run that writes into a folder, and make it if need be.

    The lock ends with the process, however that ends; on a file system without locks there is
    none. Temporary files that killed runs left in the folder and those right below are removed.
    Raises RequestError where another run is at work, DataError where the folder is not writable.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RequestError(f"{folder}: another run is writing there: wait for it") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error
    try:
        for place in (folder, *(one for one in folder.iterdir() if one.is_dir())):
            for path in place.iterdir():
                if _TEMPORARY.fullmatch(path.name):
                    remove(path)
        yield
    finally:
        lock.release()
