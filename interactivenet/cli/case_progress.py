"""How far a loop over cases is: a live bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from interactivenet.cli.durations import duration
from interactivenet.system.names import escaped

Item = TypeVar("Item")

#: seconds between two lines of a log; a case that takes longer is said to
MINUTE = 60.0
#: seconds below which the time of a case is not told
_SHORT = 0.1
#: times a second that a bar is drawn anew: each takes time from the work
_REDRAWN = 2.0

#: statuses of cases for which nothing was to do
_NOTHING_DONE = ("kept", "unchanged")

#: waits for so many seconds, or until an event is set, and returns whether it is
Wait = Callable[[threading.Event, float], bool]


class CaseProgress:
    """How many cases are done, how fast, and which is next.

    Time passes from case to case, whichever thread or process worked on it, so that the rate is
    that of all together; what was done before (``kept`` of a case) says nothing of the others.

    total: how many cases.  names: of the cases in order, where they are known.
    clock: seconds, such as ``time.monotonic``.
    """

    def __init__(
        self, total: int, names: Sequence[str] = (), clock: Callable[[], float] = monotonic
    ) -> None:
        self.total, self.done = total, 0
        self._names, self._clock = names, clock
        self._fresh, self._seconds = 0, 0.0
        self._last = clock()

    def add(self, item: Any) -> None:
        """Take note of a case that is done."""
        now = self._clock()
        self.done += 1
        if not (getattr(item, "kept", False) or getattr(item, "status", "") in _NOTHING_DONE):
            self._fresh += 1
            self._seconds += now - self._last
        self._last = now

    def rate(self) -> str:
        """Say how long a case takes and how long all will: '2.1 s a case, about 6 min left'."""
        if not self._fresh:
            return ""
        each = self._seconds / self._fresh
        left = each * max(self.total - self.done, 0)
        each_text = f"{each:.1f} s" if each < 60 else duration(each)
        if each < _SHORT:
            each_text = f"under {_SHORT} s"
        return f"{each_text} a case, about {duration(left)} left"

    def current(self) -> str:
        """Name the case that is next, and say for how long, where that is more than a minute."""
        if not self.done < len(self._names):
            return ""
        waited = self._clock() - self._last
        since = f" for {duration(waited)}" if waited > MINUTE else ""
        return escaped(self._names[self.done]) + since

    def line(self) -> str:
        """Say all of it: '37 of 200 cases, 2.1 s a case, about 6 min left, now CASE'."""
        current = self.current()
        parts = (self.counted(), self.rate(), current and f"now {current}")
        return ", ".join(part for part in parts if part)

    def counted(self) -> str:
        """Say how many cases are done."""
        return f"{self.done} of {self.total} cases"


def logged(
    items: Iterable[Item],
    progress: CaseProgress,
    description: str,
    *,
    write: Callable[[str], object] = click.echo,
    wait: Wait = threading.Event.wait,
) -> Iterator[Item]:
    """Pass items through with a line after the first and one every minute, none after the end.

    A case that takes many minutes gets its lines, too: another thread writes them.
    write: writes a line and flushes it.  wait: for tests.
    """
    ended, writing = threading.Event(), threading.Lock()

    def say() -> None:
        with writing:
            if not ended.is_set():
                write(f"{description}: {progress.line()}")

    def every_minute() -> None:
        while not wait(ended, MINUTE):
            say()

    ticking = threading.Thread(target=every_minute, name="progress", daemon=True)
    ticking.start()
    try:
        for item in items:
            progress.add(item)
            if progress.done == 1 < progress.total:
                say()
            yield item
    finally:
        ended.set()
        with writing:  # a line that was begun is finished before anything else is said
            pass


class _Status(ProgressColumn):
    """What is said beside a bar: it changes with time, not with each case alone."""

    def __init__(self, progress: CaseProgress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        """Say how far it is."""
        return Text(self._progress.line(), overflow="ellipsis", no_wrap=True)


def shown(
    items: Iterable[Item], progress: CaseProgress, description: str, out: Console
) -> Iterator[Item]:
    """Pass items through under a live bar, which goes at the end."""
    with bar_of(progress, description, out) as bar:
        for item in items:
            progress.add(item)
            bar.update(bar.task_ids[0], completed=progress.done)
            yield item


def bar_of(progress: CaseProgress, description: str, out: Console) -> Progress:
    """Make the bar: what is done, the bar itself, and all that a line of a log says."""
    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), _Status(progress),
        console=out, transient=True, refresh_per_second=_REDRAWN,
    )  # fmt: skip
    bar.add_task(description, total=progress.total)
    return bar
