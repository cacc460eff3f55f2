"""The one thread that asks networks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from interactivenet.viewer.refusals import Ending

Result = TypeVar("Result")


class NetworkThread:
    """Runs one thing after the other, whoever asks, and always in the same thread.

    Two networks at once would each take more than twice as long. And torch prepares its
    convolutions anew in each thread that has not run them before: the first pass takes a second.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="viewer: networks")
        self._ending = Event()

    def run(self, function: Callable[[], Result]) -> Result:
        """Run a function when its turn has come, and return what it does.

        Raises Ending where the server ends before.
        """
        self.check()
        try:
            return self._executor.submit(function).result()
        except (CancelledError, RuntimeError) as error:
            self.check()
            raise error

    def end(self) -> None:
        """Begin nothing more, and have what runs stop at its next :meth:`check`."""
        self._ending.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def check(self) -> None:
        """Raise Ending where the server ends."""
        if self._ending.is_set():
            raise Ending("the server ends")
