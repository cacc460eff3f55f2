"""Downloads over HTTP that are resumed after a break, and checked before they get a name."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import digest, read_object, remove, write_json
from interactivenet.system.http import (
    CHUNK,
    TIMEOUT,
    Broken,
    Remote,
    describe_problem,
    is_final,
    open_remote,
)

if TYPE_CHECKING:
    import requests

#: called with the bytes that are there, and those of the whole, where known
Progress = Callable[[int, int | None], None]

#: seconds before each further attempt
WAITS = (1.0, 3.0, 10.0, 30.0)
#: bytes
LIMIT = 20 * 10**9
#: hex digits of the checksums that can be told
_DIGITS = {"md5": 32, "sha256": 64}


def parse_checksum(text: str) -> str:
    """Return 'md5:HEX' or 'sha256:HEX', the kind told from the length where it is not named.

    Raises RequestError for anything else.
    """
    kind, colon, digest = text.strip().lower().rpartition(":")
    if not colon:
        kind = {digits: name for name, digits in _DIGITS.items()}.get(len(digest), "")
    if not re.fullmatch(r"[0-9a-f]+", digest) or len(digest) != _DIGITS.get(kind):
        raise RequestError(
            field="checksum", value=text, expected="sha256: and 64, or md5: and 32 hex digits"
        )
    return f"{kind}:{digest}"


def checksum_of(path: Path, kind: str) -> str:
    """Return 'KIND:HEX' of a file; kind: 'md5' or 'sha256'. Raises DataError if unreadable."""
    return f"{kind}:{digest(path, kind)}"


def fetch(
    remote: Remote,
    folder: Path,
    *,
    progress: Progress | None = None,
    waits: Sequence[float] = WAITS,
    timeout: float = TIMEOUT,
    limit: int = LIMIT,
) -> Path:
    """Download a file into a folder and return its path; it is whole, and is what was expected.

    Until then it is NAME.part, which a further call continues. waits: seconds before each
    further attempt after a connection broke off.  timeout: seconds without a byte.  limit: bytes.
    Raises RequestError where the server does not give it, DataError where it is not as expected.
    """
    path = folder / remote.name
    kind = (remote.checksum or "").partition(":")[0]
    if kind and path.is_file() and checksum_of(path, kind) == remote.checksum:
        return path
    attempt = _Attempt(remote, folder, progress, timeout, limit)
    for wait in (*waits, None):
        try:
            attempt.receive()
            break
        except Broken as error:
            if wait is None:
                kept = attempt.received if attempt.resumable else 0
                retry = f"try again to continue after {kept} bytes" if kept else "try again"
                raise RequestError(f"{remote.shown}: {error}", remedy=retry) from error
            time.sleep(wait)
    received = attempt.received
    if remote.size is not None and received != remote.size:
        attempt.forget()
        raise DataError(f"{remote.shown}: has {received} bytes, expected {remote.size}")
    if kind and (actual := checksum_of(attempt.part, kind)) != remote.checksum:
        attempt.forget()
        raise DataError(f"{remote.shown}: {actual} was downloaded, expected {remote.checksum}")
    try:
        attempt.part.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    attempt.forget()
    return path


@dataclass
class _Attempt:
    """What was received of a file, and how the rest of it is got."""

    remote: Remote
    folder: Path
    progress: Progress | None
    timeout: float
    limit: int
    #: the server was reached: what fails from now on may work again
    answered: bool = field(default=False, init=False)
    #: there is something to tell whether a later answer is of the same file
    resumable: bool = field(default=False, init=False)

    @property
    def part(self) -> Path:
        return self.folder / f"{self.remote.name}.part"

    @property
    def notes(self) -> Path:
        """What the part is of."""
        return self.folder / f"{self.remote.name}.part.json"

    @property
    def received(self) -> int:
        """Bytes on the disk."""
        return self.part.stat().st_size if self.part.exists() else 0

    def forget(self) -> None:
        """Remove the part and its notes."""
        remove(self.part)
        remove(self.notes)

    def receive(self) -> None:
        """Get what is missing of the part; raises Broken where another attempt may help."""
        try:
            notes = read_object(self.notes)
        except DataError:  # cut short: the part is worth nothing without it
            notes = {}
        if any(notes.get(name) != value for name, value in self._identity().items()):
            notes = {}
        validator, size = notes.get("validator"), notes.get("size")
        if not (notes and (validator or self.remote.checksum)):
            self.forget()
        self.resumable = bool(start := self.received)
        if start and start == size:  # killed before it got its name
            return
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and validator:
            headers["If-Range"] = str(validator)
        try:
            with open_remote(self.remote, headers, self.timeout) as response:
                self.answered = True
                self._store(response, start)
        except Broken:
            self.answered = True
            raise
        except OSError as error:  # of requests: all of its errors are
            reason = describe_problem(error, self.timeout)
            if not is_final(error, self.answered):
                raise Broken(reason) from error
            raise RequestError(f"{self.remote.shown}: {reason}") from error

    def _identity(self) -> dict[str, Any]:
        # the address may hold a password
        address = hashlib.sha256(self.remote.url.encode()).hexdigest()
        return {"address": address, "checksum": self.remote.checksum}

    def _store(self, response: requests.Response, start: int) -> None:
        headers = response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            raise RequestError(f"{self.remote.shown}: was sent compressed, which was not asked for")
        length = headers.get("Content-Length", "")
        total = int(length) if length.isascii() and length.isdigit() else None
        if response.status_code == 206:
            sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
            if not sent or int(sent[1]) != start:
                self.forget()
                raise Broken("the server sent a different part of the file than was asked for")
            total = int(sent[2]) if sent[2] != "*" else start + total if total else None
        elif response.status_code == 416:
            self.forget()
            raise Broken("the length of the file has changed since the download began")
        else:  # the whole: a server without ranges, or another file than before
            self.forget()
            start = 0
        if total is not None and self.remote.size not in (None, total):
            self.forget()
            raise DataError(f"{self.remote.shown}: has {total} bytes, expected {self.remote.size}")
        if total is not None and total > self.limit:
            self.forget()
            raise RequestError(
                f"{self.remote.shown}: has {total} bytes, expected {self.limit} at most"
            )
        tag = headers.get("ETag", "")
        validator = headers.get("Last-Modified") if tag.startswith("W/") or not tag else tag
        self.resumable = bool(validator or self.remote.checksum)
        write_json(self.notes, {**self._identity(), "validator": validator, "size": total})
        self._append(response, start, total)

    def _append(self, response: requests.Response, start: int, total: int | None) -> None:
        received = start
        try:
            file = self.part.open("ab")
        except OSError as error:
            raise _unwritten(self.part, error) from error
        with file:
            for chunk in response.iter_content(CHUNK):
                received += len(chunk)
                if received > self.limit:
                    file.close()
                    self.forget()
                    raise RequestError(f"{self.remote.shown}: has more than {self.limit} bytes")
                try:
                    file.write(chunk)
                    file.flush()
                except OSError as error:  # disk full
                    raise _unwritten(self.part, error) from error
                if self.progress:
                    self.progress(received, total)
        if total is not None and received < total:
            raise Broken(f"the connection broke off at {received} of {total} bytes")


def _unwritten(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be written: {error.strerror or error}")
