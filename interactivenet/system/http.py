"""Asking servers for files over HTTP; whatever goes wrong is said in one line."""

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
#: bytes read at once: what is lost where a connection breaks off
CHUNK = 2**16
#: statuses of servers that are busy
_BUSY = {429, 502, 503, 504}


class Broken(Exception):
    """An attempt failed; another one may succeed."""


@dataclass(frozen=True)
class Remote:
    """A file to be downloaded.

    name: under which it is kept.  checksum: 'md5:...' or 'sha256:...'.  size: bytes.
    """

    url: str
    name: str
    checksum: str | None = None
    size: int | None = None

    @property
    def shown(self) -> str:
        """The address without what may be secret: password and query."""
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
        raise RequestError(f"'{url}'", expected="an address that begins with https://")


def remote_zip(url: str, checksum: str | None) -> Remote:
    """Return the zip at an address, with a name that every file system takes.

    Raises RequestError as :func:`check_url` does.
    """
    check_url(url)
    for part in reversed(PurePosixPath(unquote(urlsplit(url).path)).parts):
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.zip", part):
            return Remote(url, part, checksum)
    return Remote(url, f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.zip", checksum)


def get_json(url: str, timeout: float = TIMEOUT, limit: int = 10**7) -> Any:
    """Return the JSON at an address.  timeout: seconds without a byte.  limit: bytes.

    Raises RequestError where the server does not give it, DataError where it is not JSON.
    """
    remote, data = Remote(url, ""), b""
    try:
        with open_remote(remote, {}, timeout) as response:
            for chunk in response.iter_content(CHUNK):
                data += chunk
                if len(data) > limit:
                    raise DataError(f"{remote.shown}: the answer has more than {limit} bytes")
        return json.loads(data)
    except Broken as error:
        raise RequestError(f"{remote.shown}: {error}") from error
    except OSError as error:  # all of requests' errors are
        raise RequestError(f"{remote.shown}: {describe_problem(error, timeout)}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{remote.shown}: the answer is not JSON: {one_line(error)}") from error


def open_remote(remote: Remote, headers: Mapping[str, str], timeout: float) -> requests.Response:
    """Ask for a file.  timeout: seconds without a byte.

    Raises Broken where the server is busy, RequestError for any other answer without the file,
    and where an https address leads to an http one.
    """
    import requests

    check_url(remote.url)
    # a compressed answer would have other lengths and ranges than the file
    sent = {
        "User-Agent": f"interactivenet/{__version__}", "Accept-Encoding": "identity", **headers,
    }  # fmt: skip
    response = requests.get(remote.url, headers=sent, timeout=timeout, stream=True)
    hops = [*(redirect.url for redirect in response.history), response.url]
    try:
        if remote.url.lower().startswith("https:"):
            for hop in hops:
                if not hop.lower().startswith("https:"):
                    raise RequestError(f"{remote.shown}: redirects to {Remote(hop, '').shown},"
                                       " expected https")  # fmt: skip
        status = response.status_code
        answer = f"{status} {response.reason or ''}".strip()
        if status in _BUSY:
            raise Broken(f"the server is busy ({answer})")
        if status >= 500:
            raise RequestError(
                f"{remote.shown}: the server failed ({answer})", remedy="try again later"
            )
        if status in (404, 410):
            raise RequestError(f"{remote.shown}: the server has no such file ({answer})")
        if status in (401, 403):
            raise RequestError(f"{remote.shown}: the server denies access ({answer})")
        if status not in (200, 206, 416):
            raise RequestError(f"{remote.shown}: the server answers {answer}")
    except (InteractiveNetError, Broken):
        response.close()
        raise
    return response


def is_final(error: OSError, answered: bool) -> bool:
    """Whether another attempt would fail, too; answered: the server was reached before."""
    import requests

    kinds = requests.exceptions
    if isinstance(error, kinds.SSLError):
        return True
    if isinstance(error, kinds.ChunkedEncodingError):  # broken off within the answer
        return False
    temporary = isinstance(error, (kinds.ConnectionError, kinds.Timeout))
    # waiting does not help against a wrong name or a server that is down
    return not temporary or not (answered or "Connection aborted" in str(error))


def describe_problem(error: OSError, timeout: float) -> str:
    """Say in a few words why a request failed."""
    import requests

    kinds, text = requests.exceptions, one_line(error)
    if isinstance(error, kinds.SSLError):
        return f"its certificate cannot be trusted: {text[:200]}"
    if isinstance(error, kinds.Timeout) or "timed out" in text:
        return f"no answer within {timeout:g} s"
    if isinstance(error, kinds.ProxyError):
        return f"the proxy failed: {text[:200]}"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "the host was not found: there is no network, or the name is wrong"
    if isinstance(error, kinds.ChunkedEncodingError) or "Connection aborted" in text:
        return "the connection broke off"
    if isinstance(error, kinds.ConnectionError):
        reason = text.rpartition(":")[2].strip(" )'\"")
        return f"no connection: {reason[:100]}"
    return f"the request failed: {text[:200]}"
