"""Asking servers for files over HTTP: whatever goes wrong is one line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from interactivenet import __version__
from interactivenet.errors import DataError, InteractiveNetError, RequestError, one_line

if TYPE_CHECKING:
    import requests

#: seconds without a byte
TIMEOUT = 60.0
#: bytes asked for at once: what a connection that breaks off may cost
CHUNK = 2**16
#: statuses of servers that are busy
_BUSY = {429, 502, 503, 504}


class Broken(Exception):
    """An attempt failed, another may not."""


@dataclass(frozen=True)
class Remote:
    """A file to be downloaded.

    name: that it gets.  checksum: 'md5:...' or 'sha256:...'.  size: bytes.
    """

    url: str
    name: str
    checksum: str | None = None
    size: int | None = None

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def check_url(url: str) -> None:
    """Raise RequestError unless this is an http or https address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise RequestError(f"'{url}': expected an address that begins with https://")


def remote_zip(url: str, checksum: str | None) -> Remote:
    """Return the zip at an address, with a name that any disk takes; raises as check_url does."""
    check_url(url)
    for part in reversed(PurePosixPath(unquote(urlsplit(url).path)).parts):
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.zip", part):
            return Remote(url, part, checksum)
    return Remote(url, f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.zip", checksum)


def get_json(url: str, timeout: float = TIMEOUT, limit: int = 10**7) -> Any:
    """Return the JSON at an address; raises RequestError, DataError where it is none.

    timeout: seconds without a byte.  limit: bytes.
    """
    remote, data = Remote(url, ""), b""
    try:
        with open_remote(remote, {}, timeout) as response:
            for chunk in response.iter_content(CHUNK):
                data += chunk
                if len(data) > limit:
                    raise DataError(f"{remote.shown}: answers with more than {limit} bytes")
        return json.loads(data)
    except Broken as error:
        raise RequestError(f"{remote.shown}: {error}") from error
    except OSError as error:  # all of requests' errors are
        raise RequestError(f"{remote.shown}: {why(error, timeout)}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{remote.shown}: does not answer with JSON: {one_line(error)}") from error


def open_remote(remote: Remote, headers: Mapping[str, str], timeout: float) -> requests.Response:
    """Ask for a file; raises for statuses without it, and where https leads to http."""
    import requests

    check_url(remote.url)
    # a compressed answer has other lengths and ranges than the file
    sent = {
        "User-Agent": f"interactivenet/{__version__}", "Accept-Encoding": "identity", **headers,
    }  # fmt: skip
    response = requests.get(remote.url, headers=sent, timeout=timeout, stream=True)
    hops = [*(one.url for one in response.history), response.url]
    try:
        if remote.url.lower().startswith("https:"):
            for hop in hops:
                if not hop.lower().startswith("https:"):
                    raise RequestError(f"{remote.shown}: leads to {Remote(hop, '').shown},"
                                       " expected https")  # fmt: skip
        status = response.status_code
        told = f"{status} {response.reason or ''}".strip()
        if status in _BUSY:
            raise Broken(f"the server is busy ({told})")
        if status >= 500:
            raise RequestError(f"{remote.shown}: the server fails ({told}): try again later")
        if status in (404, 410):
            raise RequestError(f"{remote.shown}: there is no such file ({told})")
        if status in (401, 403):
            raise RequestError(f"{remote.shown}: the server gives it to nobody ({told})")
        if status not in (200, 206, 416):
            raise RequestError(f"{remote.shown}: the server answers {told}")
    except (InteractiveNetError, Broken):
        response.close()
        raise
    return response


def is_final(error: OSError, answered: bool) -> bool:
    """Whether another attempt would end the same; answered: the server was reached before."""
    import requests

    kinds = requests.exceptions
    if isinstance(error, kinds.SSLError):
        return True
    if isinstance(error, kinds.ChunkedEncodingError):  # broken off within the answer
        return False
    passing = isinstance(error, (kinds.ConnectionError, kinds.Timeout))
    # a wrong name or a server that is down does not get better by waiting
    return not passing or not (answered or "Connection aborted" in str(error))


def why(error: OSError, timeout: float) -> str:
    """Say in a few words why a request failed."""
    import requests

    kinds, text = requests.exceptions, one_line(error)
    if isinstance(error, kinds.SSLError):
        return f"its certificate cannot be trusted: {text[:200]}"
    if isinstance(error, kinds.Timeout) or "timed out" in text:
        return f"no answer within {timeout:g} s"
    if isinstance(error, kinds.ProxyError):
        return f"the proxy fails: {text[:200]}"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "the host is not found: no network, or a wrong name"
    if isinstance(error, kinds.ChunkedEncodingError) or "Connection aborted" in text:
        return "the connection broke off"
    if isinstance(error, kinds.ConnectionError):
        reason = text.rpartition(":")[2].strip(" )'")
        return f"no connection: {reason[:100]}"
    return f"cannot be asked for: {text[:200]}"
