"""Signals that ask a long stage to end: noted, and obeyed at a point where nothing is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

#: seconds within which a repeated signal is taken for the same one: a scheduler signals the whole
#: group of processes, and launchers pass it on
_SAME = 5.0
_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """A signal ended a stage, which can be run again.  number: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class Signals:
    """Notes SIGTERM and SIGINT inside :meth:`noted`, instead of ending the process at once.

    One that comes again after 5 seconds does what it would have done without: it ends a command
    at once, and is a KeyboardInterrupt in Python that runs on, such as a notebook.
    received: number of the signal, 0 for none.
    """

    def __init__(self) -> None:
        self.received = 0
        self._at = 0.0
        self._before: dict[int, Any] = {}

    @contextmanager
    def noted(self) -> Iterator[Signals]:
        """Note signals inside; a thread other than the main one receives none."""
        previous = {number: signal.getsignal(number) for number in _NUMBERS}
        self._before = {number: _usual(number) for number in _NUMBERS}
        self.take()
        try:
            yield self
        finally:
            for number, handler in previous.items():
                _handle(number, handler)

    def take(self) -> None:
        """Handle the signals from now on, whoever did so before."""
        for number in _NUMBERS:
            _handle(number, self._note)

    def check(self) -> None:
        """Raise Interrupted if a signal was received."""
        if self.received:
            raise Interrupted(self.received)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received and time.monotonic() - self._at > _SAME:
            _handle(signal.Signals(number), self._before.get(number, signal.SIG_DFL))
            signal.raise_signal(number)
        if not self.received:
            self.received, self._at = number, time.monotonic()


def ignore() -> None:
    """Leave both signals to the parent process, which ends this one in time."""
    for number in _NUMBERS:
        _handle(number, signal.SIG_IGN)


def _usual(number: signal.Signals) -> Any:
    """Return who handles a signal where no stage notes it."""
    handler = signal.getsignal(number)
    noting = getattr(handler, "__self__", None)  # a stage within another, or a training in a stage
    if isinstance(noting, Signals):
        return noting._before.get(number, signal.SIG_DFL)
    return signal.SIG_DFL if handler is None else handler


def _handle(number: signal.Signals, handler: Any) -> None:
    with suppress(ValueError, TypeError):  # not the main thread; a handler that is not Python's
        signal.signal(number, handler)
