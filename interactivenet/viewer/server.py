"""The server: addresses, start, end."""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.pipeline.reporting import SILENT, Reporter
from interactivenet.viewer.application import make_application
from interactivenet.viewer.saving import Target
from interactivenet.viewer.security import own_names
from interactivenet.viewer.served import Served
from interactivenet.viewer.served_models import ServedModels
from interactivenet.viewer.session_store import SessionStore
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.worklist import Worklist

#: s; requests that still run then are left alone
_GRACE = 3


@dataclass(frozen=True)
class Addresses:
    """Where a server is found: the page, and the address that 3D Slicer is given."""

    page: str
    slicer: str


def serve(
    folders: Sequence[Path | str] = (),
    *,
    task: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    hosts: Sequence[str] = (),
    browser: bool = False,
    model: str | Path | None = None,
    output: Path | str | None = None,
    settings: ViewerSettings | None = None,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> None:
    """Serve a viewer until the process is ended.

    Args:
        folders: Of images: raw tasks, folders of files, DICOM trees; or single files.
        task: Name of a raw task whose cases are annotated.
        host: Address to listen on; this machine alone by default.
        port: Port to listen on; 0 for any free one.
        hosts: Further names by which browsers call this server, such as that of a proxy.
        browser: Open the page in a browser.
        model: Model to begin with, by name or path; the first by default.
        output: Folder for what is saved; by default what is saved is downloaded.
        settings: What is allowed, and for how long.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the addresses, and a line for each request.

    Raises:
        RequestError: The port is in use, or there is no such folder, task or model.
    """
    settings, roots = settings or ViewerSettings(), roots or Roots.choose()
    raw = None if task is None else Task.load(roots.raw_task(task))
    models = ServedModels(roots, model)
    worklist = Worklist([Path(folder) for folder in folders], raw)
    store = SessionStore(models, settings, raw.labels if raw else None)
    target = Target(None if output is None else Path(output))
    token = secrets.token_urlsafe(24)
    with (
        _listening(host, port) as listening,
        tempfile.TemporaryDirectory(prefix="interactivenet-uploads-") as uploads,
    ):
        served = Served(models, worklist, store, settings, target, Path(uploads), task or "")
        names = {host, *hosts, *(own_names() if not _is_loopback(host) else ())}
        application = make_application(served, token, names)
        addresses = _addresses(host, listening.getsockname()[1], token)
        for line in describe(addresses):
            reporter.say(line)
        if browser:
            threading.Timer(1, webbrowser.open, [addresses.page]).start()
        config = uvicorn.Config(
            application, log_config=None, access_log=False, lifespan="off",
            timeout_graceful_shutdown=_GRACE, server_header=False, proxy_headers=False,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


def describe(addresses: Addresses) -> list[str]:
    """Return what is said at the start."""
    return [
        f"open in a browser: {addresses.page}",
        f"server of 3D Slicer's MONAI Label: {addresses.slicer}",
    ]


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError) as error:
        raise RequestError("is no address of this machine", field="host", value=host) from error
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise RequestError(
            f"cannot be listened on, at {host}: {error.strerror or error}", field="port",
            value=port, remedy="use another, or 0 for any that is free",
        ) from error  # fmt: skip
    return listening


def _addresses(host: str, port: int, token: str) -> Addresses:
    shown = host
    if host in ("0.0.0.0", "::", ""):  # a browser needs a name
        shown = "127.0.0.1"
    if ":" in shown:
        shown = f"[{shown}]"
    base = f"http://{shown}:{port}"
    return Addresses(f"{base}/{token}/", f"{base}/monai/{token}")


def _is_loopback(host: str) -> bool:
    with suppress(OSError):
        return socket.gethostbyname(host).startswith("127.")
    return False
