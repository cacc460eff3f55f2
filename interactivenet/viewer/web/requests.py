"""Requests, read within limits, and what they are answered: JSON, files, refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from interactivenet.errors import InteractiveNetError, RequestError, describe_failure, one_line
from interactivenet.viewer.refusals import Ending, Outdated, StoreFull, TooLarge, UnknownSession
from interactivenet.viewer.web.places import Places

Result = TypeVar("Result")
Handler = Callable[[Request], Awaitable[Response]]

#: pieces of work at once that are not the network's: more would only take memory
_AT_ONCE = 4


class Work:
    """Runs what takes time off the event loop.

    at_once: pieces of work; others wait.
    """

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._at_once = at_once
        self._limiter: CapacityLimiter | None = None

    async def __call__(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function in a thread; when the server ends, nobody waits for it."""
        if self._limiter is None:  # it belongs to a running loop
            self._limiter = CapacityLimiter(self._at_once)
        return await to_thread.run_sync(
            function, *arguments, abandon_on_cancel=True, limiter=self._limiter
        )


async def read_body(request: Request, most: int) -> bytes:
    """Read a whole body of at most so many bytes; raises TooLarge."""
    return await limited(request, most).body()


def limited(request: Request, most: int) -> Request:
    """Return a request whose body ends in TooLarge after so many bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > most:
        raise TooLarge(f"the request has {announced} bytes", expected=f"at most {most}")
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > most:
            raise TooLarge(f"the request has more than {most} bytes")
        return message

    return Request(request.scope, receive)


async def read_object(request: Request, most: int, *, empty: bool = False) -> dict[str, Any]:
    """Read a JSON object from a body; raises RequestError for anything else.

    empty: whether a body without a byte is an object without fields.
    """
    data = await read_body(request, most)
    if empty and not data:
        return {}
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the request is not JSON: {one_line(error)}") from error
    if not isinstance(content, dict):
        raise RequestError("the request is not a JSON object")
    return content


class _Json(JSONResponse):
    """JSON, of names that are not UTF-8, too."""

    def render(self, content: Any) -> bytes:
        """Return the content's bytes."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def answer(content: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return _Json(content, status)


def refusal(error: Exception, places: Places) -> Response:
    """Answer with what is wrong, in a sentence; of the server's folders it has no path."""
    status, headers, more = 500, {}, {}
    if isinstance(error, StoreFull):
        status, headers = 503, {"retry-after": str(math.ceil(error.retry_after))}
    elif isinstance(error, Ending):
        status, headers = 503, {"retry-after": "10"}
    elif isinstance(error, UnknownSession):
        status = 404
    elif isinstance(error, Outdated):
        status, more = 409, {"revision": error.revision}
    elif isinstance(error, TooLarge):
        status = 413
    elif isinstance(error, InteractiveNetError):
        status = 400
    sentence = places.shortened(describe_failure(error))
    return _Json({"error": sentence, **more}, status, headers)


def guarded_routes(table: Iterable[tuple[str, str, Handler]], places: Places) -> list[Route]:
    """Return the routes of a table of method, path, handler; each handler is :func:`refusing`."""
    return [
        Route(path, refusing(handler, places), methods=[method]) for method, path, handler in table
    ]


def refusing(handler: Handler, places: Places) -> Handler:
    """Answer the errors of a handler as :func:`refusal` says."""

    async def handled(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:  # nobody is there to be told
            return Response(status_code=499)
        except InteractiveNetError as error:
            return refusal(error, places)

    return handled


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
