"""Whether a file is still what it was, by its size and times; reading it once as long as it is."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Content = TypeVar("Content")

#: nanoseconds: a file that changed less than this ago may change again with the same times, on a
#: file system that keeps whole seconds
SETTLED = 2_000_000_000

#: size, and the times of the last changes of content and of entry, in nanoseconds
Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """Return what changes with a file's content; None where it is missing, or has just changed.

    The time of the last change of its entry cannot be set back, as that of its content can.
    """
    now = time.time_ns()
    try:
        status = path.stat()
    except OSError:
        return None
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return None if max(times) > now - SETTLED else (status.st_size, *times)


class ReadOnce(Generic[Content]):
    """Reads files, each once as long as it is unchanged; one that has just changed every time.

    What is read of one file for every case of a task would cost the square of the cases.

    read: returns what is kept of a file, which nobody may change.  most: files that are kept, those
    that were asked for last.
    """

    def __init__(self, read: Callable[[Path], Content], most: int) -> None:
        self._read, self._most = read, most
        self._kept: OrderedDict[Path, tuple[Stamp, Content]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> Content:
        """Return what a file holds; raises what reading it raises."""
        key, current = path.absolute(), stamp(path)
        if current is None:
            return self._read(path)
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept[0] == current:
                self._kept.move_to_end(key)
                return kept[1]
        content = self._read(path)
        if stamp(path) == current:  # what was read is of just this stamp
            with self._lock:
                self._kept[key] = (current, content)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return content
