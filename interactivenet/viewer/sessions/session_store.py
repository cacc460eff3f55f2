"""Which images are open, for how long, and how many at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from interactivenet.prompts.prompt import LabelNames
from interactivenet.viewer.refusals import StoreFull, UnknownSession
from interactivenet.viewer.sessions.scans import OpenScan
from interactivenet.viewer.sessions.served_models import ServedModels
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.worklist.worklist import WorklistEntry


@dataclass
class _Clocks:
    """When an image was last asked about, and when its page last gave a sign of life.

    watched: whether a page gives such signs; other clients do not.
    """

    scan: OpenScan
    used: float
    alive: float
    watched: bool

    def left(self, settings: ViewerSettings, now: float) -> float:
        """Seconds after which it is closed."""
        idle = self.used + 60 * settings.idle_minutes - now
        alive = self.alive + 60 * settings.alive_minutes - now
        return min(idle, alive) if self.watched else idle


class SessionStore:
    """The open images.

    settings: how many, and for how long.  labels: gives those of the task that is annotated.
    clock: gives seconds.
    """

    def __init__(
        self,
        models: ServedModels,
        settings: ViewerSettings,
        labels: Callable[[], LabelNames | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models, self._settings, self._labels = models, settings, labels
        self._clock = clock
        self._open: dict[str, _Clocks] = {}
        self._opening = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, entry: WorklistEntry, model: str, *, watched: bool = True) -> OpenScan:
        """Read an image and keep it.

        watched: whether its client gives signs of life by :meth:`alive`.
        Raises StoreFull where as many are open as may be, RequestError for a model that there is
        not, DataError where the image cannot be used.
        """
        with self._lock:
            self._close_expired()
            if len(self._open) + self._opening >= self._settings.sessions:
                raise self._full()
            self._opening += 1
        try:
            scan = OpenScan(entry, self._models.load(model), self._labels())
            now = self._clock()
            with self._lock:
                self._open[scan.id] = _Clocks(scan, now, now, watched)
            return scan
        finally:
            with self._lock:
                self._opening -= 1

    def get(self, session_id: str) -> OpenScan:
        """Return an open image, which counts as a use.

        Raises UnknownSession where there is none.
        """
        return self._clocks(session_id, used=True).scan

    def alive(self, session_id: str) -> None:
        """Take note of a sign of life; raises UnknownSession as :meth:`get` does."""
        self._clocks(session_id, used=False)

    def close(self, session_id: str) -> None:
        """Close an image, if it is open."""
        with self._lock:
            self._open.pop(session_id, None)

    def close_expired(self) -> None:
        """Close what nobody has used, or shown, for too long."""
        with self._lock:
            self._close_expired()

    def _clocks(self, session_id: str, *, used: bool) -> _Clocks:
        with self._lock:
            self._close_expired()
            clocks = self._open.get(session_id)
            if clocks is None:
                raise UnknownSession("this image is no longer open", remedy="open it again")
            clocks.alive = self._clock()
            if used:
                clocks.used = clocks.alive
            return clocks

    def _close_expired(self) -> None:
        now = self._clock()
        for session_id, clocks in list(self._open.items()):
            if clocks.left(self._settings, now) <= 0:
                del self._open[session_id]

    def _full(self) -> StoreFull:
        now = self._clock()
        left = [clocks.left(self._settings, now) for clocks in self._open.values()]
        # one may be closed sooner than it expires
        soonest = max(1, min(30, round(min(left, default=1.0))))
        return StoreFull(
            f"{self._settings.sessions} images are open, as many as may be: close one, or try"
            f" again in {soonest} seconds",
            soonest,
        )
