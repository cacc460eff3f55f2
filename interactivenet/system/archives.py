"""Zip files: written reproducibly, and read with suspicion, since they may be anybody's."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from interactivenet.errors import DataError, one_line
from interactivenet.system.files import open_regular, replacing

#: the earliest that a zip can hold: the same files always give the same zip
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16
_ENTRIES = 10_000
#: bytes of the list of that many entries; zipfile reads it at once
_DIRECTORY = _ENTRIES * 1024
_NAME, _PATH = 255, 1000
_RATIO, _SMALL = 200, 10**6
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_CHUNK = 2**20
#: what zipfile raises over damaged files
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, struct.error, ValueError, RuntimeError)


def zip_folder(folder: Path, path: Path, inside: str, files: Sequence[Path] | None = None) -> None:
    """Write the regular files of a folder as ``inside/...`` of a zip; hidden ones are left out.

    files: which of the folder's files; None for all.

    Equal files give equal zips: sorted, undated, with fixed permissions. Weights are stored, all
    else is deflated. Raises DataError, naming the file, where one is unreadable or a link.
    """
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        for file in sorted(folder.rglob("*") if files is None else files):
            relative = file.relative_to(folder)
            if any(part.startswith(".") for part in relative.parts):
                continue
            if file.is_dir() and not file.is_symlink():
                continue
            if file.is_symlink() or not file.is_file():
                raise DataError(f"{file}: is a link or a device", expected="a regular file")
            entry = zipfile.ZipInfo(f"{inside}/{relative.as_posix()}", _DATE)
            entry.create_system, entry.external_attr = 3, _MODE
            stored = file.suffix == ".safetensors"
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            try:
                source = open_regular(file)
            except OSError as error:
                raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
            with source:
                entry.file_size = file.stat().st_size  # for more than 4 GiB
                with archive.open(entry, "w") as target:
                    shutil.copyfileobj(source, target, _CHUNK)


def unzip(path: Path, target: Path, *, limit: int = 20 * 2**30) -> None:
    """Extract a zip, which may be anybody's, into an existing empty folder.

    limit: bytes of all files together. Files get ordinary permissions; what macOS adds is left
    out. Raises DataError, naming the entry, for anything that does not belong into a zip of a
    model: unsafe or repeated names, links, encryption, bombs, damage. Then ``target`` is empty.
    """
    if not target.is_dir() or any(target.iterdir()):
        raise DataError(f"{target}: expected an empty folder to unzip into")
    try:
        with _opened(path) as archive:
            entries = [entry for entry in archive.infolist() if not _is_junk(_name(entry))]
            _check(entries, path, limit)
            remaining = limit
            for entry in entries:
                remaining -= _extract(archive, entry, path, target, remaining)
    except BaseException:
        for extracted in target.iterdir():
            if extracted.is_dir():
                shutil.rmtree(extracted, ignore_errors=True)
            else:
                extracted.unlink(missing_ok=True)
        raise


class _Bounded(io.BufferedReader):
    """A file of which no more is read at once than the list of entries may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY:
            raise zipfile.BadZipFile(f"its list of entries takes {size} bytes")
        # without a size, zipfile reads the few last bytes
        return super().read(_DIRECTORY if size is None or size < 0 else size)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with open_regular(path) as raw, _Bounded(raw.raw) as file, zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > _ENTRIES:
                count = len(archive.infolist())
                raise DataError(f"{path}: has {count} entries, expected at most {_ENTRIES}")
            yield archive
    except _DAMAGED as error:
        raise DataError(f"{path}: is not a complete zip file: {one_line(error)}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be unzipped: {error.strerror or error}") from error


def _name(entry: zipfile.ZipInfo) -> str:
    # 'filename' ends at a NUL, and has other separators on Windows
    return entry.orig_filename


def _is_junk(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or parts[-1] == ".DS_Store"


def _check(entries: Sequence[zipfile.ZipInfo], path: Path, limit: int) -> None:
    """Check all entries before anything is written."""
    seen: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = _name(entry)
        if fault := _fault_of_name(name) or _fault_of_entry(entry):
            # repr: control characters must not reach the terminal
            raise DataError(f"{path}: entry {name[:100]!r} {fault}")
        key = unicodedata.normalize("NFC", name.removesuffix("/")).casefold()
        if key in seen:
            raise DataError(f"{path}: entry {name!r} appears twice, also as {_name(seen[key])!r}")
        seen[key] = entry
    for key, entry in seen.items():
        parts = key.split("/")
        for n in range(1, len(parts)):
            parent = seen.get("/".join(parts[:n]))
            if parent is not None and not parent.is_dir():
                raise DataError(
                    f"{path}: entry {_name(parent)!r} is a file, but {_name(entry)!r} lies in it"
                )
    total, size = sum(entry.file_size for entry in entries), path.stat().st_size
    if total > max(_SMALL, _RATIO * size):
        raise DataError(
            f"{path}: expands from {size} to {total} bytes, expected at most {_RATIO} times as many"
        )
    if total > limit:
        raise DataError(f"{path}: holds {total} bytes, expected at most {limit}")


def _fault_of_name(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    if not name.isprintable():
        return "has a control character in its name"
    if "\\" in name or ":" in name:  # another separator, a drive, a stream
        return "has a backslash or a colon in its name"
    if name.startswith("/"):
        return "is an absolute path: expected one inside the zip"
    if any(part != part.rstrip(". ") or not part for part in parts):
        return "has a part that is empty or ends in a dot or space: expected a path inside the zip"
    longest = max(len(part.encode()) for part in parts)
    if longest > _NAME or len(name.encode()) > _PATH:
        return f"has a name of {len(name.encode())} bytes, expected at most {_NAME} per part"
    return ""


def _fault_of_entry(entry: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        return f"is a {'link' if kind == stat.S_IFLNK else 'special file'}: expected a regular file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return f"is compressed by method {entry.compress_type}, expected 0 or 8 (deflate)"
    if entry.file_size > max(_SMALL, _RATIO * entry.compress_size):
        return (
            f"expands from {entry.compress_size} to {entry.file_size} bytes,"
            f" expected at most {_RATIO} times as many"
        )
    return ""


def _extract(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, target: Path, limit: int
) -> int:
    """Write one entry, of at most ``limit`` bytes, and return how many it has."""
    file = target / _name(entry)
    if entry.is_dir():
        file.mkdir(parents=True, exist_ok=True)
        return 0
    file.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        with archive.open(entry) as source, file.open("xb") as out:
            while chunk := source.read(_CHUNK):
                count += len(chunk)
                if count > limit:
                    raise DataError(f"{path}: holds more bytes than allowed, at {_name(entry)!r}")
                out.write(chunk)
    except _DAMAGED as error:
        raise DataError(f"{path}: entry {_name(entry)!r} is damaged: {one_line(error)}") from error
    if count != entry.file_size:
        raise DataError(
            f"{path}: entry {_name(entry)!r} is damaged: has {count} bytes, expected"
            f" {entry.file_size}"
        )
    return count
