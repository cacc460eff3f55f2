"""Reading files, and writing files and folders so that a killed job leaves nothing incomplete."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, naming, one_line

#: bytes; no JSON of this program is nearly as large
_JSON_BYTES = 2**28
#: seconds after which leftovers of killed jobs are removed: until then a job may be writing them
_STALE = 3600.0


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path`` and rename it to ``path`` at the end.

    durable: the file is on the disk before it gets its name, even if the power fails.
    The temporary name is hidden and keeps the suffixes, in small letters, by which writers
    choose their format. On any failure, and where the caller removed or never made the
    temporary file, ``path`` is left as it was. Raises
    DataError, naming the file, where the system refuses (read-only, disk full, not there).
    """
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}-{path.name.lower()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.exists():
            if durable:
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        # missing after the rename, or where the folder itself could not be made
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex; raises DataError, naming it, where unreadable."""
    return digest(path, "sha256")


def digest(path: Path, kind: str) -> str:
    """Return the digest of a file in hex; kind: of hashlib. Raises as :func:`sha256` does."""
    hashed = hashlib.new(kind, usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                hashed.update(chunk)
        return hashed.hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def remove(path: Path) -> None:
    """Remove a file; raises DataError, naming it, where the system refuses."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be removed: {error.strerror or error}") from error


def resolved(path: Path) -> Path:
    """Return an absolute path without links; raises DataError where they lead in a circle."""
    try:
        return path.resolve()
    except RuntimeError as error:  # before Python 3.13
        raise DataError(f"{path}: is a link that leads back to itself") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a whole file atomically; durable: as for :func:`replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    r"""Write a whole UTF-8 text file atomically.

    Bytes of a file's name that are not UTF-8 are written as '\udcfc', which JSON reads back.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, indented, with numbers that read back exactly."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object, {} where there is no such file; raises DataError for anything else."""
    content = read_json(path) if path.exists() else {}
    if not isinstance(content, dict):
        raise DataError(f"{path}: is not a JSON object", remedy="remove it")
    return content


def read_json(path: Path) -> Any:
    """Read a JSON file; raises DataError, naming it, where it is missing or not JSON."""
    try:
        if (size := path.stat().st_size) > _JSON_BYTES:
            raise DataError(f"{path}: has {size} bytes, expected at most {_JSON_BYTES} of JSON")
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_int=_whole_number)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not JSON, not text, or nested without end
        raise DataError(f"{path}: is not valid JSON: {error}") from error


@contextmanager
def interpreting(path: Path, remedy: str = "") -> Iterator[None]:
    """Raise DataError, naming the file, where what it holds is not what a reader inside expects.

    For files of many fields that this program alone writes.
    """
    try:
        with naming(path):
            yield
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")[:200]
        raise DataError(
            f"{path}: is not as this program writes it: {reason}", remedy=remedy
        ) from error


def _whole_number(text: str) -> int:
    """Read a whole number; raises ValueError for one that no field of ours can hold."""
    if len(text) > 20:
        raise ValueError(f"has a number of {len(text)} digits")
    return int(text)


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


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows atomically as a CSV table, headed by the keys of the first; empty for no rows."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_text(path, text.getvalue())
