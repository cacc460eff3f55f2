"""What 3D Slicer's module reads when it connects: the models, the labels, how far one has come."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interactivenet import __version__
from interactivenet.prompts.prompt import MARGIN_POINTS

if TYPE_CHECKING:
    from interactivenet.viewer.sessions.served_models import OfferedModel
    from interactivenet.viewer.worklist.strategies import Strategy
    from interactivenet.viewer.worklist.worklist import WorklistEntry

#: what cannot be in the name of a model, which becomes a part of an address
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def address_names(models: Sequence[OfferedModel]) -> dict[str, OfferedModel]:
    """Return the models by a name of letters, digits, '_' and '-' each, in their order."""
    named: dict[str, OfferedModel] = {}
    for model in models:
        plain = _UNSAFE.sub("_", model.name) or "model"
        name, number = plain, 1
        while name in named:
            number += 1
            name = f"{plain}_{number}"
        named[name] = model
    return named


def describe_server(
    models: Mapping[str, OfferedModel],
    task_labels: Sequence[str],
    strategies: Sequence[Strategy],
    entries: Sequence[WorklistEntry],
) -> dict[str, Any]:
    """Return what MONAI Label's ``/info/`` says.

    models: by their names in addresses.  task_labels: of the task that is annotated, if any; models
    of any object are asked for these.  strategies: the one to begin with first.  entries: of the
    worklist.
    """
    labels = dict.fromkeys(task_labels)
    for model in models.values():
        if not (model.is_open and task_labels):
            labels |= dict.fromkeys(model.labels.values())
    return {
        "name": "InteractiveNet",
        "description": f"{MARGIN_POINTS} points just inside an object's extremes, then corrections",
        "version": __version__,
        "labels": list(labels),
        "models": {name: _describe(model) for name, model in models.items()},
        "trainers": {},
        "strategies": {
            strategy.name: {"description": strategy.description} for strategy in strategies
        },
        "scoring": {},
        "train_stats": {},
        "datastore": {
            "total": len(entries),
            "completed": sum(entry.status == "outlined" for entry in entries),
        },
    }


def _describe(model: OfferedModel) -> dict[str, Any]:
    known = "objects of any name" if model.is_open else ", ".join(model.labels.values())
    return {
        "type": "deepgrow",  # of three dimensions: it is sent foreground and background points
        # of an image that comes with Next Sample, the module asks any model that lists a label for
        # a segmentation without points, which fails: no model lists any
        "labels": [],
        "dimension": 3,
        "description": f"{model.title} ({known})",
        # offered among the module's options: the first is the default
        "config": {"quality": ["full", "quick"]},
    }
