"""The model of a task: deployed, or its own folds."""

from __future__ import annotations

from pathlib import Path

from interactivenet.datasets.roots import Roots, check_task_name
from interactivenet.errors import RequestError
from interactivenet.models.bundle import BUNDLE, read_bundle
from interactivenet.models.model import Model, own_model


def _own_alone(roots: Roots, task: str) -> Model:
    """Return a task's own model; without any fold, the error says how to get another's."""
    try:
        return own_model(roots, task)
    except RequestError as error:
        if any((roots.results / task).glob("fold_*")):
            raise
        raise RequestError(
            f"{error}; for a model that others trained, run `download_model(model=...)` or"
            " `install_model(file=...)`"
        ) from error


def model_of_task(roots: Roots, task: str, model: str | None = None) -> Model:
    """Return the model that is asked for, or the only one of a task.

    model: 'deployed' (``models/TASK`` of the results), 'own' (the task's finished folds), a
    bundle's folder, or None. Where both are there and their weights differ, none is preferred:
    raises RequestError, as where there is no model.
    """
    check_task_name(task)
    folder = roots.results / "models" / task
    if model == "own":
        return own_model(roots, task)
    if model is not None:
        return read_bundle(folder if model == "deployed" else Path(model))
    if not (folder / BUNDLE).is_file():
        return _own_alone(roots, task)
    deployed = read_bundle(folder)
    try:
        own = own_model(roots, task)
    except RequestError:  # not here: a bundle needs no task
        return deployed
    if not own.is_same(deployed):
        is_student = deployed.distilled_from == own.digests
        folds = (
            "the trained folds that it was distilled from"
            if is_student
            else ("different trained folds")
        )
        raise RequestError(
            f"{task} has both a deployed model in {folder} and {folds} in {roots.results / task}",
            remedy="choose one with `model='deployed'` or `model='own'`",
        )
    return deployed
