"""Deploying: a task's trained folds become a bundle, and a zip to hand on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from interactivenet.bundle import BUNDLE, bundle_content, read_bundle, write_bundle
from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.summary import summarise
from interactivenet.io.atomic import read_json, read_object
from interactivenet.io.folders import replacing_folder
from interactivenet.model import CHOICE, Model, read_choice
from interactivenet.plan import read_plans
from interactivenet.task import Roots
from interactivenet.training.fold import PLANS

#: of the fingerprint, what a model card tells; numbers only, no case is named
_MEASURED = ("spacing_mm", "shape", "object_mm", "volume_ml")


def describe(roots: Roots, model: Model, description: str = "") -> dict[str, Any]:
    """Say what a task's model was trained on and how it did, without the name of any case.

    Raises RequestError where its cross-validation is not there.
    """
    task = model.plan.task
    plans = read_plans(roots.processed_task(task) / PLANS)
    path = roots.results / task / CHOICE
    if not path.exists():
        raise RequestError(
            f"{path}: does not exist: run 'interactivenet postprocess -t {task}' first"
        )
    fingerprint = plans["fingerprint"]
    facts = read_object(model.weights[0].with_suffix(".json"))
    found = summarise(read_choice(path)["objects"])
    return {
        "description": description or None,
        "training": {
            "cases": fingerprint["cases"],
            "objects": fingerprint["prompts"],
            "folds": len(plans["splits"]),
            "epochs": facts.get("epochs"),
            **{name: fingerprint[name] for name in _MEASURED},
        },
        "cross_validation": {
            **found["all"], "labels": found["labels"], "subtypes": found["subtypes"],
        },
    }  # fmt: skip


def deploy(model: Model, folder: Path, about: Mapping[str, Any]) -> bool:
    """Write a model's bundle in place of what is in ``folder``; False where it is just that."""
    with suppress(DataError, RequestError):
        read_bundle(folder)  # its weights are whole
        if read_json(folder / BUNDLE) == bundle_content(model, about):
            return False
    with replacing_folder(folder) as temporary:
        write_bundle(model, temporary, about)
    return True
