"""What libraries in C and C++ write to standard error by themselves, kept from the user.

MetaIO, GDCM and their like print to file descriptor 2, whatever ITK is told; what matters comes as
an error, too. While one of them reads, the descriptor leads elsewhere; Python's own messages, of
any thread, still go where they went.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

_LOG = logging.getLogger(__name__)
_DESCRIPTOR = 2


class _StandardError:
    """``sys.stderr`` while its descriptor leads elsewhere; later, for whoever kept it, as before.

    descriptor: where messages go meanwhile.
    """

    def __init__(self, before: Any, descriptor: int) -> None:
        self._before, self._meanwhile = before, descriptor

    def write(self, text: str) -> int:
        if self._meanwhile < 0:
            return int(self._before.write(text))
        data = text.encode(self._before.encoding or "utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._meanwhile, data) :]
        return len(text)

    def end(self) -> None:
        self._meanwhile = -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._before, name)


class _Diversion:
    """The descriptor, led elsewhere from the first who asks for it until the last is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._real = -1
        self._noise: IO[bytes] | None = None
        self._python: tuple[Any, _StandardError] | None = None

    def begin(self) -> None:
        with self._lock:
            self._count += 1
            if self._count > 1:
                return
            with suppress(OSError, ValueError):  # closed, or no room: libraries may speak
                self._noise = _anonymous_file()
                self._real = os.dup(_DESCRIPTOR)
                if _is_on_descriptor(sys.stderr):
                    sys.stderr.flush()
                    self._python = sys.stderr, _StandardError(sys.stderr, self._real)
                    sys.stderr = self._python[1]
                os.dup2(self._noise.fileno(), _DESCRIPTOR)

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count:
                return
            if self._real >= 0:
                os.dup2(self._real, _DESCRIPTOR)
            if self._python is not None:
                before, meanwhile = self._python
                meanwhile.end()
                if sys.stderr is meanwhile:
                    sys.stderr = before
            if self._real >= 0:
                os.close(self._real)
            noise, self._real, self._noise, self._python = self._noise, -1, None, None
        if noise is not None:
            with noise:
                noise.seek(0)
                for line in noise.read(2**16).decode(errors="replace").splitlines():
                    _LOG.debug("%s", line)


def _anonymous_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("noise"), "w+b")  # noqa: PTH123
    return tempfile.TemporaryFile()


def _is_on_descriptor(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == _DESCRIPTOR)
    except (OSError, ValueError, AttributeError):  # none, or a notebook's, or a test's
        return False


_DIVERSION = _Diversion()


def quiet_matplotlib() -> None:
    """Keep Matplotlib from telling of its folders, which a user may lack; before its import."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Keep what libraries in C and C++ write to standard error inside; it is logged as DEBUG."""
    _DIVERSION.begin()
    try:
        yield
    finally:
        _DIVERSION.end()
