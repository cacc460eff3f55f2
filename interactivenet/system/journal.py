"""A journal: what a long run has done so far, a line of JSON for each thing, added at its end.

To write a whole record anew after every case costs the square of the cases. The record is written
once, at the run's end; the journal is what a run that was killed leaves, and the next one takes in.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.files import check_regular, open_regular, remove, replacing

#: no line of this program is nearly as long
_LINE_BYTES = 2**28


class Journal:
    """The lines of a file; threads may add to it at once.  path: of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def read(self) -> Iterator[tuple[int, Any]]:
        """Yield the number, from 1, and the content of every line; one that was cut off is none.

        Raises DataError where the file cannot be read, or is somebody else's.
        """
        try:
            file = open_regular(self.path)
        except OSError as error:
            if not os.path.lexists(self.path):
                return  # or its run has just ended: the record has all of it
            raise _unreadable(self.path, error) from error
        with file:
            # one line after the other: all of them may be more than fit a text, or the memory
            for number in itertools.count(1):
                try:
                    line = file.readline(_LINE_BYTES)
                except OSError as error:
                    raise _unreadable(self.path, error) from error
                if number == 1 and line.removeprefix(BOM_UTF8).strip():
                    raise DataError(
                        f"{self.path}: is no journal of this program", remedy="move it away"
                    )
                if not line:
                    return
                try:
                    yield number, json.loads(line.decode(errors="replace"))
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
        line = _line(content)
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

    def replace(self, contents: Iterable[Any]) -> None:
        """Write all lines anew, at once: a kill leaves those of before, or these.

        Raises DataError, naming the file, where the system refuses.
        """
        with self._lock, replacing(self.path) as temporary, temporary.open("wb") as file:
            for content in contents:
                file.write(_line(content))

    def remove(self) -> None:
        """Remove the file: all that it says is in the record now."""
        remove(self.path)


def _line(content: Any) -> bytes:
    # a new line first: the one before may have been cut off by a kill
    return f"\n{json.dumps(content, allow_nan=False)}".encode()


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read: {error.strerror or error}")
