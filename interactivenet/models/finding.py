"""A model by what a user calls it: the starter, an installed one, a folder or a zip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models.bundle import BUNDLE
from interactivenet.models.starter import STARTER, has_starter, starter_folder
from interactivenet.models.unpacking import unpacked, visible
from interactivenet.system.names import name_fault, printable

#: so many installed models are named where more are meant
_NAMED = 8


def find_model(name: str | Path, roots: Roots, field: str = "model") -> Path:
    """Return the folder of a model's bundle, or the path of its zip.

    name: the text 'starter', the name of a model in ``models`` of the results, or a path. A name
    without a separator is that of an installed model where there is one, and a path otherwise.
    field: what the option is called that named it.
    Raises RequestError, naming the models that there are, where it is none of these, or where it is
    both an installed model and a folder with another.
    """
    if name == STARTER:
        return starter_folder()
    text, path = os.fspath(name), Path(name)
    installed = roots.results / "models" / text
    if not name_fault(text) and (installed / BUNDLE).is_file():
        if (path / BUNDLE).is_file() and not path.samefile(installed):
            raise RequestError(
                f"{text} is both a folder here and an installed model in {installed.parent}",
                field=field, remedy=f"use {os.curdir}{os.sep}{text} for the folder",
            )  # fmt: skip
        return installed
    if text and (path.is_file() or path.is_dir()):
        return path
    raise RequestError(
        f"there is no model '{printable(text[:100])}'", field=field,
        expected=f"the folder or zip of a bundle, or one of {_there(roots)}",
    )  # fmt: skip


@contextmanager
def model_folder(name: str | Path, roots: Roots, field: str = "model") -> Iterator[Path]:
    """Give the folder of a model's bundle; that of a zip is unpacked for as long.

    name, field: as for :func:`find_model`.  Raises as it does, and DataError where a zip holds no
    model.
    """
    path = find_model(name, roots, field)
    if path.is_dir():
        yield path
        return
    with (
        TemporaryDirectory(prefix="interactivenet-model-") as place,
        unpacked(path, Path(place)) as (folder, _),
    ):
        yield folder


def _there(roots: Roots) -> str:
    """Name the models that can be used by their names."""
    folder = roots.results / "models"
    names = [path.name for path in visible(folder)] if folder.is_dir() else []
    names = [name for name in names if (folder / name / BUNDLE).is_file()]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    built_in = [STARTER] if has_starter() else []
    return ", ".join([*built_in, *names[:_NAMED]]) + more or f"those in {folder}: none is there"
