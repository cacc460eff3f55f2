"""The models that a server offers, each loaded when it is first used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from interactivenet.datasets.modalities import is_any
from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models.registry import (
    LocalModel,
    built_in_models,
    describe_folder,
    local_models,
)
from interactivenet.prompts.prompt import OBJECT, LabelNames
from interactivenet.system.files import resolved
from interactivenet.viewer.sessions.network_thread import NetworkThread

if TYPE_CHECKING:
    from interactivenet.inference.predictor import Predictor


@dataclass(frozen=True)
class OfferedModel:
    """What the page says of a model, of its bundle without its weights.

    name: by which it is asked for.  folder: its bundle.
    """

    name: str
    folder: Path
    title: str
    labels: dict[int, str]
    modalities: tuple[str, ...]
    folds: int

    @property
    def is_open(self) -> bool:
        """Whether it segments objects of any name."""
        return is_any(self.modalities) and self.labels == {1: OBJECT}

    def as_json(self) -> dict[str, Any]:
        """Return it as the page reads it."""
        labels = {} if self.is_open else self.labels
        return {
            "name": self.name,
            "title": self.title,
            "labels": [{"value": value, "name": name} for value, name in labels.items()],
            "any_label": self.is_open,
            "modalities": list(self.modalities),
            "folds": self.folds,
        }


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model's networks.

    full: all folds, as a segmentation of new cases has them.  quick: the first fold, asked once;
    the same object where that is all there is.  thread: that asks them.
    """

    name: str
    quick: Predictor
    full: Predictor
    thread: NetworkThread

    @property
    def labels(self) -> LabelNames:
        """The labels that objects may have."""
        return self.full.plan.label_names


class ServedModels:
    """The models of ``models`` in the results, and the starter.

    first: name or path of the one to begin with.  device: as a :class:`Predictor` takes it.
    Raises RequestError where there is none, or not the one that is to be first.

    Attributes:
        offered: Those that can be used, the first one first.
        notes: Why others cannot.
        thread: That asks networks.
    """

    def __init__(self, roots: Roots, first: str | Path | None = None, device: str = "auto") -> None:
        from interactivenet.models.finding import find_model

        self._device = device
        self.thread = NetworkThread()
        self._loading = Lock()
        self._loaded: dict[str, LoadedModel] = {}
        there = [*built_in_models(), *local_models(roots.results / "models")]
        offered = [_offered(model) for model in there if model.description is not None]
        self.notes = [f"{model.folder}: {model.fault}" for model in there if model.fault]
        if first is not None:
            path = find_model(first, roots)
            if not path.is_dir():
                remedy = f"run `install_model(file={str(path)!r})` first"
                raise RequestError(f"{path}: is a zip", field="model", remedy=remedy)
            chosen = describe_folder(resolved(path))
            if chosen.description is None:
                raise RequestError(f"{path}: {chosen.fault}", field="model")
            # of two with one name, the one that was asked for
            others = [each for each in offered if each.name != chosen.name]
            offered = [_offered(chosen), *others]
        if not offered:
            raise RequestError(
                f"there is no model in {roots.results / 'models'}, and this installation has no"
                " starter",
                remedy="run `install_model(file=...)` with the file of one",
            )
        self.offered: Sequence[OfferedModel] = tuple(offered)

    @property
    def first(self) -> str:
        """Name of the model to begin with."""
        return self.offered[0].name

    def takes_any(self, name: str) -> bool:
        """Whether the model of this name takes images of any modality."""
        return any(each.name == name and is_any(each.modalities) for each in self.offered)

    def load(self, name: str) -> LoadedModel:
        """Return a model's networks, read at the first time.

        Raises RequestError where none has the name, DataError where it cannot be used.
        """
        from interactivenet.inference.predictor import Predictor
        from interactivenet.models.bundle import load_model

        offered = next((each for each in self.offered if each.name == name), None)
        if offered is None:
            names = ", ".join(each.name for each in self.offered)
            raise RequestError("there is no model of this name", expected=f"one of {names}")
        with self._loading:
            if name not in self._loaded:
                model = load_model(offered.folder)
                full = Predictor(model, device=self._device)
                quick = full
                if len(model.folds) > 1 or full.plan.is_mirrored:
                    one = model.fold(model.folds[0])
                    quick = Predictor(one, device=self._device, mirrored=False)
                self._loaded[name] = LoadedModel(name, quick, full, self.thread)
            return self._loaded[name]


def _offered(model: LocalModel) -> OfferedModel:
    content = model.description
    assert content is not None
    about = content.get("description") or content.get("task") or model.name
    return OfferedModel(
        os.fspath(model.name), model.folder, str(about),
        {int(value): str(name) for value, name in content["labels"].items()},
        tuple(map(str, content["modalities"])), len(content["weights"]),
    )  # fmt: skip
