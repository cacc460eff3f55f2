"""``interactivenet models``: list, download, install, show and remove pretrained models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interactivenet.cli.base import Command, LazyGroup, results_option
from interactivenet.cli.folders import DataPath

if TYPE_CHECKING:
    from interactivenet.models.download import Progress

_HERE = "interactivenet.cli.models:"
_COMMANDS = {
    "list": (f"{_HERE}list_models", "List the models here, and those that can be downloaded."),
    "download": (f"{_HERE}download", "Download and install a published model."),
    "install": (f"{_HERE}install", "Install a model that 'deploy' wrote, from its zip or folder."),
    "show": (f"{_HERE}show", "Show the details and the card of a model."),
    "remove": (f"{_HERE}remove", "Remove an installed model."),
    "convert": (
        "interactivenet.cli.models_convert:convert",
        "Convert a model of the original program (0.2.x).",
    ),
}
#: of a download, between two lines of a log
_STEP = 0.1
_name = click.option(
    "--name", metavar="TaskXXX_NAME", help="Name to install the model under, instead of its task's."
)
_overwrite = click.option(
    "--overwrite", is_flag=True, help="Replace an installed model of the same name."
)


@click.group("models", cls=LazyGroup, commands_at=_COMMANDS)
def models() -> None:
    """Manage pretrained models, which 'interactivenet infer --model NAME' uses."""


@click.command("list", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@results_option.with_access("reads")
def list_models(as_json: bool, results: Path | None) -> None:
    """List the models that are built in or installed, and those that can be downloaded.

    Needs no network.
    """
    from interactivenet.cli.models_shown import listed_json, show_list
    from interactivenet.cli.reporting import say

    folder = _folder(results)
    if as_json:
        say(listed_json(folder))
    else:
        show_list(folder)


@click.command("download", cls=Command)
@click.argument("model", metavar="NAME|URL", required=False)
@click.option("-t", "--task", metavar="NAME", help="Same as the argument NAME|URL.")
@click.option(
    "--checksum", metavar="sha256:HEX", help="Checksum that the zip must have; md5:HEX also works."
)
@_name
@_overwrite
@results_option
def download(
    model: str | None,
    task: str | None,
    checksum: str | None,
    name: str | None,
    overwrite: bool,
    results: Path | None,
) -> None:
    """Download a published model, or the zip at an address, check it, and install it.

    An interrupted download continues when the command is run again. Models of the original
    program are converted.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.models import download_model

    if model and task:
        raise click.UsageError("Give NAME or -t, not both.")
    wanted = model or task
    if not wanted:
        raise click.UsageError("Missing argument 'NAME|URL' ('models list' shows the names).")
    with _progress(wanted) as progress:
        download_model(
            wanted, checksum=checksum, name=name, overwrite=overwrite,
            roots=Roots.choose(results=results), reporter=Terminal(), progress=progress,
        )  # fmt: skip


@click.command("install", cls=Command)
@click.argument("file", type=DataPath("reads", exists=True))
@_name
@_overwrite
@results_option
def install(file: Path, name: str | None, overwrite: bool, results: Path | None) -> None:
    """Check a model, a zip or a folder, and install it as models/TASK in the results folder."""
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.models import install_model

    install_model(
        file, name=name, overwrite=overwrite, roots=Roots.choose(results=results),
        reporter=Terminal(),
    )  # fmt: skip


@click.command("show", cls=Command)
@click.argument("name")
@results_option.with_access("reads")
def show(name: str, results: Path | None) -> None:
    """Show the details of a model, and its model card."""
    from interactivenet.cli.models_shown import show_model

    show_model(_folder(results), name)


@click.command("remove", cls=Command)
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@results_option
def remove(name: str, yes: bool, results: Path | None) -> None:
    """Remove an installed model."""
    from interactivenet.cli.models_shown import in_words
    from interactivenet.cli.reporting import say
    from interactivenet.errors import RequestError
    from interactivenet.models.registry import find_removable
    from interactivenet.models.registry import remove as remove_model

    folder = _folder(results)
    local = find_removable(folder, name)
    if not yes:
        if not _can_ask():
            raise RequestError(
                f"{local.folder}: cannot ask for confirmation here: add --yes to remove it"
            )
        if not click.confirm(f"Remove {local.folder} ({in_words(local.size)})?"):
            say(f"{local.folder}: kept")
            return
    remove_model(folder, name)
    say(f"{local.folder}: removed")


def _folder(results: Path | None) -> Path:
    from interactivenet.datasets.roots import Roots

    return Roots.choose(results=results).results / "models"


def _can_ask() -> bool:
    return sys.stdin.isatty()


@contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """Show how a download gets on: a bar, or a line per tenth in a log."""
    from interactivenet.cli.models_shown import in_words
    from interactivenet.cli.reporting import console, say

    out = console()
    if out.is_terminal:
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
        with Bar(*columns, TransferSpeedColumn(), console=out, transient=True) as bar:
            task = bar.add_task(name, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    last_step = -1

    def tell(done: int, total: int | None) -> None:
        nonlocal last_step
        # without a total, every 100 MB
        step = int(done / total / _STEP) if total else done // 10**8
        if step > last_step:
            last_step = step
            say(f"{name}: {in_words(done)}" + (f" of {in_words(total)}" if total else ""))

    yield tell
