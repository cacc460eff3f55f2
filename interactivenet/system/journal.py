"""A journal: what a long run has done so far, a line of JSON for each thing, added at its end.

To write a whole record anew after every case costs the square of the cases. The record is written
once, at the run's end; the journal is what a run that was killed leaves, and the next one takes in.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.files import check_regular, read_text, remove


class Journal:
    """The lines of a file; threads may add to it at once.  path: of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def read(self) -> Iterator[tuple[int, Any]]:
        """Yield the number, from 1, and the content of every line; one that was cut off is none.

        Raises DataError where the file cannot be read, or is somebody else's.
        """
        if not os.path.lexists(self.path):
            return
        try:
            text = read_text(self.path, "replace")
        except DataError:
            if os.path.lexists(self.path):
                raise
            return  # its run has just ended: the record has all of it
        if text and not text.startswith("\n"):
            raise DataError(f"{self.path}: is no journal of this program", remedy="move it away")
        for number, line in enumerate(text.split("\n"), 1):
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):  # a kill has cut it off, or it is empty
                continue

    def rows(self) -> list[dict[str, Any]]:
        """Read the lines that are objects; raises DataError as :meth:`read` does."""
        return [row for _, row in self.read() if isinstance(row, dict)]

    def add(self, content: Any) -> None:
        """Add a line, in one piece; the file is made if need be.

        Raises DataError, naming the file, where the system refuses, or it is no regular file.
        """
        check_regular(self.path)
        # a new line first: the one before may have been cut off by a kill
        line = f"\n{json.dumps(content, allow_nan=False)}".encode()
        with self._lock:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab", buffering=0) as file:
                    if file.write(line) != len(line):
                        raise OSError("disk full")
            except OSError as error:
                raise DataError(
                    f"{self.path}: cannot be written: {error.strerror or error}"
                ) from error

    def remove(self) -> None:
        """Remove the file: all that it says is in the record now."""
        remove(self.path)
