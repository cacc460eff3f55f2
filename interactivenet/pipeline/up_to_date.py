"""What a stage stands on, compared at its start: nothing that is out of date is taken for current.

From below: the files of the raw task <- the regions of the plan (here) <- the weights of a fold
(models/fold_results.py) <- their validation, and the choice made of it (select.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError, RequestError
from interactivenet.models.fold_results import FoldResults
from interactivenet.pipeline.reporting import Reporter, counted
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.sources import Sources

#: of a plan, what follows from the rest or says least
_DERIVED = ("version", "estimated_gb")
#: so many changes are named where more are meant
_NAMED = 3


def check_sources(roots: Roots, planned: PlannedTask, reporter: Reporter) -> None:
    """Raise RequestError where files of the raw task have changed since it was planned.

    Named are what has changed and the command that takes it in. Where the raw task is not there,
    which training without validation and deploying can do without, that is said instead.
    """
    folder = roots.raw / planned.name
    if not (folder / "dataset.json").exists():
        reporter.say(
            f"{folder}: is not there, so that its files were not compared with those of the plan"
        )
        return
    changes = Sources(Task.load(folder), planned.folder).changes(planned)
    if not changes:
        return
    named = ", ".join(changes[:_NAMED])
    more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    trained = trained_epochs(roots.results / planned.name, len(planned.splits))
    again = f"`plan(task={planned.name!r})`"
    if trained:
        again = (
            f"`plan(task={planned.name!r}, overwrite=True)`, then"
            f" `train(task={planned.name!r}, fold='all', overwrite=True)`"
        )
    raise RequestError(
        f"{planned.path}: is out of date: since it was planned, {named}{more} changed",
        remedy=f"undo that, or run {again} with the options of before",
    )


def lost_training(roots: Roots, planned: PlannedTask, task: Task, hashes: Mapping[str, str]) -> str:
    """Say what a new plan changes, and which trained folds that costs; '' where it costs none.

    planned: the new one.  hashes: SHA-256 of the files of the raw task as they are now.
    """
    try:
        before = PlannedTask.load(planned.folder)
    except (DataError, RequestError):  # none, or none that any fold could be used with
        return ""
    results = roots.results / planned.name
    trained = {
        number: epochs
        for number, epochs in trained_epochs(results, len(before.splits)).items()
        if _is_current(before, FoldResults(results, number))
    }
    if not trained:
        return ""
    changes = _differences(before.plan, planned.plan)
    if before.splits != planned.splits:
        changes.append("the folds")
    changes += Sources(task, planned.folder, hashes).changes(before)
    if not changes:
        return ""
    more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    return (
        f"{before.path}: would be replaced by a plan that differs in {', '.join(changes[:_NAMED])}"
        f"{more}, so that what is trained in {results} is lost: {describe_epochs(trained)}"
    )


def _is_current(planned: PlannedTask, results: FoldResults) -> bool:
    """Whether a fold was trained by a plan, as far as its weights say."""
    try:
        results.check_current(planned, "best")
    except (DataError, RequestError):
        return False
    return True


def _differences(before: Plan, now: Plan) -> list[str]:
    """Name what a plan decides otherwise than another, numbers with their values."""
    old, new = ({**asdict(plan), "notes": ()} for plan in (before, now))
    changed = [name for name, value in old.items() if new[name] != value]
    return [
        f"{name} ({_text(new[name])} instead of {_text(old[name])})" if _text(old[name]) else name
        for name in sorted(changed, key=lambda name: name in _DERIVED)
    ]


def _text(value: Any) -> str:
    """Write a number, a name, or a few of them; '' for what is more."""
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple) and all(isinstance(part, (int, float)) for part in value):
        return "x".join(_text(part) for part in value)
    return ""


def trained_epochs(results: Path, folds: int) -> dict[int, int]:
    """Return the folds in a task's results that are trained, in part or whole: number -> epochs."""
    epochs = {number: FoldResults(results, number).epochs for number in range(folds)}
    return {number: count for number, count in epochs.items() if count is not None}


def describe_epochs(trained: dict[int, int]) -> str:
    """Say which folds are trained for how long: 'fold 0 (500 epochs), fold 1 (37 epochs)'."""
    return ", ".join(f"fold {number} ({counted(n, 'epoch')})" for number, n in trained.items())
