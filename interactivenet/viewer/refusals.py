"""Why a request is refused, where that is no fault of a file or of what was asked."""

from __future__ import annotations

from interactivenet.errors import InteractiveNetError


class UnknownSession(InteractiveNetError):
    """No image is open under this id: it was closed, or the server was started anew."""


class StoreFull(InteractiveNetError):
    """As many images are open as may be.

    retry_after: seconds after which another may fit.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Outdated(InteractiveNetError):
    """A later state of the objects has come meanwhile.

    revision: the latest.
    """

    def __init__(self, revision: int) -> None:
        super().__init__(f"a later state of the objects, revision {revision}, has come meanwhile")
        self.revision = revision


class TooLarge(InteractiveNetError):
    """A request has more bytes than it may have."""


class Ending(InteractiveNetError):
    """The server ends, and begins nothing more."""
