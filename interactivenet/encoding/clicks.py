"""Corrections as channels: where the object was missed, where it was taken in, and the result then.

A map is exp(-d / s), d being the distance to the nearest click of its kind; without such clicks it
is 0. The third channel is the probability that the clicks correct.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from interactivenet.planning.plan import Plan

#: of the maps, in the units of an object's own grid, whose sides are 64 of them
_OBJECT_SCALE, _SIDE = 4.0, 64.0
#: and on a grid of the planned spacing, in its finest voxels
_SPACING_SCALE = 2.0


def click_units(plan: Plan, shape: Sequence[int]) -> tuple[float, float, float]:
    """Return the extent (3,) of a voxel, in the scale of the maps, for samples of a shape (3,).

    On an object's own grid a sample's sides are what counts, whatever the object's size.
    """
    if plan.grid is not None:
        x, y, z = (_SIDE / side / _OBJECT_SCALE for side in shape)
    else:
        x, y, z = (mm / (_SPACING_SCALE * min(plan.spacing)) for mm in plan.spacing)
    return x, y, z


def click_map(voxels: Tensor, shape: Sequence[int], units: Sequence[float]) -> Tensor:
    """Map clicks (N, 3), in voxels of a sample, whole or not; returns (X, Y, Z) float32.

    units: of :func:`click_units`.
    """
    device = voxels.device
    nearest = torch.full(tuple(shape), torch.inf, device=device)
    for voxel in voxels:
        squares = [
            ((torch.arange(side, device=device) - at) * unit) ** 2
            for side, at, unit in zip(shape, voxel, units, strict=True)
        ]
        x, y, z = torch.meshgrid(*squares, indexing="ij")
        nearest = torch.minimum(nearest, x + y + z)
    return torch.exp(-nearest.sqrt()).float()


def put_clicks(
    image: Tensor, plan: Plan, positive: Tensor, negative: Tensor, before: Tensor | None
) -> None:
    """Write corrections into the channels of one sample (C, X, Y, Z) that are theirs, its last.

    positive, negative: clicks (N, 3) in the sample's voxels.
    before: (X, Y, Z), the probability that they correct; None where it is not to be seen.
    """
    shape = image.shape[1:]
    units = click_units(plan, shape)
    image[-3] = click_map(positive.to(image.device), shape, units)
    image[-2] = click_map(negative.to(image.device), shape, units)
    image[-1] = 0 if before is None else before.to(image)
