"""A plan like another one, so that training can begin with the weights of that one's network."""

from __future__ import annotations

from interactivenet import __version__
from interactivenet.datasets.modalities import is_ct
from interactivenet.errors import RequestError
from interactivenet.planning import object_grid
from interactivenet.planning.architecture import LARGEST_BATCH, PRESETS, fill
from interactivenet.planning.extent import plan_extent_prior, usual_depth
from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.object_grid import usual_spacing
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import Normalisation, ObjectGrid, Plan, sample_channels
from interactivenet.planning.rules import plan_normalisation
from interactivenet.prompts.prompt import LabelNames


def make_plan_like(
    task: str, labels: LabelNames, fingerprint: Fingerprint, options: PlanningOptions, like: Plan
) -> Plan:
    """Derive the plan of a task with the network, grid, encoding and margins of another plan.

    The task's own are its modalities and labels, whether it asks for corrections, how deep its
    points lie, that it is trained along the patient's axes, the numbers that its CT is normalised
    by, and a batch that fits the memory.

    Raises RequestError where the other plan follows the original program's rules, or its network
    does not fit the memory.
    """
    if like.legacy is not None:
        raise RequestError(
            "is a model of the original program, whose rules cannot be planned for",
            field="like", value=str(options.like),
        )  # fmt: skip
    channels = sample_channels(
        fingerprint.modalities, like.encoding, corrections=options.corrections
    )
    batch, needed = fill(
        like.network, like.sample_shape, channels,
        (1, _largest_batch(len(fingerprint.prompts), like)), options.memory_gb,
    )  # fmt: skip
    shape = "x".join(map(str, like.sample_shape))
    if not batch:
        raise RequestError(
            f"is too little: a sample of {shape} voxels, as `like` has it, takes about"
            f" {needed:.1f} GB to train",
            field="memory_gb", value=options.memory_gb,
        )  # fmt: skip
    grid, spacing = like.grid, like.spacing
    prior, unconfined = plan_extent_prior(fingerprint, own_grid=grid is not None)
    if grid is not None:
        depth = usual_depth(fingerprint)
        grid = ObjectGrid(depth_mm=depth)
        spacing = usual_spacing(fingerprint, depth, like.cut, like.sample_shape)
    return Plan(
        task=task,
        version=__version__,
        modalities=fingerprint.modalities,
        labels=dict(labels.names),
        preset=like.preset,
        seed=options.seed,
        spacing=spacing,
        cut=like.cut,
        normalisation=tuple(
            _normalisation(fingerprint, index, like) for index in range(len(fingerprint.modalities))
        ),
        encoding=like.encoding,
        network=like.network,
        sample_shape=like.sample_shape,
        batch_size=batch,
        memory_gb=options.memory_gb,
        estimated_gb=round(needed, 3),
        padding=like.padding,
        notes=(
            f"network, grid, encoding and margins are those of a model of {like.task}",
            *unconfined,
        ),
        grid=grid,
        corrections=options.corrections,
        extent_prior=prior,
    )


def _largest_batch(objects: int, like: Plan) -> int:
    """Return the largest batch by the rules of the plan's grid and preset, or what it has itself.

    A plan's preset may be of a program that had others.
    """
    if like.grid is not None:
        own = object_grid.PRESETS.get(like.preset)
        return object_grid.largest_batch(objects, own.batch if own else like.batch_size)
    preset = PRESETS.get(like.preset)
    most = preset.batch if preset else like.batch_size
    return min(most, max(round(LARGEST_BATCH * objects), 2))


def _normalisation(fingerprint: Fingerprint, index: int, like: Plan) -> Normalisation:
    """Return the kind that the other plan has for the modality; by the usual rule where it has not.

    Values that were z-scores in all its modalities are z-scores here, too.
    """
    name = fingerprint.modalities[index]
    kinds = {
        modality.lower(): rule.kind
        for modality, rule in zip(like.modalities, like.normalisation, strict=True)
    }
    same = kinds.get(name.lower())
    if same == "zscore" or (same is None and set(kinds.values()) == {"zscore"}):
        return Normalisation("zscore")
    return plan_normalisation(fingerprint, index) if is_ct(name) else Normalisation("zscore")
