"""A task's test cases, and where their predictions are."""

from __future__ import annotations

from pathlib import Path

from interactivenet.errors import RequestError
from interactivenet.task import Case, Roots, Task

PREDICTIONS, ENSEMBLE, EVALUATION = "predictions", "ensemble", "evaluation"


def read_test_set(roots: Roots, task: str) -> tuple[Case, ...]:
    """Return the test cases of a task; raises RequestError where there is none with points."""
    found = Task.load(roots.raw_task(task))
    if not found.test:
        raise RequestError(
            f"{found.folder}: dataset.json lists no test cases: expected images in imagesTs"
            " ('interactivenet dataset' lists them, 'interactivenet infer' takes any folder)"
        )
    if not any(case.interaction for case in found.test):
        raise RequestError(
            f"{found.folder}: no test case has points: expected them in interactionsTs"
            f" ('interactivenet simulate -t {task}' makes them where there are labels)"
        )
    return found.test


def predictions_folder(roots: Roots, task: str, fold: int | None) -> Path:
    """Return the folder of the predictions of a fold, or of the ensemble (None)."""
    name = ENSEMBLE if fold is None else f"fold_{fold}"
    return roots.results / task / PREDICTIONS / name
