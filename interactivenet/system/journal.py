"""A journal: a line for each thing that is done, so that a kill costs none that was noted.

A record that is written anew after every item takes a time that grows with the square of their
number; a line that is added to a file does not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.files import check_regular, read_text


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a JSON object to a journal, in one piece; it is made if need be.

    Raises DataError, naming the file, where the system refuses, or it is no regular file.
    """
    check_regular(path)
    # a new line first: the one before may have been cut off by a kill
    line = f"\n{json.dumps(row, allow_nan=False)}".encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as file:
            if file.write(line) != len(line):
                raise OSError("disk full")
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the objects of a journal; [] where there is none.

    A line that a kill has cut off is none. Raises DataError where it is somebody else's file.
    """
    if not os.path.lexists(path):
        return []
    text = read_text(path, "replace")
    if text and not text.startswith("\n"):
        raise DataError(f"{path}: is no journal of this program", remedy="move it away")
    rows = []
    for line in text.split("\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows
