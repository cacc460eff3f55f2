"""Placing files of others: by hard links, or as copies that the user can write to and remove."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from interactivenet.errors import DataError
from interactivenet.system.files import open_regular, replacing


def place(source: Path, target: Path, copy: bool) -> None:
    """Hard-link or copy a file, or copy a folder, under its final name in one step.

    A read-only file is copied, as a link shares its permissions, which are not ours to change.
    Copies have the usual permissions of new files. Nothing is left behind on failure.
    Raises DataError, naming the file that cannot be read or written.
    """
    if target.exists():
        return
    if source.is_dir():
        _copy_folder(source, target)
        return
    mode = _mode(source)
    if not stat.S_ISREG(mode):
        raise DataError(f"{source}: is neither a file nor a folder")
    with replacing(target) as temporary:
        if not copy and mode & stat.S_IWUSR:
            with suppress(OSError):  # another disk, or no hard links here
                os.link(source.resolve(), temporary)
                return
        _copy_file(source, temporary)


def remove_tree(folder: Path) -> None:
    """Remove a folder of copies and links, also where its folders are read-only.

    Files keep their permissions: a hard link shares them with the file that it was made from.
    """
    for inside, _, _ in os.walk(folder):
        Path(inside).chmod(0o700)
    shutil.rmtree(folder)


def _copy_folder(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_into(source, temporary, (source.resolve(),))
        temporary.rename(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _copy_into(source: Path, target: Path, above: tuple[Path, ...]) -> None:
    """Copy what is in a folder; above: the folders that it is in, so that links make no circle."""
    target.mkdir()
    target.chmod(target.stat().st_mode | stat.S_IRWXU)
    try:
        entries = sorted(source.iterdir())
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}") from error
    for path in entries:
        if path.is_dir():
            if (real := path.resolve()) in above:
                raise DataError(f"{path}: is a link to a folder that it is in")
            _copy_into(path, target / path.name, (*above, real))
        elif stat.S_ISREG(_mode(path)):
            _copy_file(path, target / path.name)
        else:
            raise DataError(f"{path}: is neither a file nor a folder")


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes, with the permissions of a new file."""
    try:
        reading = open_regular(source)
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}") from error
    with reading, target.open("xb") as writing:
        while chunk := _read(reading, source):
            writing.write(chunk)
    target.chmod(target.stat().st_mode | stat.S_IRUSR | stat.S_IWUSR)


def _read(file: BinaryIO, source: Path) -> bytes:
    try:
        return file.read(2**20)
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}") from error


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
