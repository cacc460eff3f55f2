"""The server as one application: the page, what it asks, and who may ask."""

from __future__ import annotations

from collections.abc import Collection

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from interactivenet.viewer.monai_label.routes import MonaiLabelApi
from interactivenet.viewer.page_api import PageApi
from interactivenet.viewer.served import Served
from interactivenet.viewer.web.requests import answer, refusal
from interactivenet.viewer.web.security import Guard
from interactivenet.viewer.web.static_files import StaticFiles


def make_application(served: Served, token: str, hosts: Collection[str]) -> ASGIApp:
    """Make the application.

    token: what every address begins with.  hosts: names by which this server may be called.
    """
    page: list[BaseRoute] = [*PageApi(served).routes(), *StaticFiles().routes()]
    routes: list[BaseRoute] = [
        Route(f"/{token}", _to_page, methods=["GET"]),
        Mount(f"/{token}", routes=page),
        Mount(f"/monai/{token}", routes=MonaiLabelApi(served).routes()),
    ]

    async def failed(_: Request, error: Exception) -> Response:
        return refusal(error, served.places)

    handlers = {Exception: failed, HTTPException: _failed_as_http}
    application = Starlette(routes=routes, exception_handlers=handlers)
    application.router.redirect_slashes = False
    return Guard(application, token, hosts, ("", "/monai"))


async def _to_page(request: Request) -> Response:
    # relative: a proxy may have more in front of it
    return RedirectResponse(f"{request.url.path.rpartition('/')[2]}/")


async def _failed_as_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "there is nothing at this address", 405: "this address is not asked so"}
    return answer({"error": said.get(error.status_code, error.detail)}, error.status_code)
