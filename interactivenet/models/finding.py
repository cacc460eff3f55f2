"""Finding a trained model by what a user calls it."""

from __future__ import annotations

from pathlib import Path

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models.unpacking import visible
from interactivenet.system.names import name_fault, printable


def find_model(name: str | Path, roots: Roots) -> Path:
    """Return the folder, or the zip, of a model; whether it can be used is seen when it is read.

    name: a path to either, or the name of an installed model. Raises RequestError, naming those
    that are installed, where there is none.
    """
    if Path(name).exists():
        return Path(name)
    models = roots.results / "models"
    if not name_fault(str(name)) and (models / name).is_dir():
        return models / name
    there = [path.name for path in visible(models) if path.is_dir()] if models.is_dir() else []
    raise RequestError(
        f"there is no model '{printable(str(name)[:100])}'",
        expected=f"the folder or the zip of a model, or one that is installed in {models}:"
        f" {', '.join(there) or 'none'}",
    )
