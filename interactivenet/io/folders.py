"""Writing folders so that a killed job leaves no half folder under a final name."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interactivenet.errors import DataError


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside ``target`` that takes its place at the end.

    What was at ``target`` goes when the new one is complete; on any failure it stays as it was,
    and nothing is left behind. Raises DataError, naming the folder, where the system refuses.
    """
    mark = f"{os.getpid()}-{secrets.token_hex(4)}-{target.name}"
    temporary, old = target.with_name(f".{mark}"), target.with_name(f".old-{mark}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            target.rename(old)
        temporary.rename(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        if old.exists() and not target.exists():  # it was moved away, and the new one did not come
            old.rename(target)
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)
