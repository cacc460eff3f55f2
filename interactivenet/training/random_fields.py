"""Random numbers on a device: smooth fields, chances, choices, all from one seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate


class RandomSource:
    """Draws on the host (few numbers) and on a device (many), repeatable from a seed.

    seed: numbers of 0 or more; the same ones draw the same.  device: of the tensors.
    """

    def __init__(self, seed: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.host = np.random.default_rng(list(seed))
        self._device = torch.Generator(self.device).manual_seed(int(self.host.integers(2**62)))

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between two."""
        return float(self.host.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """Whether something that happens so often happens now."""
        return bool(self.host.random() < probability)

    def choose(self, values: Sequence[float]) -> float:
        """Draw one of some numbers, each as often."""
        return float(values[int(self.host.integers(len(values)))])

    def normal(self, *shape: int) -> Tensor:
        """Draw a tensor of standard normal values."""
        return torch.randn(shape, generator=self._device, device=self.device)

    def fractions(self, *shape: int) -> Tensor:
        """Draw a tensor of values from 0 to 1."""
        return torch.rand(shape, generator=self._device, device=self.device)

    def smooth(self, channels: int, shape: Sequence[int], knots: int) -> Tensor:
        """Draw smooth noise (channels, *shape): normal values on ``knots`` a side, interpolated."""
        coarse = self.normal(1, channels, knots, knots, knots)
        return interpolate(coarse, size=tuple(shape), mode="trilinear", align_corners=True)[0]
