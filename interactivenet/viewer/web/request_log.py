"""A line for each request, without the token that is in its address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from interactivenet.errors import sanitize_text
from interactivenet.pipeline.reporting import Reporter

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: characters of a session's id that are told: it opens an image to whoever has the token, too
_TOLD = 6
_LONGEST = 200


class RequestLog:
    """Tells a reporter of each request: method, path, status, seconds."""

    def __init__(self, app: ASGIApp, token: str, reporter: Reporter) -> None:
        self._app, self._token, self._reporter = app, token, reporter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell of it when it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            path = shown_path(scope["path"], self._token)
            if status >= 400 or not self._is_quiet(path):
                seconds = time.monotonic() - begun
                self._reporter.say(
                    f"{time.strftime('%H:%M:%S')} {scope['method']} {path} {status or 'no answer'}"
                    f" {seconds:.2f} s"
                )

    def _is_quiet(self, path: str) -> bool:
        """Whether an address is asked all the time, or belongs to the page itself."""
        is_page = path == "/" or path.startswith("/static/")
        return is_page or path.endswith("/alive") or path == "/monai/info/"


def shown_path(path: str, token: str) -> str:
    """Return a path as it is told: without the token, and with the beginning of ids alone."""
    parts = path.replace(f"/{token}", "", 1).split("/")
    for number, part in enumerate(parts[1:], 1):
        if parts[number - 1] in ("sessions", "session") and len(part) > _TOLD:
            parts[number] = f"{part[:_TOLD]}..."
    shown = sanitize_text("/".join(parts))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
