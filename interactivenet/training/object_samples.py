"""What training on the object's own grid sees: objects warped, points placed anew, then the sample.

The order is a user's: there is a patient, with an object (real, turned and bent, or made up); then
somebody places points in it; then the sample is made of these points alone, by the functions that
make it in use (:mod:`interactivenet.preprocessing.object_grid`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from interactivenet.imaging.components import label_components
from interactivenet.planning.decisions import CORRECTION_CHANNELS
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.object_grid import (
    ObjectBox,
    assumed_depth,
    object_box,
    point_maps,
    standardise,
)
from interactivenet.preprocessing.region import Region
from interactivenet.training.intensities import OWN, Intensities, change_values
from interactivenet.training.made_up import LabelledImage
from interactivenet.training.random_fields import RandomSource
from interactivenet.training.warping import Warp, Warping, draw_warp, look

#: voxels a side on which the warped object is looked at to place points in it
_COARSE = 40
#: voxels of an object that tell where it lies
_SOME_VOXELS = 4000
#: logarithm of how deep points really lie, of what is assumed: from, to
_DEPTHS = (-0.7, 0.3)
#: margin points are at most this share of an object's extent deep
_DEEPEST = 1 / 3


@dataclass(frozen=True)
class ObjectAugmentation:
    """How samples on the object's own grid are varied.

    made_up: share (0 to 1) of the objects that are made up.  recoloured: of the real ones, whose
    tissues get other intensities.
    """

    warping: Warping = field(default_factory=Warping)
    intensities: Intensities = OWN
    made_up: float = 0.25
    recoloured: float = 0.0


#: for a network that is to segment anything, in any modality
ANYTHING = ObjectAugmentation(
    Warping(mirrored=True), Intensities(), made_up=0.35, recoloured=0.15
)  # fmt: skip


def labelled_image(region: Region, plan: Plan, device: torch.device | str) -> LabelledImage:
    """Bring a region, whose label is known, to a device."""
    assert region.label is not None
    depth = assumed_depth(region.prompt, plan, region.source.ras)
    return LabelledImage(
        torch.from_numpy(region.image).to(device),
        torch.from_numpy(region.label > 0).to(device),
        torch.from_numpy(_pointed(region)).to(device),
        torch.tensor(region.grid.spacing, dtype=torch.float32, device=device),
        torch.tensor(region.source.ras.spacing, dtype=torch.float32, device=device),
        torch.tensor(depth, dtype=torch.float32, device=device),
    )


def _pointed(region: Region) -> NDArray[np.bool_]:
    """Return the part of a region's object in which points are placed, as its own were.

    Of simulated points, the largest component where they were placed in that; of a person's, the
    components that they touch; the whole where that is none.
    """
    assert region.label is not None
    mask = region.label > 0
    components, count = label_components(mask)
    if count <= 1:
        return mask
    simulation = region.simulation
    if simulation is None:
        voxels = region.grid.nearest_voxel(region.prompt.points)
        touched = np.unique(components[tuple(voxels.T)])
        touched = touched[touched > 0]
        return np.isin(components, touched) if len(touched) else mask
    if not simulation.largest_component:
        return mask
    largest: NDArray[np.bool_] = components == 1 + np.bincount(components.ravel())[1:].argmax()
    return largest


def draw_sample(
    thing: LabelledImage, plan: Plan, augmentation: ObjectAugmentation, random: RandomSource
) -> tuple[Tensor, Tensor]:
    """Warp an object, place points in it, make the sample.

    Returns the channels and maps (C + M, N, N, N) float32, those of corrections 0, and the label
    (N, N, N) bool.
    """
    warp, matrix = draw_warp(
        _some_voxels(thing.pointed, random), thing.spacing, augmentation.warping, random
    )
    # what lies that deep along the scan's axes, along the patient's, however he is stretched
    shares = np.abs(matrix) / np.abs(matrix).sum(axis=1, keepdims=True)
    depth, spacing = (shares @ mm.double().cpu().numpy() for mm in (thing.depth, thing.scan))
    points = _place_points(thing, warp, depth * np.exp(random.uniform(*_DEPTHS)), random)
    box = object_box(points, depth, spacing, plan.cut)
    image, label = look_into(box, thing, warp, plan)
    image = change_values(image, augmentation.intensities, random)
    maps = point_maps(image, points, box, plan.encoding)
    clicks = image.new_zeros(CORRECTION_CHANNELS * plan.corrections, *plan.sample_shape)
    return torch.cat([image, torch.stack(maps), clicks]), label


def look_into(
    box: ObjectBox, thing: LabelledImage, warp: Callable[[Tensor], Tensor], plan: Plan
) -> tuple[Tensor, Tensor]:
    """Return a warped object in a box: image (C, N, N, N), standardised, and label (N, N, N)."""
    centres = [
        torch.as_tensor(at, dtype=torch.float32, device=thing.mask.device)
        for at in box.centres(plan.sample_shape)
    ]
    voxels = warp(torch.stack(torch.meshgrid(*centres, indexing="ij"), -1)) / thing.spacing
    return standardise(look(thing.image, voxels)), look(thing.mask[None], voxels)[0] > 0.5


def _some_voxels(mask: Tensor, random: RandomSource) -> Tensor:
    """Return up to some thousand voxels (M, 3) of a mask, its outermost ones among them."""
    voxels = mask.nonzero().float()
    if len(voxels) <= _SOME_VOXELS:
        return voxels
    ends = torch.cat([voxels.argmin(0), voxels.argmax(0)])
    some = torch.as_tensor(random.host.integers(len(voxels), size=_SOME_VOXELS),
                           device=voxels.device)  # fmt: skip
    return voxels[torch.cat([ends, some])]


def _place_points(
    thing: LabelledImage, warp: Warp, depth: NDArray[np.float64], random: RandomSource
) -> NDArray[np.float64]:
    """Place the six margin points (6, 3), patient's mm, ``depth`` (3,) mm deep in a warped object.

    For either end of each axis an outermost voxel is drawn, moved inwards, and set to the nearest
    of the object's in that plane: as :func:`~interactivenet.prompts.margin_points.
    draw_margin_points`, on the device.
    """
    line = (torch.arange(_COARSE, device=thing.mask.device) + 0.5) / _COARSE
    at = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    positions = warp.low + at * warp.extent
    share = look(thing.pointed[None], warp(positions) / thing.spacing)[0]
    held = positions[share > 0.5]
    if len(held) < 6:  # bent out of its box, or thinner than the lattice: its densest voxels
        held = positions[share.topk(6).indices]
    cell = warp.extent / _COARSE
    low, high = held.amin(0), held.amax(0)
    wanted = torch.as_tensor(depth, dtype=low.dtype, device=low.device)
    deep = torch.minimum(wanted, (high - low) * _DEEPEST)
    points = []
    for axis in range(3):
        weights = torch.ones_like(cell)
        weights[axis] = 50.0
        for end, inwards in ((low[axis], 1.0), (high[axis], -1.0)):
            outermost = held[(held[:, axis] - end).abs() < 0.5 * cell[axis]]
            target = outermost[int(random.host.integers(len(outermost)))].clone()
            target[axis] = end + inwards * deep[axis]
            points.append(held[(((held - target) * weights) ** 2).sum(1).argmin()])
    # anywhere in the lattice's cells, as users place them
    moved = torch.stack(points) + (random.fractions(6, 3) - 0.5) * cell
    return moved.double().cpu().numpy()
