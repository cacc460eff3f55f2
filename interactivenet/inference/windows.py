"""Samples that are larger than the network's input: overlapping windows, blended.

As ``monai.inferers.sliding_window_inference`` with Gaussian weights, to the bit
(``tests/inference/test_windows.py``); the import of MONAI alone takes longer than a small scan.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from interactivenet.planning.plan import Ints

#: share of a window that its neighbour covers, too
OVERLAP = 0.5
#: standard deviation of the weights, as a share of the window's size
_SIGMA = 0.125
#: least weight, in its corners
_LEAST_WEIGHT = 1e-3


def blend_windows(
    images: Tensor, window: Ints, batch: int, forward: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply ``forward`` to windows of images (B, C, X, Y, Z) and return (B, C', X, Y, Z).

    window: voxels along X, Y, Z, at most the images'.  batch: windows at once.
    forward: (N, C, *window) -> (N, C', *window). Windows overlap by half; where they do, their
    mean counts, weighted by a Gaussian around each window's centre.
    """
    shape = images.shape[2:]
    depth, height, width = window
    places = [
        (
            number, slice(None),
            slice(x, x + depth), slice(y, y + height), slice(z, z + width),
        )
        for number in range(len(images))
        for x, y, z in product(*(_starts(n, m) for n, m in zip(shape, window, strict=True)))
    ]  # fmt: skip
    weights = gaussian_weights(window, images.device).to(images.dtype)
    total: Tensor | None = None
    weight_sum = torch.zeros(1, 1, *shape, dtype=images.dtype, device=images.device)
    for first in range(0, len(places), batch):
        now = places[first : first + batch]
        scores = forward(torch.stack([images[place] for place in now]))
        if total is None:
            size = (len(images), scores.shape[1], *shape)
            total = torch.zeros(size, dtype=images.dtype, device=images.device)
        for place, score in zip(now, scores, strict=True):
            total[place] += score * weights
            if place[0] == 0:
                weight_sum[place] += weights
    assert total is not None
    return total.div_(weight_sum)


def gaussian_weights(window: Ints, device: torch.device | str = "cpu") -> Tensor:
    """Return the weight (X, Y, Z) float32 of each voxel of a window, 1 at its centre at most."""
    weights = torch.ones(1, device=device)
    for size in window:
        offset = torch.arange(
            -(size - 1) / 2.0, (size - 1) / 2.0 + 1, dtype=torch.float, device=device
        )
        profile = torch.exp(offset**2 / (-2 * (size * _SIGMA) ** 2))
        weights = weights.unsqueeze(-1) * profile
    weights = weights[0]
    return weights.clamp(min=max(float(weights.min()), _LEAST_WEIGHT))


def _starts(length: int, window: int) -> list[int]:
    """Return the first voxels of windows along an axis; the last one ends where the axis does."""
    step = max(int(window * (1 - OVERLAP)), 1)
    last = length - window
    if last < 0:
        raise ValueError(f"a window of {window} voxels does not fit into {length}")
    return [*range(0, last, step), last]
