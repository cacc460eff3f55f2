"""Signals that ask a long stage to end: noted, and obeyed at a point where nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

#: seconds within which a repeated signal is taken for the same one: a scheduler signals the whole
#: group of processes, and launchers pass it on
_SAME = 5.0
#: what is said after "ended by SIGINT"
AGAIN = "run the same command again to finish its work"
_NUMBERS = (signal.SIGTERM, signal.SIGINT)


def go_on() -> None:
    """Do not interrupt: what stands for the check of signals where nobody watches them."""


class Interrupted(BaseException):
    """A signal ended a stage, which can be run again.  number: of the signal.

    No Exception, as KeyboardInterrupt is none: what keeps one odd case from ending the others must
    not keep a signal from doing so.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class Ended(KeyboardInterrupt):
    """A signal ended a command outside of any stage, at once.  number: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class _Ending:
    """Ends a command by SIGTERM as by Ctrl-C: by an exception, so that it tidies up.

    received: number of the signal, 0 for none.
    """

    def __init__(self) -> None:
        self.received = 0
        self._at = 0.0
        self.finished = False

    def end(self, number: int, _: FrameType | None) -> None:
        """Raise Ended, at the first time; end the process at once, at the next or after the end.

        What comes again within 5 seconds is taken for the same signal.
        """
        again = self.received and time.monotonic() - self._at > _SAME
        if again or self.finished:
            os._exit(128 + number)
        if not self.received:
            self.received, self._at = number, time.monotonic()
            raise Ended(number)

    def finish(self) -> None:
        """End the process at once from now on, also after :func:`ending_by_signals`.

        For the end of a program: what the interpreter does there must not show a traceback.
        """
        self.finished = True


@contextmanager
def ending_by_signals() -> Iterator[_Ending]:
    """Let SIGINT and SIGTERM raise :class:`Ended` inside, in the main thread.

    Whoever has chosen otherwise, or ignores them (a shell, for what runs in its background), keeps
    that.
    """
    ending, previous = _Ending(), {}
    for number in _NUMBERS:
        handler = signal.getsignal(number)
        outer = getattr(handler, "__self__", None)
        if isinstance(outer, _Ending):  # the program's own, from before this command was loaded
            ending = outer
        elif handler in (signal.SIG_DFL, signal.default_int_handler):
            previous[number] = handler
            _handle(number, ending.end)
    try:
        yield ending
    finally:
        for number, handler in previous.items():
            if not ending.finished:
                _handle(number, handler)


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


@contextmanager
def held() -> Iterator[None]:
    """Obey a signal that comes inside at the end, so that what is inside is not left half done."""
    signals = Signals()
    try:
        with signals.noted():
            yield
    finally:
        if signals.received:
            signal.raise_signal(signals.received)


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
