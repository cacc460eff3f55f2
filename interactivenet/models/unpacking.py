"""The model in a zip or a folder that somebody gave: unpacked where it is to be installed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.archives import unzip
from interactivenet.system.files import read_json

#: an installation works in a folder of this name; one that is older, s, was killed
_SCRATCH, _STALE = ".installing-", 6 * 3600.0
#: of a folder, what operating systems leave there
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}


def is_legacy(folder: Path) -> bool:
    """Whether the folder holds a model of the original program."""
    content: Any = None
    with suppress(DataError):
        content = read_json(folder / "plans.json")
    return isinstance(content, dict) and "Fingerprint" in content


@contextmanager
def unpacked(path: Path, models: Path) -> Iterator[tuple[Path, Path]]:
    """Give the folder of a model, out of a zip or a folder in it, and a folder to work in.

    models: the folder of models, in which both are; they go away at the end.
    Raises DataError where there is no model, or the folder cannot be written.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=models)
    except OSError as error:
        raise DataError(f"{models}: cannot be written: {error.strerror or error}") from error
    with scratch:
        _sweep(models, Path(scratch.name))
        folder = path
        if not path.is_dir():
            # a name that a conversion may go by
            folder = Path(scratch.name) / (path.stem.strip(".") or "model")
            folder.mkdir()
            unzip(path, folder)
        if not _holds_model(folder):
            inside = visible(folder)
            if len(inside) != 1 or not _holds_model(inside[0]):
                names = ", ".join(item.name for item in inside[:4]) or "nothing"
                raise DataError(f"{path}: holds {names}, expected a model: bundle.json and weights")
            folder = inside[0]
        yield folder, Path(scratch.name)


def _sweep(models: Path, own: Path) -> None:
    """Remove what installations that were killed have left."""
    for folder in models.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if folder != own and time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)


def _holds_model(folder: Path) -> bool:
    return (folder / "bundle.json").is_file() or is_legacy(folder)


def visible(folder: Path) -> list[Path]:
    """Return what lies in a folder, but for hidden files and junk, sorted."""
    paths = (path for path in folder.iterdir() if path.name[0] != "." and path.name not in _JUNK)
    return sorted(paths)
