"""Reading files, and writing them so that a killed job leaves nothing incomplete."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, naming, one_line

#: bytes; no JSON or text of this program, or that it reads, is nearly as large
_TEXT_BYTES = 2**28
#: what a path may lead to in place of a regular file
_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def check_regular(path: Path | str) -> None:
    """Raise DataError where a path leads to anything but a regular file, such as a FIFO or device.

    For what a library opens by its name: a FIFO would wait for ever, a device may have no end.
    A path that leads nowhere is left to whoever opens it.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:  # a link that leads to itself, a folder without permission
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    _check_mode(path, mode)


def check_regular_members(folder: Path) -> None:
    """Raise DataError, naming it, where a folder or one below it holds a FIFO, device or socket."""
    for parent, _, names in os.walk(folder):
        for name in names:
            check_regular(Path(parent, name))


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file to read its bytes: what everything that is read goes through.

    Raises DataError at once where it is anything else, and OSError where the system refuses.
    """
    check_regular(path)  # opening a device can do things
    # a FIFO that takes the file's place in this moment must not be waited for either
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        _check_mode(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check_mode(path: Path | str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise DataError(f"{path}: is {kind}", expected="a regular file")


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


def read_into_cache(path: Path) -> None:
    """Read a file and keep nothing: the system has it in its cache when it is wanted.

    For threads beside the work: advice to the system (posix_fadvise) is ignored by some.
    """
    buffer = bytearray(2**20)
    with suppress(OSError, DataError), open_regular(path) as file:  # whoever wants it says why
        while file.readinto(buffer):
            pass


def check_writable(folder: Path) -> None:
    """Raise DataError, naming the folder, where no file could be made in it; none stays there."""
    try:
        # of a folder that is made later, the one that it is made in
        place = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex; raises DataError, naming it, where unreadable."""
    return digest(path, "sha256")


def digest(path: Path, kind: str) -> str:
    """Return the digest of a file in hex; kind: of hashlib. Raises as :func:`sha256` does."""
    hashed = hashlib.new(kind, usedforsecurity=False)
    try:
        with open_regular(path) as file:
            while chunk := file.read(2**20):
                hashed.update(chunk)
        return hashed.hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def remove(path: Path) -> None:
    """Remove a file; raises DataError, naming it, where the system refuses."""
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:  # a file is where its folder would be
        pass
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


def write_bytes(path: Path, data: bytes | memoryview, *, durable: bool = False) -> None:
    """Write a whole file atomically; durable: as for :func:`replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    r"""Write a whole UTF-8 text file atomically.

    Bytes of a file's name that are not UTF-8 are written as '\udcfc', which JSON reads back.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, indented, with numbers that read back exactly.

    Raises DataError, naming the file, where it has more bytes than :func:`read_json` reads again.
    """
    data = json_bytes(content)
    if not is_readable(data):
        raise DataError(
            f"{path}: would have {len(data)} bytes, too many to be read again",
            expected=f"at most {_TEXT_BYTES}", remedy="part the cases into folders of their own",
        )  # fmt: skip
    write_bytes(path, data)


def json_bytes(content: Any) -> bytes:
    """Return JSON data as :func:`write_json` writes it."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def is_readable(data: bytes) -> bool:
    """Whether JSON, or a text, of so many bytes is read again."""
    return len(data) <= _TEXT_BYTES


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object, {} where there is no such file; raises DataError for anything else."""
    content = read_json(path) if path.exists() else {}
    if not isinstance(content, dict):
        raise DataError(f"{path}: is not a JSON object", remedy="remove it")
    return content


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """Read a whole file, of at most so many bytes; raises DataError, naming it, otherwise."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if most is not None and size > most:
                raise DataError(f"{path}: has {size} bytes", expected=f"at most {most}")
            return file.read() if most is None else file.read(most)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_text(path: Path, errors: str = "strict") -> str:
    """Read a UTF-8 text file, with or without a mark in front; errors: as for ``bytes.decode``.

    Raises DataError, naming it, where it cannot be read or is too large for a text, and
    UnicodeDecodeError where it is no UTF-8.
    """
    text = read_bytes(path, _TEXT_BYTES).decode("utf-8-sig", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a regular file; raises DataError for anything else, OSError as usual."""
    with open_regular(source) as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 2**20)


def read_json(path: Path) -> Any:
    """Read a JSON file; raises DataError, naming it, where it is missing or not JSON."""
    return parse_json(read_bytes(path, _TEXT_BYTES), path)


def parse_json(data: bytes, path: Path) -> Any:
    """Return what the bytes of a JSON file hold; raises as :func:`read_json` does.  path: of it."""
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text, parse_int=_whole_number, object_pairs_hook=_unique_keys)
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


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; raises ValueError for one key with two values: which of them counts?"""
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"has the key {twice[:60]!r} twice")
    return content


def _whole_number(text: str) -> int:
    """Read a whole number; raises ValueError for one that no field of ours can hold."""
    if len(text) > 20:
        raise ValueError(f"has a number of {len(text)} digits")
    return int(text)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows atomically as a CSV table, headed by the keys of the first; empty for no rows."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_text(path, text.getvalue())
