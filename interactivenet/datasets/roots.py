"""Where tasks are: the folders of all of them, their names, and what must not be written to."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from interactivenet.errors import RequestError
from interactivenet.system.files import resolved
from interactivenet.system.names import name_fault

#: folders of a task's results
PREDICTIONS, ENSEMBLE, EVALUATION = "predictions", "ensemble", "evaluation"
#: what a raw task's folder holds, by which it is known
_RAW_FOLDERS = tuple(
    f"{kind}{subset}" for kind in ("images", "labels", "interactions") for subset in ("Tr", "Ts")
)
_NAME = re.compile(r"Task\d{3}_[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Roots:
    """The three folders that hold all tasks: raw, processed and results."""

    raw: Path
    processed: Path
    results: Path

    def __post_init__(self) -> None:
        for name in ("raw", "processed", "results"):  # which may be given as text
            object.__setattr__(self, name, Path(getattr(self, name)))

    @staticmethod
    def choose(
        raw: Path | None = None, processed: Path | None = None, results: Path | None = None
    ) -> Roots:
        """Take what is given, else ``interactivenet_raw`` etc., else ./data and ./results."""

        def root(given: Path | None, variable: str, default: str) -> Path:
            return given or Path(os.environ.get(variable) or default)

        return Roots(
            root(raw, "interactivenet_raw", "data/raw"),
            root(processed, "interactivenet_processed", "data/processed"),
            root(results, "interactivenet_results", "results"),
        )

    def new_task(self, name: str) -> Path:
        """Return the raw folder of a task that is about to be made.

        Raises RequestError where the name is not of the form TaskXXX_NAME or is taken.
        """
        check_task_name(name)
        folder = self.raw / name
        if folder.exists():
            raise RequestError(
                f"{folder} exists: choose another task name, remove it first, or check it with"
                f" `check_dataset(task={name!r})`"
            )
        return folder

    def raw_task(self, name: str) -> Path:
        """Return the raw folder of a task; raises RequestError naming the tasks that exist."""
        return _existing(
            self.raw,
            name,
            "set `raw` or the variable interactivenet_raw to the folder of raw tasks",
        )

    def processed_task(self, name: str) -> Path:
        """Return the processed folder of a task; raises RequestError naming those that exist."""
        advice = (
            f"run `plan(task={name!r})` first, or set `processed` or the variable"
            " interactivenet_processed to the folder of planned tasks"
        )
        return _existing(self.processed, name, advice)


def _existing(root: Path, name: str, advice: str) -> Path:
    check_task_name(name)
    folder = root / name
    if not folder.is_dir():
        names = sorted(path.name for path in root.glob("Task*") if path.is_dir())
        tasks = f"tasks there: {', '.join(names)}" if names else "no tasks there"
        raise RequestError(f"task {name} does not exist in {root} ({tasks}); {advice}")
    return folder


def check_task_name(name: str) -> None:
    """Raise RequestError unless the name has the form TaskXXX_NAME."""
    if name_fault(name) or not _NAME.fullmatch(name):
        told = name if len(name) <= 100 else f"{name[:100]}..."
        raise RequestError(
            f"task name '{told}': expected TaskXXX_NAME, such as Task101_LIVER (three digits,"
            " then letters, digits, '_', '-' or '.')"
        )


def check_no_raw_task(folder: Path, field: str = "output", but: Collection[str] = ()) -> None:
    """Raise RequestError where results would be written into a raw task: it is somebody's data.

    field: the parameter that names the folder, or a file.  but: folders of a task in which files
    may be written all the same.
    """
    whole = resolved(folder)
    places = (whole, *whole.parents)
    if whole.parent.name in but:
        places = places[3:]  # not the file, its folder, nor the task: what that is in, if anything
    for place in places:
        inside = place.parent if place.name in _RAW_FOLDERS else None
        if any((place / name).is_dir() for name in _RAW_FOLDERS):
            inside = place
        if inside:
            raise RequestError(
                f"is inside the raw task {inside}, whose files results must not mix with",
                field=field,
                value=folder,
                expected="another folder",
            )


def predictions_folder(roots: Roots, task: str, fold: int | None) -> Path:
    """Return the folder of the predictions of a fold, or of the ensemble (None)."""
    name = ENSEMBLE if fold is None else f"fold_{fold}"
    return roots.results / task / PREDICTIONS / name
