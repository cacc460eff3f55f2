"""From a published model of the original program (0.2.x) to a bundle of this one."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet import __version__
from interactivenet.errors import DataError, RequestError
from interactivenet.legacy.published import (
    PLANS,
    OriginalChoice,
    OriginalPlans,
    published_folder,
    read_published,
    task_name,
)
from interactivenet.legacy.weights import read_weights
from interactivenet.planning.architecture import divisible, training_gb
from interactivenet.planning.plan import (
    CropMargins,
    Encoding,
    Ints,
    Legacy,
    Network,
    Normalisation,
    Plan,
)
from interactivenet.postprocessing.components import CANDIDATES, Postprocessing
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import sha256

Weights = Mapping[str, NDArray[np.float32]]

#: the preset that plans of converted weights name; there is none to plan with
PRESET = "legacy"
_POSTPROCESSINGS = {
    False: Postprocessing(),
    "fillholes": Postprocessing(fill_holes=True),
    "largestcomponent": Postprocessing(component="largest"),
    "fillholes_and_largestcomponent": Postprocessing(True, "largest"),
}
#: of the original's networks: the image, and the map of its points
_CHANNELS = 2


def convert_model(
    source: Path,
    target: Path,
    *,
    name: str | None = None,
    label: str = "tumour",
    modality: str | None = None,
    grow: bool = False,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Write a bundle of a published model of the original program; returns ``target``.

    source: its folder or zip: plans.json, postprocessings.json, model/FOLD/data/model.pth, of
        which nothing is executed.  target: the bundle's folder, replaced as a whole.
    name: of the task; None for that of the source.  label, modality: what the one label and the
        one image are called; None for CT or MR.
    grow: whether boxes of points first grow by the depth of margin points, see :class:`Legacy`.
    note: is called with each thing that is worth knowing, one line.

    Raises RequestError for a name that cannot be one, DataError for whatever is not understood.
    """
    from interactivenet.models.bundle import write_bundle
    from interactivenet.models.model import Model
    from interactivenet.models.network import save_weights
    from interactivenet.system.files import replacing_folder

    name, labels = task_name(source, name), LabelNames({1: label})
    if source.resolve().is_relative_to(target.resolve()) or target.resolve().is_relative_to(
        source.resolve()
    ):
        raise RequestError(f"{target}: would take the place of {source}: move that elsewhere first")
    tell = note or (lambda _: None)
    with published_folder(source) as folder, tempfile.TemporaryDirectory() as made:
        found = read_published(folder)
        paths, plan = [], None
        for fold, path in sorted(found.weights.items()):
            weights = read_weights(path)
            own = make_legacy_plan(
                found.plans, weights, folder / PLANS, task=name, labels=labels, modality=modality,
                grow=grow,
            )  # fmt: skip
            plan = plan or own
            if own != plan:
                raise DataError(f"{path}: its features {own.network.features} are not those of"
                                f" the first fold, {plan.network.features}")  # fmt: skip
            paths.append(Path(made) / f"fold_{fold}.safetensors")
            facts = {"plan": plan.digest, "converted": sha256(path), "fold": fold}
            save_weights(paths[-1], _network(plan, weights, path), facts)
        assert plan is not None
        missing = found.plans.decided.folds - len(paths)
        if missing > 0:
            tell(f"{missing} of {found.plans.decided.folds} folds were not published")
        best = sum(choice.using_checkpoint for choice in found.choices.values())
        model = Model(
            plan=plan, weights=tuple(paths), folds=tuple(sorted(found.weights)),
            checkpoint="best" if 2 * best > len(paths) else "last",
            postprocessing=_postprocessing(found.choices, tell),
        )  # fmt: skip
        tell(
            f"{len(paths)} folds, {best} of the best checkpoint, the others of the last; without"
            " uncertainty: no cross-validation comes with a model of the original program"
        )
        if not grow:
            tell(
                "boxes of points are cut as the original's, tighter than those that it trained on:"
                " --grow makes them alike"
            )
        box = "grown by the margin points' depth" if grow else "as the original's"
        what = f"Converted from a model of InteractiveNet 0.2.x; boxes of points {box}."
        with replacing_folder(target) as folder:
            write_bundle(model, folder, {"description": what})
    return target


