"""Forms of 3D Slicer's client: a file, and a field of JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from interactivenet.errors import DataError, RequestError
from interactivenet.viewer.web.requests import limited

#: of a form: the client sends a file and a field or two
_FILES, _FIELDS = 1, 8


@asynccontextmanager
async def form_of(request: Request, most: int) -> AsyncIterator[FormData]:
    """Read a form of at most so many bytes; its files are removed at the end. Raises TooLarge."""
    async with limited(request, most).form(max_files=_FILES, max_fields=_FIELDS) as form:
        yield form


def params_of(form: FormData) -> dict[str, Any]:
    """Return the field ``params``; raises RequestError where it is no object of JSON."""
    text = form.get("params")
    try:
        content = json.loads(text) if isinstance(text, str) and text else {}
    except (ValueError, RecursionError) as error:
        raise RequestError("the field 'params' is not JSON") from error
    if not isinstance(content, dict):
        raise RequestError("the field 'params' is not a JSON object")
    return content


def file_of(form: FormData, field: str) -> tuple[str, BinaryIO]:
    """Return name and content of a file; raises RequestError where there is none."""
    file = form.get(field)
    if not isinstance(file, UploadFile):
        raise RequestError(f"no file was sent as '{field}'")
    return file.filename or "", file.file


def keep(content: BinaryIO, path: Path) -> None:
    """Write what was sent into a new file; raises DataError where there is no room for it."""
    try:
        with path.open("xb") as target:
            shutil.copyfileobj(content, target)
    except OSError as error:
        raise DataError(f"what was sent cannot be kept: {error.strerror or error}") from error


def client_of(request: Request, client_id: Any) -> str:
    """Say whose request this is: names of images count for one client alone.

    What a proxy says of the machine behind it tells users apart; it opens nothing to anybody.
    """
    host = request.client.host if request.client else ""
    behind = request.headers.get("x-forwarded-for", "")
    return f"{host} {behind} {client_id if isinstance(client_id, str) else ''}"
