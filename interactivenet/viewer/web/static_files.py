"""The page's own files, a part of the package."""

from __future__ import annotations

import mimetypes
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from interactivenet.viewer.web.requests import answer

FOLDER = Path(str(files("interactivenet"))) / "viewer" / "static"
#: what the machine's own table of types may not know, or know otherwise
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8"}


class StaticFiles:
    """Sends the files that were there when the server began: no path is made of a request."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path for path in folder.rglob("*")
            if path.is_file()
        }  # fmt: skip

    def routes(self) -> list[Route]:
        """Return the addresses below the token's."""
        return [
            Route("/", self.page, methods=["GET"]),
            Route("/static/{path:path}", self.file, methods=["GET"]),
        ]

    async def page(self, _: Request) -> Response:
        """Send the page."""
        return await self._send("index.html")

    async def file(self, request: Request) -> Response:
        """Send one of its files."""
        return await self._send(request.path_params["path"])

    async def _send(self, name: str) -> Response:
        path = self._files.get(name)
        if path is None:
            return answer({"error": "there is no such file"}, 404)
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        return FileResponse(path, media_type=kind or "application/octet-stream")
