"""Starting a training from the weights of another model: which of them fit, and taking them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import Module

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models.bundle import read_bundle
from interactivenet.models.finding import model_folder
from interactivenet.models.network import load_network
from interactivenet.models.start_saw import StartSaw, seen_images
from interactivenet.planning.decisions import CORRECTION_CHANNELS
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import Fold, read_fold

#: convolutions that see the channels of a sample
_INPUTS = ("input_block.conv1.conv.weight", "input_block.conv3.conv.weight")
#: names of weights that a message tells
_TOLD = 3


@dataclass(frozen=True, eq=False)
class Start:
    """The model that a training starts from.

    name: its task's.  file, sha256: its first file of weights, the only one that is used.
    plan: that it was trained by.  weights: by their names, float32.
    seen: the images that trained it; None where it does not say.  regions: digest of the fold that
    it was trained on, '' where it does not say.
    """

    name: str
    file: str
    sha256: str
    plan: Plan
    weights: Mapping[str, Tensor]
    seen: frozenset[str] | None = None
    regions: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """What identifies it, as JSON data."""
        return {"name": self.name, "file": self.file, "sha256": self.sha256}


@dataclass(frozen=True)
class Transfer:
    """Which weights of a network a start has given.

    left: those that it has not given.  channels: of the samples, those that it does not know.
    """

    taken: tuple[str, ...]
    left: tuple[str, ...]
    channels: tuple[str, ...] = ()

    def describe(self, start: Start) -> str:
        """Say in one line what was taken and what was not."""
        count = len(self.taken) + len(self.left)
        line = (
            f"starting from {start.name} ({start.file}): {len(self.taken)} of {count} weights taken"
        )
        new = [*(f"what is made of channel {name}" for name in self.channels), *self.left]
        if not new:
            return line
        more = len(new) - _TOLD
        return f"{line}; new: {', '.join(new[:_TOLD])}" + (f" and {more} more" if more > 0 else "")


def read_start(model: str | Path, roots: Roots) -> Start:
    """Read the model that a training is to start from: of its folds, the first.

    model: as for :func:`~interactivenet.models.finding.find_model`. Raises RequestError where there
    is none, DataError where it is not whole.
    """
    try:
        with model_folder(model, roots) as folder:
            return _read(folder)
    except RequestError as error:
        raise RequestError(
            error.message, field="start", value=model, expected=error.expected,
            remedy=error.remedy,
        ) from error  # fmt: skip


def _read(folder: Path) -> Start:
    model = read_bundle(folder)
    path = model.weights[0]
    network, facts = load_network(path, model.plan)
    return Start(
        model.plan.task, path.name, model.digests[0], model.plan, network.state_dict(),
        seen_images(facts), str(facts.get("regions", "")),
    )  # fmt: skip


def start_saw(start: Start | None, fold: Fold) -> StartSaw | None:
    """Say how many validation cases of a fold the model saw that its training is to start from.

    None where it saw none of them, or is of another task and does not say what it saw.
    """
    if start is None:
        return None
    seen, count = start.seen, len(fold.cases)
    if seen is None:
        if start.name != fold.plan.task:
            return None
        seen = _images_of(start.regions, PlannedTask.load(fold.processed))
    if seen is None:
        return StartSaw(start.name, None, count)
    cases = sum(not seen.isdisjoint(fold.images.get(case, ())) for case in fold.cases)
    return StartSaw(start.name, cases, count) if cases else None


def _images_of(regions: str, planned: PlannedTask) -> frozenset[str] | None:
    """Return the training images of the fold with that digest; None where the task has none."""
    for number in range(len(planned.splits)) if regions else ():
        fold = read_fold(planned, number)
        if fold.digest == regions:
            return fold.training_images
    return None


@torch.no_grad()
def take_weights(network: Module, plan: Plan, start: Start) -> Transfer:
    """Put the weights of a start that fit, by name and shape, into the network of a plan.

    Where the network sees a sample's channels, each is matched: modalities by their names, and
    maps by their kinds. A model of a single modality gives what it knows of that to every modality,
    divided by their number. Raises RequestError where nothing fits.
    """
    weights = network.state_dict()
    matches = _matches(plan, start.plan)
    taken = []
    for name, weight in weights.items():
        given = start.weights.get(name)
        if given is None or given.ndim != weight.ndim:
            continue
        if name in _INPUTS:
            if matches and given[:, 0].shape == weight[:, 0].shape:
                if plan.corrections and not start.plan.corrections:
                    weight[:, -CORRECTION_CHANNELS:] = 0  # without clicks, what the start does
                for channel, (other, share) in matches.items():
                    weight[:, channel] = given[:, other] * share
                taken.append(name)
        elif given.shape == weight.shape:
            weight.copy_(given)
            taken.append(name)
    if not taken:
        raise RequestError(
            f"no weights of {start.name} fit the network of {plan.task}",
            expected="a model of the same architecture",
        )
    names = (
        *plan.modalities,
        *("points", "extent")[: plan.encoding.channels],
        *("corrections",) * CORRECTION_CHANNELS,
    )
    return Transfer(
        tuple(taken),
        tuple(name for name in weights if name not in taken),
        tuple(
            dict.fromkeys(
                names[channel] for channel in range(plan.channels) if channel not in matches
            )
        ),
    )


def _matches(plan: Plan, source: Plan) -> dict[int, tuple[int, float]]:
    """Return channel -> the channel of the source that it is given, and its share of that."""
    matches: dict[int, tuple[int, float]] = {}
    count, other = len(plan.modalities), len(source.modalities)
    known = [name.casefold() for name in source.modalities]
    for channel, name in enumerate(plan.modalities):
        if other == 1:
            matches[channel] = 0, 1 / count
        elif name.casefold() in known:
            matches[channel] = known.index(name.casefold()), 1.0
    if plan.encoding.kind == source.encoding.kind != "none":
        matches[count] = other, 1.0
    if plan.encoding.extent and source.encoding.extent:
        matches[count + 1] = other + 1, 1.0
    if plan.corrections and source.corrections:
        for channel in range(CORRECTION_CHANNELS, 0, -1):
            matches[plan.channels - channel] = source.channels - channel, 1.0
    return matches
