"""The server: addresses, start, end."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from interactivenet.datasets.roots import Roots, predictions_folder
from interactivenet.errors import RequestError
from interactivenet.pipeline.reporting import SILENT, Reporter, counted
from interactivenet.system.mounts import in_image
from interactivenet.viewer.application import make_application
from interactivenet.viewer.saving.saving import Target
from interactivenet.viewer.served import Served
from interactivenet.viewer.sessions.network_thread import NetworkThread
from interactivenet.viewer.sessions.served_models import ServedModels
from interactivenet.viewer.sessions.session_store import SessionStore
from interactivenet.viewer.sessions.warming import warm
from interactivenet.viewer.settings import ViewerSettings
from interactivenet.viewer.web.request_log import RequestLog
from interactivenet.viewer.web.security import own_names
from interactivenet.viewer.worklist.found_scans import is_raw_task
from interactivenet.viewer.worklist.worklist import Worklist, WorklistEntry, task_to_annotate

#: gives the token, where addresses must stay the same from one start to the next
TOKEN_VARIABLE = "interactivenet_token"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
#: s; requests that still run then are left alone
_GRACE = 3
#: s that the end waits for what is being loaded before it says so
_LOADING = 3
#: s between looks for images that nobody has open any more
_LOOK = 30.0
#: hosts to listen on that are no address
_EVERYWHERE = ("0.0.0.0", "::")
#: connections at once; more are answered 503
_CONNECTIONS = 500


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
    device: str = "auto",
    settings: ViewerSettings | None = None,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> None:
    """Serve a viewer until the process is ended by SIGINT or SIGTERM.

    Args:
        folders: Of images: raw tasks, folders of files, DICOM trees; or single files.
        task: Name of a raw task that is annotated: its own images, and those of the folders. A new
            one is made when the first case is saved.
        host: Address to listen on; this machine alone by default.
        port: Port to listen on; 0 for any free one.
        hosts: Further names by which browsers call this server, such as that of a proxy.
        browser: Open the page in a browser, where there is a screen.
        model: Model to begin with, by name or path; the first by default.
        output: Folder for what is saved; by default what is saved is downloaded.
        device: 'auto', 'cpu' or 'cuda'.
        settings: What is allowed, and for how long.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the addresses, and a line for each request.

    Raises:
        RequestError: The port is in use, there is no such folder, task or model, or the token that
            was given cannot be used.
    """
    settings, roots = settings or ViewerSettings(), roots or Roots.choose()
    token = _token()
    with (
        _listening(host, port) as listening,
        tempfile.TemporaryDirectory(
            prefix="interactivenet-uploads-", ignore_cleanup_errors=True
        ) as uploads,
    ):
        paths, saved = (
            [Path(folder) for folder in folders],
            None if output is None else Path(output),
        )
        served = _served(paths, task, model, saved, device, settings, roots, Path(uploads))
        for note in (*served.models.notes, *served.worklist.notes):
            reporter.say(note)
        if entries := served.worklist.entries():
            reporter.say(describe_scans(entries))
        names = {host, *hosts, *(own_names() if not _is_loopback(host) else ())}
        application = make_application(served, token, names)
        addresses = _addresses(host, listening.getsockname()[1], token)
        config = uvicorn.Config(
            RequestLog(application, token, reporter), log_config=None, access_log=False,
            lifespan="off", ws="none", timeout_graceful_shutdown=_GRACE, server_header=False,
            proxy_headers=False, limit_concurrency=_CONNECTIONS,
        )  # fmt: skip
        server = _Server(config, served.models.thread)
        # who has read an address may end the server: signals are its own from here on
        with server.ended_by_signals(), _beside(served, reporter):
            for line in describe(addresses, host):
                reporter.say(line)
            if browser and _has_screen():
                threading.Timer(1, webbrowser.open, [addresses.page]).start()
            server.run(sockets=[listening])
        reporter.say("ended")


class _Server(uvicorn.Server):
    """Ends by a signal within seconds: a network at work is stopped, too."""

    def __init__(self, config: uvicorn.Config, thread: NetworkThread) -> None:
        super().__init__(config)
        self._thread = thread

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals as they are: :meth:`ended_by_signals` began before."""
        yield

    @contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        """Handle signals inside; that one came is no failure, and is not raised again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._end)
                  for number in (signal.SIGINT, signal.SIGTERM)}  # fmt: skip
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._thread.end()
        self.handle_exit(number, frame)


def _served(
    paths: Sequence[Path],
    task: str | None,
    model: str | Path | None,
    output: Path | None,
    device: str,
    settings: ViewerSettings,
    roots: Roots,
    uploads: Path,
) -> Served:
    models = ServedModels(roots, model, device)
    raw = None if task is None else task_to_annotate(roots, task, new=bool(paths))
    if raw is None and output is None and len(paths) == 1 and is_raw_task(paths[0]):
        raw = paths[0]
    predictions = () if task is None else (predictions_folder(roots, task, None),)
    worklist = Worklist(
        paths, raw, modalities=models.offered[0].modalities, output=output, predictions=predictions
    )
    store = SessionStore(models, settings, lambda: worklist.labels() if raw else None)
    name = raw.name if raw else ""
    return Served(models, worklist, store, settings, Target(output, raw), uploads, name)


@contextmanager
def _beside(served: Served, reporter: Reporter) -> Iterator[None]:
    """Warm the first model, and close images that nobody has open any more, in threads."""
    ended = threading.Event()

    def prepare() -> None:
        if (fault := warm(served.models, served.models.first)) and not ended.is_set():
            reporter.say(fault)

    def look() -> None:
        while not ended.wait(_LOOK):
            served.store.close_expired()

    preparing, looking = (
        threading.Thread(target=work, name=f"viewer: {work.__name__}", daemon=True)
        for work in (prepare, look)
    )
    preparing.start()
    looking.start()
    try:
        yield
    finally:
        ended.set()
        served.models.thread.end()
        preparing.join(_LOADING)
        if preparing.is_alive():  # torch does not bear an interpreter that goes meanwhile
            reporter.say("ends as soon as its first model is loaded")
            preparing.join()


def _token() -> str:
    given = os.environ.get(TOKEN_VARIABLE)
    if given is not None and not _TOKEN.fullmatch(given):
        raise RequestError(
            f"the variable {TOKEN_VARIABLE} cannot be the token of a server",
            expected="16 to 128 letters, digits, '_' or '-'",
        )
    return given or secrets.token_urlsafe(24)


def _has_screen() -> bool:
    """Whether a browser would be seen: not one for terminals, and not in a container."""
    if in_image():
        return False
    graphical = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform in ("win32", "darwin") or bool(graphical)


def describe_scans(entries: Sequence[WorklistEntry]) -> str:
    """Say how many scans there are, and of those that cannot be opened the first, with why."""
    said = counted(len(entries), "scan")
    if unusable := [entry for entry in entries if entry.problem]:
        first = unusable[0]
        said += f", {len(unusable)} of which cannot be opened: {first.name}: {first.problem}"
        said += " (and others)" if len(unusable) > 1 else ""
    return said


def describe(addresses: Addresses, host: str) -> list[str]:
    """Return what is said at the start."""
    lines = [
        f"open in a browser: {addresses.page}",
        f"server address for MONAI Label in 3D Slicer: {addresses.slicer}",
    ]
    if host in _EVERYWHERE:
        lines.append("from other machines: with the name or address of this one for 127.0.0.1")
    return lines


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError) as error:
        raise RequestError("is no address of this machine", field="host", value=host) from error
    # asyncio sends at once only where the protocol is said: else each answer waits for 40 ms
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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
    if host in _EVERYWHERE:
        shown = "127.0.0.1"
    if ":" in shown:
        shown = f"[{shown}]"
    base = f"http://{shown}:{port}"
    return Addresses(f"{base}/{token}/", f"{base}/monai/{token}")


def _is_loopback(host: str) -> bool:
    with suppress(OSError):
        return socket.gethostbyname(host).startswith("127.")
    return False
