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
    note: called with each thing that is worth knowing, one line.

    Raises RequestError for a name that cannot be used, DataError for whatever is not understood.
    """
    from interactivenet.models.bundle import write_bundle
    from interactivenet.models.model import Model
    from interactivenet.models.network import save_weights
    from interactivenet.system.folders import replacing_folder

    name, labels = task_name(source, name), LabelNames({1: label})
    if source.resolve().is_relative_to(target.resolve()) or target.resolve().is_relative_to(
        source.resolve()
    ):
        raise RequestError(f"{target}: would replace {source}: move the latter elsewhere first")
    report = note or (lambda _: None)
    with published_folder(source) as folder, tempfile.TemporaryDirectory() as made:
        original = read_published(folder)
        paths, plan = [], None
        for fold, path in sorted(original.weights.items()):
            weights = read_weights(path)
            plan_of_fold = make_legacy_plan(
                original.plans, weights, folder / PLANS, task=name, labels=labels,
                modality=modality, grow=grow,
            )  # fmt: skip
            plan = plan or plan_of_fold
            if plan_of_fold != plan:
                features = plan_of_fold.network.features
                raise DataError(f"{path}: its features {features} are not those of"
                                f" the first fold, {plan.network.features}")  # fmt: skip
            paths.append(Path(made) / f"fold_{fold}.safetensors")
            facts = {"plan": plan.digest, "converted": sha256(path), "fold": fold}
            save_weights(paths[-1], _network(plan, weights, path), facts)
        assert plan is not None
        missing = original.plans.decided.folds - len(paths)
        if missing > 0:
            report(f"{missing} of {original.plans.decided.folds} folds were not published")
        best = sum(choice.using_checkpoint for choice in original.choices.values())
        model = Model(
            plan=plan, weights=tuple(paths), folds=tuple(sorted(original.weights)),
            checkpoint="best" if 2 * best > len(paths) else "last",
            postprocessing=_postprocessing(original.choices, report),
        )  # fmt: skip
        report(
            f"{len(paths)} folds, {best} from the best checkpoint and the others from the last; no"
            " estimates of uncertainty, as the original program publishes no cross-validation"
        )
        if not grow:
            report(
                "the boxes around points are as in the original program, tighter than those that"
                " the model was trained on: `grow=True` makes them as large"
            )
        extent = "grown by the margin points' depth" if grow else "as in the original program"
        description = (
            f"Converted from a model of InteractiveNet 0.2.x; boxes around points {extent}."
        )
        with replacing_folder(target) as folder:
            write_bundle(model, folder, {"description": description})
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
        raise DataError(
            f"{path}: has {len(stages)} stages, but the weights lack {error}"
        ) from error
    try:
        network = Network(decided.kernels, decided.strides, features, decided.deep_supervision)
        if network.divisor != decided.divisor:
            raise ValueError(
                f"divisible by {decided.divisor}, but its strides by {network.divisor}"
            )
        normalisation = Normalisation("zscore")
        if seen.ct:
            low, high = seen.clipping  # type: ignore[misc]
            normalisation = Normalisation("ct", low, high, seen.mean, seen.std)
        sample: Ints = divisible(np.ceil(np.clip(seen.final, 1, 2048)).astype(int), network)
        memory = round(training_gb(network, sample, _CHANNELS, 1), 3)
        plan = Plan(
            task=task, version=__version__, modalities=(modality or ("CT" if seen.ct else "MR"),),
            labels=dict(labels.names), preset=PRESET, seed=decided.seed, spacing=seen.spacing,
            cut=CropMargins(((0.0, 0.0),) * 3, ((decided.padding, decided.padding),) * 3),
            normalisation=(normalisation,),
            encoding=Encoding(kernel="scan", lamb=1.0, iterations=4), network=network,
            sample_shape=sample, batch_size=1, memory_gb=memory, estimated_gb=memory,
            legacy=Legacy(decided.padding, grow=grow),
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
            weight = left.pop(name, None)
            if weight is None and ".norm" in name:
                value.fill_(1.0 if name.endswith(".weight") else 0.0)
            elif weight is None:
                raise DataError(f"{path}: lacks {name}, expected {tuple(value.shape)}")
            elif weight.shape != tuple(value.shape):
                expected = tuple(value.shape)
                raise DataError(f"{path}: {name} has shape {weight.shape}, expected {expected}")
            elif not np.isfinite(weight).all():
                raise DataError(f"{path}: {name} has values that are not finite")
            else:
                value.copy_(torch.from_numpy(weight))
    if left:
        raise DataError(f"{path}: has {min(left)}, which the network of its plans lacks")
    return network


def _postprocessing(
    choices: Mapping[int, OriginalChoice], report: Callable[[str], None]
) -> Postprocessing:
    """Return what most folds chose, of equally many the simplest."""
    counts = Counter(_POSTPROCESSINGS[choice.postprocessing] for choice in choices.values())
    chosen = min(counts, key=lambda choice: (-counts[choice], CANDIDATES.index(choice)))
    if len(counts) > 1:
        listed = "; ".join(f"{choice.name} ({count})" for choice, count in counts.most_common())
        report(f"postprocessing differs between the folds: {listed}: {chosen.name} is used")
    return chosen
