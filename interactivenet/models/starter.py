"""The starter: a model of any object and any modality that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from interactivenet.errors import RequestError

#: what it is called wherever a model is asked for
STARTER = "starter"
#: its bundle, a part of the package
FOLDER = Path(str(files("interactivenet"))) / "models" / STARTER


def has_starter() -> bool:
    """Whether this installation has the starter."""
    return (FOLDER / "bundle.json").is_file()


def starter_folder() -> Path:
    """Return the folder of the starter's bundle; raises RequestError where it is not installed."""
    if not has_starter():
        raise RequestError(
            f"this installation has no starter model: {FOLDER} holds no bundle.json",
            remedy="install InteractiveNet again, or use another model",
        )
    return FOLDER
