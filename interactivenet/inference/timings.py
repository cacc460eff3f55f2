"""How long cases took: a line each in ``timings.jsonl``, apart from the results.

Results are the same bytes whenever and wherever they are made; how long that took is not.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import open_regular

TIMINGS = "timings.jsonl"
#: below a folder of results, a folder of each of the jobs that shared the cases among them
_SHARDS = "shards"
_FIELDS = {"case", "made_from", "seconds"}
_BEGIN = b'{"case": "'
#: characters of a line; no name and no digest are longer
_LONGEST = 4096


def note_seconds(folder: Path, case: str, digest: str, seconds: float) -> None:
    """Add a case's time to ``timings.jsonl`` of a folder.

    digest: of the ``CacheKey`` of its result.  seconds: from reading to writing.
    A line that an earlier run was killed at is ended first. Raises DataError, naming the file,
    where it cannot be written.
    """
    path = folder / TIMINGS
    line = json.dumps({"case": case, "made_from": digest, "seconds": round(seconds, 3)})
    try:
        torn = path.exists() and not _ends(path)
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + line + "\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_seconds(folders: Iterable[Path]) -> dict[tuple[str, str], float]:
    """Read the times of folders: (case, digest of its result) -> seconds, the last one noted.

    What is no such line, as the last one of a run that was killed, is passed over.
    """
    seconds: dict[tuple[str, str], float] = {}
    for folder in folders:
        path = folder / TIMINGS
        if not path.exists():
            continue
        try:
            with open_regular(path) as file:
                while data := file.readline(_LONGEST):
                    if line := _parsed(data):
                        seconds[str(line["case"]), str(line["made_from"])] = line["seconds"]
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return seconds


def all_seconds(folder: Path) -> dict[tuple[str, str], float]:
    """Read the times of a folder's runs, those of its shards too; as :func:`read_seconds`."""
    return read_seconds([folder, *sorted((folder / _SHARDS).glob("*"))])


def check_timings(folder: Path) -> None:
    """Raise RequestError where times would be added to a file that this program did not write."""
    path = folder / TIMINGS
    if os.path.lexists(path) and not _is_ours(path):
        raise RequestError(
            f"{path}: was not written by this program, and would be added to",
            remedy="move it away, or write elsewhere",
        )


def _is_ours(path: Path) -> bool:
    """Whether a file begins as this program writes it; an empty one does."""
    try:
        with open_regular(path) as file:
            data = file.readline(_LONGEST)
    except (OSError, DataError):
        return False
    if data.endswith(b"\n"):
        return _parsed(data) is not None
    return data.startswith(_BEGIN) or _BEGIN.startswith(data)  # a run was killed at its first line


def _ends(path: Path) -> bool:
    """Whether a file is empty or its last line complete."""
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) in (b"", b"\n")


def _parsed(data: bytes) -> dict[str, Any] | None:
    """Return what a line says; None where it is none of ours."""
    try:
        line = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or set(line) != _FIELDS:
        return None
    number = line["seconds"]
    is_time = isinstance(number, int | float) and not isinstance(number, bool)
    return line if is_time and math.isfinite(number) and number >= 0 else None
