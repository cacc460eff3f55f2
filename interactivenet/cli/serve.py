"""``interactivenet serve``: a viewer in the browser."""

from __future__ import annotations

import os
from pathlib import Path

import click

from interactivenet.cli.base import Command, Number, max_gb_option, raw_option, results_option
from interactivenet.cli.folders import DataPath
from interactivenet.system.mounts import in_image

#: where Apptainer says what it runs: a container that shares the network of its host
_SHARED_NETWORK = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")


def _own_address() -> str:
    """Return what to listen on: in a container of Docker all, as the published port leads there."""
    published = in_image() and not any(name in os.environ for name in _SHARED_NETWORK)
    return "0.0.0.0" if published else "127.0.0.1"


@click.command("serve", cls=Command)
@click.argument("folders", nargs=-1, type=DataPath("reads"), metavar="[FOLDER]...")
@click.option("-t", "--task", metavar="TaskXXX_NAME",
              help="Raw task to annotate; made of FOLDER's scans if there is none.")  # fmt: skip
@click.option("--model", metavar="NAME|PATH",
              help="Model to begin with: 'starter', an installed one, or the folder of one."
              "  [default: starter]")  # fmt: skip
@click.option("-o", "--output", type=DataPath("writes", file_okay=False), metavar="FOLDER",
              help="Folder for what is saved.  [default: it is downloaded]")  # fmt: skip
@click.option("--host", default=_own_address, metavar="ADDRESS",
              help="Address to listen on; 0.0.0.0 for all of this machine."
              "  [default: 127.0.0.1; in a container of Docker 0.0.0.0]")  # fmt: skip
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535),
              help="Port to listen on; 0 for any that is free.")  # fmt: skip
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME",
              help="Further name by which browsers call this server, such as a proxy's. Repeat the"
              " option for several.")  # fmt: skip
@click.option("--browser/--no-browser", default=True, show_default=True,
              help="Open the page in a browser.")  # fmt: skip
@click.option("--uploads/--no-uploads", default=True, show_default=True,
              help="Take images that are sent by the page or by 3D Slicer.")  # fmt: skip
@click.option("--max-upload-gb", default=2.0, show_default=True, type=Number(min=0, min_open=True),
              help="GB of one upload, at most.")  # fmt: skip
@click.option("--sessions", default=16, show_default=True, type=click.IntRange(min=1),
              help="Scans that may be open at once, by all users together.")  # fmt: skip
@click.option("--idle-minutes", default=120.0, show_default=True,
              type=Number(min=0, min_open=True),
              help="Close a scan that nobody has worked on for so long.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
              show_default=True,
              help="Device to segment on; auto: a GPU if available.")  # fmt: skip
@raw_option.with_access(lambda options: "writes" if options["task"] else "ignores")
@results_option.with_access("ignores")
@max_gb_option
def serve(
    folders: tuple[Path, ...],
    task: str | None,
    model: str | None,
    output: Path | None,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    browser: bool,
    uploads: bool,
    max_upload_gb: float,
    sessions: int,
    idle_minutes: float,
    device: str,
    raw: Path | None,
    results: Path | None,
) -> None:
    """Serve a viewer in the browser: six points, an outline, corrections.

    FOLDER: images to annotate, a raw task, or a tree of DICOM studies.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.viewer.server import serve as run_server
    from interactivenet.viewer.settings import ViewerSettings

    run_server(
        folders,
        task=task,
        host=host,
        port=port,
        hosts=hosts,
        browser=browser,
        model=model,
        output=output,
        device=device,
        settings=ViewerSettings(
            uploads=uploads, upload_gb=max_upload_gb, sessions=sessions, idle_minutes=idle_minutes
        ),
        roots=Roots.choose(raw=raw, results=results),
        reporter=Terminal(),
    )
