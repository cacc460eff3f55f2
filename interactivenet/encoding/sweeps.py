"""Geodesic distance with tensors, plane by plane: for a GPU, where the image is already.

Importing this module imports torch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from interactivenet.encoding.layout import FAR
from interactivenet.encoding.step_cost import StepCost, step_lengths

#: a round that lowers no distance by more than this was the last one
TOLERANCE = 1e-6
#: costs of steps that are made at once, on a CPU (what its cache holds) and on a GPU
COSTS_AT_ONCE = (1 << 17, 1 << 23)


def geodesic_sweeps(
    image: Tensor,
    seeds: Tensor,
    spacing: tuple[float, float, float],
    metric: StepCost,
    *,
    iterations: int | None = None,
    bound: float = float(FAR),
) -> Tensor:
    """Cost of the cheapest path from each voxel to a seed, (X, Y, Z) float32, on any device.

    image: (C, X, Y, Z) float32.  seeds: (X, Y, Z) bool.  spacing: mm.
    iterations: rounds of sweeps along the three axes, forward and backward; None: as many as it
        takes until the distances below ``bound`` stay.
    bound: where the distance is not less than this, it is inf.
    """
    image = image.detach()
    distance = torch.full(seeds.shape, float(FAR), device=image.device)
    distance[seeds] = 0
    lengths = torch.as_tensor(step_lengths(spacing), dtype=torch.float32, device=image.device)
    done = 0
    while iterations is None or done < iterations:
        before = distance.clone()
        for axis in range(3):
            _sweep(image, distance, lengths, metric, axis)
        done += 1
        if iterations is None:
            # the one point of a round where the device is waited for
            lowered = (before - distance > TOLERANCE) & (distance < bound)
            if not bool(lowered.any()):
                break
    return distance.masked_fill_(distance >= bound, torch.inf)


def _sweep(image: Tensor, distance: Tensor, lengths: Tensor, metric: StepCost, axis: int) -> None:
    """Lower the distances by the paths that go on along an axis, there and back, in place."""
    planes = image.movedim(1 + axis, 1).contiguous()
    lengths = lengths.movedim(axis, 0)[2]
    swept = pad(distance.movedim(axis, 0), (1, 1, 1, 1), value=float(FAR))
    inner = swept[:, 1:-1, 1:-1]
    neighbours = _neighbours(swept)
    at_once = max(1, COSTS_AT_ONCE[image.is_cuda] // (9 * inner[0].numel()))
    for way, order in ((1, range(1, len(inner))), (-1, range(len(inner) - 2, -1, -1))):
        for start in range(0, len(order), at_once):
            part = order[start : start + at_once]
            first, end = min(part), max(part) + 1
            costs = _costs(
                planes[:, first - way : end - way], planes[:, first:end], lengths, metric
            )
            for i in part:
                reached = (neighbours[i - way] + costs[i - first]).amin(dim=(0, 1))
                torch.minimum(inner[i], reached, out=inner[i])
    distance.movedim(axis, 0).copy_(inner)


def _costs(source: Tensor, target: Tensor, lengths: Tensor, metric: StepCost) -> Tensor:
    """Costs (P, 3, 3, H, W) of the steps to voxels of planes from the 3 x 3 in other planes.

    source, target: (C, P, H, W).  lengths: (3, 3), mm.
    """
    changes = [
        _neighbours(pad(before, (1, 1, 1, 1))) - after[:, None, None]
        for before, after in zip(source, target, strict=True)
    ]
    if len(changes) == 1:
        difference = changes[0].abs_()
    else:
        difference = torch.linalg.vector_norm(torch.stack(changes), dim=0)
    return torch.as_tensor(metric.cost(difference, lengths[:, :, None, None]))


def _neighbours(padded: Tensor) -> Tensor:
    """View planes (P, H + 2, W + 2) as (P, 3, 3, H, W): each voxel's 3 x 3 neighbours."""
    return padded.unfold(1, padded.shape[1] - 2, 1).unfold(2, padded.shape[2] - 2, 1)
