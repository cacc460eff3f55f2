"""What the values of a scan look like where points are: measured alike in training and in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from interactivenet.imaging.geometry import Array, box
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.prompt import Prompt, points_box

#: percentiles of the values in the box of the points, and around it
PERCENTILES = (5.0, 50.0, 95.0)
#: how far around it: this share of the box's extent, and at least so many mm
_AROUND, _AROUND_MM = 0.5, 10.0
#: of more voxels than these, every second or third along each axis is looked at
_MOST_VOXELS = 500_000

Percentiles = tuple[float, float, float]


@dataclass(frozen=True)
class Appearance:
    """Values of one channel near the points of a prompt.

    inside: percentiles of the values in the box of the points; around: of those in a box that
        reaches beyond it, the inner one included.
    mean, std: of the values around that are not zero.
    """

    inside: Percentiles
    around: Percentiles
    mean: float
    std: float

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}

    @property
    def spread(self) -> float:
        """How far the values around reach, from the lowest percentile to the highest."""
        return self.around[2] - self.around[0]

    @property
    def contrast(self) -> float:
        """By how many standard deviations the middle inside exceeds the mean around it."""
        return (self.inside[1] - self.mean) / self.std if self.std > 0 else 0.0


def measure_appearance(image: Volume, prompt: Prompt) -> tuple[Appearance, ...]:
    """Measure the values near a prompt's points, one result per channel.

    Raises DataError where a point lies outside the image.
    """
    low, high = points_box(prompt, image.grid)
    spacing = np.array(image.spacing)
    reach = np.ceil(np.maximum(_AROUND * (high - low), _AROUND_MM / spacing)).astype(np.intp)
    outer = box(np.maximum(low - reach, 0), np.minimum(high + reach, image.shape))
    return tuple(
        _appearance(_thinned(channel[box(low, high)]), _thinned(channel[outer]))
        for channel in image.array
    )


def _thinned(values: Array) -> Array:
    step = int(np.ceil(np.cbrt(values.size / _MOST_VOXELS)))
    return values[::step, ::step, ::step] if step > 1 else values


def _appearance(inside: Array, around: Array) -> Appearance:
    filled = around[around != 0].astype(np.float64)
    return Appearance(
        _percentiles(inside), _percentiles(around),
        float(filled.mean()) if len(filled) else 0.0, float(filled.std()) if len(filled) else 0.0,
    )  # fmt: skip


def _percentiles(values: Array) -> Percentiles:
    low, middle, high = np.percentile(values.astype(np.float64), PERCENTILES).tolist()
    return low, middle, high
