"""Deploying: a task's trained folds become a bundle, and a zip to hand on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.statistics import summarise
from interactivenet.models.bundle import (
    BUNDLE,
    CARD,
    bundle_content,
    read_bundle,
    read_description,
    write_bundle,
)
from interactivenet.models.model import CHOICE, Model, read_choice
from interactivenet.models.model_card import render_card
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.system.files import read_object, replacing_folder, write_bytes

#: of the fingerprint, what a model card tells; numbers only, no case is named
_MEASURED = ("spacing_mm", "shape", "object_mm", "volume_ml")

#: of a bundle, what only tells who wrote it
_OF_WRITER = ("version", "libraries", "digest")


def describe(roots: Roots, model: Model, description: str = "") -> dict[str, Any]:
    """Say what a task's model was trained on and how it did, without the name of any case.

    Raises RequestError where its cross-validation is not there.
    """
    task = model.plan.task
    planned = PlannedTask.load(roots.processed_task(task))
    path = roots.results / task / CHOICE
    if not path.exists():
        raise RequestError(
            f"{path}: does not exist: run 'interactivenet postprocess -t {task}' first"
        )
    fingerprint = planned.fingerprint
    facts = read_object(model.weights[0].with_suffix(".json"))
    found = summarise(read_choice(path)["objects"])
    return {
        "description": description or None,
        "training": {
            "cases": fingerprint["cases"],
            "objects": fingerprint["prompts"],
            "folds": len(planned.splits),
            "epochs": facts.get("epochs"),
            **{name: fingerprint[name] for name in _MEASURED},
        },
        "cross_validation": {
            **found["all"], "labels": found["labels"], "subtypes": found["subtypes"],
        },
    }  # fmt: skip


@dataclass(frozen=True)
class Deployed:
    """What became of a bundle.

    changed: False where just that was there.  aside: where files of the one before are kept that
    it does not have: a card that a person had completed, and what is no part of a bundle.
    """

    changed: bool
    aside: tuple[Path, ...] = ()


def deploy(model: Model, folder: Path, about: Mapping[str, Any], aside: Path) -> Deployed:
    """Write a model's bundle in place of what is in ``folder``.

    A description is kept where ``about`` has none.  aside: folder for what would be lost.
    """
    before: dict[str, Any] = {}
    with suppress(DataError, RequestError):
        before = read_description(folder)
    if before and not about["description"]:
        about = {**about, "description": before["description"]}
    content = bundle_content(model, about)
    with suppress(DataError, RequestError):
        read_bundle(folder)  # its weights are whole
        if all(before[name] == content[name] for name in content if name not in _OF_WRITER):
            return Deployed(False)
    kept = _set_aside(folder, before, aside)
    with replacing_folder(folder) as temporary:
        write_bundle(model, temporary, about)
    return Deployed(True, kept)


def _set_aside(folder: Path, before: Mapping[str, Any], aside: Path) -> tuple[Path, ...]:
    """Copy what a new bundle would not have out of the folder of the old one."""
    if not folder.is_dir():
        return ()
    own = {BUNDLE, *before.get("weights", ())}
    if before and (folder / CARD).exists():
        written = render_card(before)
        own |= {CARD} if (folder / CARD).read_text(encoding="utf-8") == written else set()
    found = [path for path in sorted(folder.iterdir()) if path.name not in own and path.is_file()]
    for path in found:
        write_bytes(aside / path.name, path.read_bytes())
    return tuple(aside / path.name for path in found)
