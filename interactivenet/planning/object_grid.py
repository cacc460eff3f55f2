"""The plan of a task whose objects each have a grid of their own, of as many voxels for all.

Measured in trials on 24 sarcomas: the points' box, grown by the points' depth and by a share of its
extents, on a fixed number of voxels makes large and small objects the same question. Voxels are
about cubes of the object's own units, so the network treats all axes alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interactivenet import __version__
from interactivenet.errors import RequestError
from interactivenet.planning.architecture import LARGEST_BATCH, fill, isotropic_network
from interactivenet.planning.extent import plan_extent_prior, usual_depth
from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import (
    CropMargins,
    Floats,
    Ints,
    Network,
    Normalisation,
    ObjectGrid,
    Plan,
    sample_channels,
)
from interactivenet.prompts.prompt import LabelNames

#: voxels along each axis, those that are tried where the memory is short
VOXELS = (96, 80, 64, 48)
#: what is added to the grown box on every side: with it every object of 24 sarcomas and 61
#: hippocampi lies in its box, and fills 0.6 of it along each axis
MARGIN_MM, MARGIN = 1.0, 0.3
#: a batch of less than so many objects says little: the share of the training set stops there
LEAST_BATCH = 4


@dataclass(frozen=True)
class ObjectPreset:
    """Size of a network for object grids.

    voxels: along each axis, at most.  features: of each stage.  batch: largest batch.
    """

    voxels: int
    features: tuple[int, ...]
    batch: int
    residual: bool = False


#: 1.1 (tiny, as the trial on one CPU core) to 4.6 (default, as the trial on a GPU) million weights
PRESETS = {
    "tiny": ObjectPreset(48, (16, 32, 64, 96), batch=8),
    "small": ObjectPreset(64, (16, 32, 64, 128), batch=8),
    "default": ObjectPreset(96, (32, 64, 128, 192), batch=16),
    "large": ObjectPreset(96, (32, 64, 128, 256, 320), batch=16, residual=True),
}


def make_object_plan(
    task: str,
    labels: LabelNames,
    fingerprint: Fingerprint,
    options: PlanningOptions,
    notes: Sequence[str] = (),
) -> Plan:
    """Derive the plan of a task with object grids; notes: what was decided before.

    Raises RequestError where nothing fits the memory.
    """
    preset = PRESETS[options.preset]
    channels = sample_channels(
        fingerprint.modalities, options.encoding, corrections=options.corrections
    )
    network = isotropic_network(preset.features, residual=preset.residual)
    wanted = options.grid_voxels or preset.voxels
    choices = [wanted, *(n for n in VOXELS if n < wanted and not options.grid_voxels)]
    most = largest_batch(len(fingerprint.prompts), preset.batch)
    voxels, batch, needed = fit_voxels(choices, network, channels, most, options.memory_gb)
    fewer = (
        f"object grids of {cube(voxels)} voxels instead of {cube(wanted)}, of which no batch of two"
        f" fits into {options.memory_gb:g} GB"
    )
    cut = plan_object_cut(options.relax)
    depth = usual_depth(fingerprint)
    prior, unconfined = plan_extent_prior(fingerprint, own_grid=True)
    return Plan(
        task=task,
        version=__version__,
        modalities=fingerprint.modalities,
        labels=dict(labels.names),
        preset=options.preset,
        seed=options.seed,
        spacing=usual_spacing(fingerprint, depth, cut, (voxels,) * 3),
        cut=cut,
        normalisation=(Normalisation("zscore"),) * len(fingerprint.modalities),
        encoding=options.encoding,
        network=network,
        sample_shape=(voxels,) * 3,
        batch_size=batch,
        memory_gb=options.memory_gb,
        estimated_gb=round(needed, 3),
        notes=(*notes, *([fewer] if voxels < wanted else []), *unconfined),
        grid=ObjectGrid(depth_mm=depth),
        corrections=options.corrections,
        extent_prior=prior,
    )


def fit_voxels(
    choices: Sequence[int], network: Network, channels: int, most: int, memory_gb: float
) -> tuple[int, int, float]:
    """Find the number of voxels along each axis, and the batch, that fit into the memory.

    choices: falling; the first of which a batch of two fits is taken, else, for the last bit, of
    one.  most: largest batch that is wanted. Returns (voxels, batch size, estimated GB). Raises
    RequestError where nothing fits.
    """
    for least in (2, 1):
        for voxels in choices:
            batch, needed = fill(network, (voxels,) * 3, channels, (least, most), memory_gb)
            if batch:
                return voxels, batch, needed
    raise RequestError(
        f"is too little: an object on {cube(voxels)} voxels takes about {needed:.1f} GB to train",
        field="memory_gb", value=memory_gb,
        remedy="choose a smaller `preset`, or fewer `grid_voxels`",
    )  # fmt: skip


def largest_batch(objects: int, most: int) -> int:
    """Return the largest batch for so many objects: a share of them, within bounds."""
    return min(most, max(round(LARGEST_BATCH * objects), LEAST_BATCH))


def plan_object_cut(relax: float) -> CropMargins:
    """Return the margins around the grown box: the same on every side, at least ``relax`` of it."""
    share = max(MARGIN, relax)
    return CropMargins(mm=((MARGIN_MM,) * 2,) * 3, fraction=((share,) * 2,) * 3)


def usual_spacing(fingerprint: Fingerprint, depth: Floats, cut: CropMargins, shape: Ints) -> Floats:
    """Return the median of the voxel sizes, mm, that the training objects' own grids have."""
    voxels = np.array([case.spacing for case in fingerprint.cases for _ in case.prompts])
    boxes = fingerprint.boxes
    grown = boxes + 2 * np.minimum(depth, boxes - voxels)  # never by more than points are apart
    sizes = np.array([extent + cut.margins(extent).sum(axis=1) for extent in grown])
    x, y, z = np.median(sizes / shape, axis=0).round(6).tolist()
    return x, y, z


def cube(voxels: int) -> str:
    """Write a cube: '64x64x64'."""
    return "x".join([str(voxels)] * 3)