def make_legacy_plan(
    plans: OriginalPlans,
    weights: Weights,
    path: Path,
    *,
    task: str,
    labels: LabelNames,
    modality: str | None,
    grow: bool,
) -> Plan:
    """Make the plan that weights of the original program need.

    path: of the plans, for messages. Raises DataError, naming it, where it cannot be one.
    """
    seen, decided = plans.fingerprint, plans.decided
    stages = ["input_block", *(f"downsamples.{k}" for k in range(len(decided.strides) - 2)),
              "bottleneck"]  # fmt: skip
    try:
        features = tuple(len(weights[f"{stage}.conv1.conv.weight"]) for stage in stages)
    except KeyError as error:
        raise DataError(f"{path}: has {len(stages)} stages, the weights lack {error}") from error
    try:
        network = Network(decided.kernels, decided.strides, features, decided.deep_supervision)
        if network.divisor != decided.divisor:
            raise ValueError(f"divisible by {decided.divisor}, but its strides {network.divisor}")
        how = Normalisation("zscore")
        if seen.ct:
            low, high = seen.clipping  # type: ignore[misc]
            how = Normalisation("ct", low, high, seen.mean, seen.std)
        sample: Ints = divisible(np.ceil(np.clip(seen.final, 1, 2048)).astype(int), network)
        memory = round(training_gb(network, sample, _CHANNELS, 1), 3)
        plan = Plan(
            task=task, version=__version__, modalities=(modality or ("CT" if seen.ct else "MR"),),
            labels=dict(labels.names), preset=PRESET, seed=decided.seed, spacing=seen.spacing,
            cut=CropMargins(((0.0, 0.0),) * 3, ((decided.padding, decided.padding),) * 3),
            normalisation=(how,), encoding=Encoding(kernel="scan", lamb=1.0, iterations=4),
            network=network, sample_shape=sample, batch_size=1, memory_gb=memory,
            estimated_gb=memory, legacy=Legacy(decided.padding, grow=grow),
        )  # fmt: skip
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    return Plan.parse(json.loads(json.dumps(plan.as_json()["plan"])), path)


def _network(plan: Plan, weights: Weights, path: Path) -> Any:
    """Build a plan's network with the original's weights.

    Its instance norms had none; scaling by 1 and shifting by 0 is the same function.
    """
    import torch

    from interactivenet.models.network import build_network

    network = build_network(plan.network, plan.channels)
    left = dict(weights)
    with torch.no_grad():
        for name, value in network.named_parameters():
            found = left.pop(name, None)
            if found is None and ".norm" in name:
                value.fill_(1.0 if name.endswith(".weight") else 0.0)
            elif found is None:
                raise DataError(f"{path}: lacks {name}, expected {tuple(value.shape)}")
            elif found.shape != tuple(value.shape):
                expected = tuple(value.shape)
                raise DataError(f"{path}: {name} has shape {found.shape}, expected {expected}")
            elif not np.isfinite(found).all():
                raise DataError(f"{path}: {name} has values that are not finite")
            else:
                value.copy_(torch.from_numpy(found))
    if left:
        raise DataError(f"{path}: has {min(left)}, which the network of its plans lacks")
    return network


def _postprocessing(
    choices: Mapping[int, OriginalChoice], tell: Callable[[str], None]
) -> Postprocessing:
    """Return what most folds chose, of equally many the simplest."""
    counts = Counter(_POSTPROCESSINGS[choice.postprocessing] for choice in choices.values())
    most = min(counts, key=lambda one: (-counts[one], CANDIDATES.index(one)))
    if len(counts) > 1:
        shown = "; ".join(f"{one.name} ({count})" for one, count in counts.most_common())
        tell(f"postprocessing differs between the folds: {shown}: {most.name} is taken")
    return most
