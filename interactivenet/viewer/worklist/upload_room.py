"""Room for what is sent: one limit for the page and for 3D Slicer together."""

from __future__ import annotations

import threading

from interactivenet.viewer.refusals import TooLarge


class UploadRoom:
    """Bytes of all uploads that are kept.

    gb: GB that they may have.
    """

    def __init__(self, gb: float) -> None:
        self._gb, self._taken = gb, 0
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Take so many bytes; raises TooLarge, and takes none, where there is no room for them."""
        with self._lock:
            if self._taken + size > self._gb * 1e9:
                raise TooLarge(f"the uploads have {self._gb:g} GB together, at most")
            self._taken += size

    def give_back(self, size: int) -> None:
        """Give bytes back, of what is kept no longer."""
        with self._lock:
            self._taken -= size
