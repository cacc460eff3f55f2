"""What an algorithm's folder holds already: what ``deploy`` wrote, and what is somebody's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from interactivenet import __version__
from interactivenet.datasets.roots import check_no_raw_task
from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import copy_file, read_object, write_json
from interactivenet.system.written import FILES, JUNK, WrittenFiles, files_in, noted_files

#: in the folder, which of its files `deploy` wrote
RECORD = "written.json"
#: what the folder's own scripts make: folders in it, and files
_MADE_FOLDERS = (("test", "model"), ("test", "output"))
_MADE_FILES = ("*-algorithm.tar.gz", "*-algorithm.tar.gz.part")


def check_target(folder: Path) -> None:
    """Raise RequestError where an algorithm would replace files that are not as it wrote them.

    The first one is named. What the folder's own scripts have made is no obstacle.
    """
    check_no_raw_task(folder, "grand_challenge")
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise RequestError(f"{folder}: is a file", expected="a new folder")
    record = folder / RECORD
    paths = [path for path in files_in(folder) if path != record and not _is_made(folder, path)]
    try:
        written = _read_record(folder)
    except DataError as error:
        raise _refused(record, "was not written by this program", 0) from error
    if strangers := written.strangers(paths):
        first = strangers[0]
        ours = not written.unnamed([first])
        fault = (
            "was changed since this program wrote it" if ours else "was not written by this program"
        )
        raise _refused(first, fault, len(strangers) - 1)


def write_record(folder: Path, task: str) -> None:
    """Note the files of a folder that was just written."""
    files = noted_files(folder, files_in(folder))
    write_json(folder / RECORD, {"task": task, "version": __version__, FILES: files})


def carry_over(folder: Path, target: Path) -> None:
    """Put what the scripts of a folder have made into the one that takes its place."""
    for path in files_in(folder) if folder.is_dir() else ():
        if _is_made(folder, path):
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(path, copy)


def _link_or_copy(path: Path, copy: Path) -> None:
    try:
        os.link(path, copy, follow_symlinks=False)
    except OSError:  # of another user, or no hard links here
        if path.is_symlink():
            copy.symlink_to(path.readlink())
        else:
            copy_file(path, copy)
            shutil.copystat(path, copy)


def _is_made(folder: Path, path: Path) -> bool:
    parts = path.relative_to(folder).parts
    if parts[-1] in JUNK:
        return True
    if len(parts) == 1:
        return any(fnmatch(parts[0], pattern) for pattern in _MADE_FILES)
    return parts[:2] in _MADE_FOLDERS


def _read_record(folder: Path) -> WrittenFiles:
    """Read what was written; raises DataError where the record is not one of ours."""
    path = folder / RECORD
    if not os.path.lexists(path):
        return WrittenFiles(folder, {})
    content: Mapping[str, Any] = read_object(path)
    if not (isinstance(content.get("task"), str) and FILES in content):
        raise DataError(f"{path}: is not the record of an algorithm")
    return WrittenFiles.of_record(folder, content, ())


def _refused(path: Path, fault: str, others: int) -> RequestError:
    more = f" (and {others} more)" if others else ""
    return RequestError(
        f"{path}: {fault}, and would be replaced{more}",
        expected="a new folder, or one as it was written",
        remedy="move it away, or choose another folder",
    )
