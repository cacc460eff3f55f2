"""Who may ask: whoever has the token, from a page of this server, or no page at all."""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: only what this server sends is run, shown or asked
POLICY = "; ".join(
    [
        "default-src 'self'", "img-src 'self' data: blob:", "connect-src 'self' data: blob:",
        "worker-src 'self' blob:", "style-src 'self' 'unsafe-inline'", "object-src 'none'",
        "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    ]
)  # fmt: skip
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",  # the address has the token in it
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Lets through what has the token in its path, and takes it out of there.

    prefixes: paths in front of the token, '' or '/monai', each for its own face.
    hosts: names of this server, as browsers may call it; addresses of numbers always may.
    """

    def __init__(
        self, app: ASGIApp, token: str, hosts: Collection[str], prefixes: Collection[str] = ("",)
    ) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = {host.lower() for host in hosts} | {"localhost"}
        self._prefixes = tuple(prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await _refuse(scope, send, headers, *refusal)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in HEADERS.items()
                      if name.encode() not in there),
                ]  # fmt: skip
            await send(message)

        await self._app(scope, receive, with_headers)

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        host = headers.get(b"host", "")
        if not self._is_host(host):
            return 421, (
                f"this server is not called '{_shown(host)}': use the address that it has printed"
            )
        origin = headers.get(b"origin")
        if origin is not None and _place(origin) != host.lower():
            return 403, "requests from pages of other servers are refused"
        navigates = headers.get(b"sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if headers.get(b"sec-fetch-site") in ("cross-site", "same-site") and not navigates:
            return 403, "requests from pages of other servers are refused"
        if not self._has_token(scope["path"]):
            return 403, "the address lacks its token: use the one that the server has printed"
        return None

    def _has_token(self, path: str) -> bool:
        for prefix in self._prefixes:
            rest = path.removeprefix(prefix) if path.startswith(prefix + "/") else ""
            given = rest.removeprefix("/").partition("/")[0]
            if hmac.compare_digest(given.encode("utf-8", "replace"), self._token):
                return True
        return False

    def _is_host(self, given: str) -> bool:
        try:
            name = urlsplit(f"//{given}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:  # a foreign page can lead a name here, but no number
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _place(origin: str) -> str:
    """Return name and port of a page's origin; '' where it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def own_names() -> set[str]:
    """Return what this machine is called."""
    name = socket.gethostname()
    return {each.lower() for each in (name, name.partition(".")[0]) if each}


def _shown(text: str) -> str:
    return "".join(char for char in text[:80] if char.isalnum() or char in ".:-_[]")


async def _refuse(
    scope: Scope, send: Send, asked: Mapping[bytes, str], status: int, message: str
) -> None:
    is_read = "text/html" in asked.get(b"accept", "")  # by a person, in a browser's window
    body = f"InteractiveNet: {message}.\n" if is_read else json.dumps({"error": message})
    content = body.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8" if is_read else b"application/json"),
        (b"content-length", str(len(content)).encode()),
        *((name.encode(), value.encode()) for name, value in HEADERS.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(
        {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content}
    )
