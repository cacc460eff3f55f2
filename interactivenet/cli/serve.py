"""``interactivenet serve``: a viewer in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Command, max_gb_option, raw_option, results_option
from interactivenet.cli.folders import DataPath


@click.command("serve", cls=Command)
@click.argument("folders", nargs=-1, type=DataPath("reads"), metavar="[FOLDER]...")
@click.option("-t", "--task", metavar="TaskXXX_NAME", help="Raw task to annotate.")
@click.option("--model", metavar="NAME|PATH", help="Model to begin with.  [default: starter]")
@click.option("-o", "--output", type=DataPath("writes", file_okay=False), metavar="FOLDER",
              help="Folder for what is saved.  [default: it is downloaded]")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Address to listen on; 0.0.0.0 for all of this machine.")  # fmt: skip
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535),
              help="Port to listen on; 0 for any that is free.")  # fmt: skip
@click.option("--browser/--no-browser", default=True, show_default=True,
              help="Open the page in a browser.")  # fmt: skip
@click.option("--uploads/--no-uploads", default=True, show_default=True,
              help="Take images that are sent by the page or by 3D Slicer.")  # fmt: skip
@raw_option.with_access("ignores")
@results_option.with_access("ignores")
@max_gb_option
def serve(
    folders: tuple[Path, ...],
    task: str | None,
    model: str | None,
    output: Path | None,
    host: str,
    port: int,
    browser: bool,
    uploads: bool,
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
        browser=browser,
        model=model,
        output=output,
        settings=ViewerSettings(uploads=uploads),
        roots=Roots.choose(raw=raw, results=results),
        reporter=Terminal(),
    )
