"""What a step between neighbouring voxels costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from interactivenet.planning.plan import MetricName

#: what GeodisTK adds to every difference of intensities
GEODISTK_EPSILON = 1e-5


@dataclass(frozen=True)
class StepCost:
    """The cost of a step, from its length L (mm) and the difference of intensities |dI|.

    |dI| is the L2 norm over the channels of the differences.

    "geodistk": L / ((1 - lamb) + lamb / (|dI| + 1e-5)), the metric of GeodisTK, with lamb in
        [0, 1]: 1 is L * |dI|, 0 is the length alone. It depends on the voxel size: on a finer
        grid both L and |dI| are smaller, so that the same path costs less.
    "gradient": sqrt(((1 - weight) * L)^2 + (weight * contrast * |dI|)^2), with weight in [0, 1].
        The same path costs the same on any grid that resolves the image.
    """

    name: MetricName = "geodistk"
    lamb: float = 1.0
    weight: float = 0.95
    contrast: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in get_args(MetricName):
            raise ValueError(f"metric must be one of {get_args(MetricName)}, got {self.name!r}")
        for field, value in (("lamb", self.lamb), ("weight", self.weight)):
            if not 0 <= value <= 1:
                raise ValueError(f"{field} must lie in [0, 1], got {value}")
        if not 0 <= self.contrast <= 1000:
            raise ValueError(f"contrast must lie in [0, 1000], got {self.contrast}")

    def cost(self, difference: Any, length: Any) -> Any:
        """Cost of steps with the given |dI| and length (mm): arrays or tensors that broadcast."""
        if self.name == "gradient":
            spatial, contrast = 1 - self.weight, self.weight * self.contrast
            return ((spatial * length) ** 2 + (contrast * difference) ** 2) ** 0.5
        difference = difference + GEODISTK_EPSILON
        return length * difference / ((1 - self.lamb) * difference + self.lamb)

    def linear(self, length: NDArray[np.float64]) -> NDArray[np.float32] | None:
        """Slope, offset (and 0) of the cost as a function of |dI|; None where it is not linear.

        length: (...), mm, of the steps; the result is (..., 3).
        """
        if self.name == "gradient" or self.lamb not in (0, 1):
            return None
        zeros = np.zeros_like(length)
        if self.lamb == 0:
            return np.stack([zeros, length, zeros], axis=-1).astype(np.float32)
        return np.stack([length, length * GEODISTK_EPSILON, zeros], axis=-1).astype(np.float32)

    def of_length(self, length: NDArray[np.float64]) -> NDArray[np.float32]:
        """What depends on the length (...) of a step in the general form (..., 3): s, 0, i.

        cost = s * d / (b * d + a) with d = sqrt(i + c * |dI|^2) + e; the others are the same for
        all steps, see :attr:`coefficients`.
        """
        zeros = np.zeros_like(length)
        if self.name == "gradient":
            parts = [zeros + 1, zeros, ((1 - self.weight) * length) ** 2]
        else:
            parts = [length, zeros, zeros]
        return np.stack(parts, axis=-1).astype(np.float32)

    @property
    def coefficients(self) -> NDArray[np.float32]:
        """The c, e, b, a of :meth:`of_length`."""
        if self.name == "gradient":
            return np.array([(self.weight * self.contrast) ** 2, 0, 0, 1], dtype=np.float32)
        return np.array([1, GEODISTK_EPSILON, 1 - self.lamb, self.lamb], dtype=np.float32)


def step_lengths(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Lengths (3, 3, 3), mm, of the steps to the 26 neighbours; index 1 of an axis is no step."""
    steps = np.moveaxis(np.indices((3, 3, 3)) - 1, 0, -1) * np.asarray(spacing)
    return np.asarray(np.linalg.norm(steps, axis=-1))
