"""Which trained model a stage uses, by what its user calls it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interactivenet.datasets.roots import Roots, check_task_name
from interactivenet.errors import RequestError
from interactivenet.models.bundle import BUNDLE, read_bundle
from interactivenet.models.finding import find_model, model_folder
from interactivenet.models.model import Model
from interactivenet.models.task_model import model_of_task
from interactivenet.pipeline.reporting import SILENT, Reporter, loading
from interactivenet.pipeline.select import check_choice

#: what ``model`` says of a task: which of its own is meant, or nothing
OF_TASK = (None, "deployed", "own")


@contextmanager
def chosen_model(
    roots: Roots, task: str | None, model: str | Path | None, reporter: Reporter = SILENT
) -> Iterator[Model]:
    """Give the model that is asked for; it may be there only inside.

    reporter: is told what is loaded before anything is: that may take a minute on a slow disk.
    model: 'deployed' or 'own', of the task; the name of an installed model; the folder or the zip
    of one; 'starter'; or None, for the only one of the task.
    Raises RequestError where it is not clear which is meant, or there is none, and DataError where
    it cannot be used.
    """
    of_task = None if model is None else os.fspath(model)
    if task is None and of_task in OF_TASK:
        raise RequestError(
            field="task", expected="the name of a task, or a model of its own with `model`"
        )
    if task is not None:
        check_task_name(task)
    if task is not None and of_task in OF_TASK:
        deployed = roots.results / "models" / task
        own = of_task == "own" or (of_task is None and not (deployed / BUNDLE).is_file())
        reporter.say(loading(f"the model of {task}", roots.results / task if own else deployed))
        trained = model_of_task(roots, task, of_task)
        if trained.weights[0].is_relative_to(roots.results / task):  # its own folds
            check_choice(roots, task)
        yield trained
        return
    reporter.say(loading(f"model {of_task}", find_model(model or "", roots)))
    with model_folder(model or "", roots) as folder:
        yield read_bundle(folder)
