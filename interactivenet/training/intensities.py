"""Changes of an image's values that leave the outlines where they are.

A network that is to segment any modality must not learn what an object's values are: random curves,
also falling ones, make modalities that no scanner has (Billot et al., SynthSeg, Medical Image
Analysis 2023, doi 10.1016/j.media.2023.102789, draw them for every tissue). Works on the device
where the image is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, interpolate

from interactivenet.preprocessing.object_grid import standardise
from interactivenet.training.random_fields import RandomSource

#: of a random curve: knots, and the values, in deviations, between which they lie
_KNOTS, _WIDEST = 7, 3.0


@dataclass(frozen=True)
class Intensities:
    """How often (0 to 1) values are changed, and how much.

    curve: by a random curve, of which ``rising`` are monotone and ``inverted`` upside down.
    bias: by a smooth factor.  blur, resolution: made less sharp.  noise: of up to ``loudest``.
    """

    curve: float = 0.6
    rising: float = 0.6
    inverted: float = 0.5
    bias: float = 0.4
    blur: float = 0.25
    resolution: float = 0.3
    noise: float = 0.5
    loudest: float = 0.4


#: of values as they are
UNCHANGED = Intensities(curve=0, bias=0, blur=0, resolution=0, noise=0)
#: of a task's own modalities: what they look like tells something, and stays
OWN = Intensities(curve=0.15, rising=1.0, inverted=0.0, bias=0.2, blur=0.15, resolution=0.2,
                  noise=0.3, loudest=0.25)  # fmt: skip


def change_values(image: Tensor, settings: Intensities, random: RandomSource) -> Tensor:
    """Change the values of an image (C, X, Y, Z), standardised; returns one that is, too."""
    changed = [_change(channel[None], settings, random) for channel in image]
    return torch.cat(changed)


def _change(image: Tensor, settings: Intensities, random: RandomSource) -> Tensor:
    shape = tuple(image.shape[1:])
    if random.chance(settings.curve):
        image = _curved(image, settings, random)
    if random.chance(settings.bias):
        image = image * torch.exp(0.3 * random.smooth(1, shape, 3))
    if random.chance(settings.blur):
        width = int(random.choose((3, 3, 5)))
        image = avg_pool3d(image, width, 1, width // 2, count_include_pad=False)
    if random.chance(settings.resolution):
        fewer = [max(2, int(n * random.uniform(0.3, 1))) for n in shape]
        low = interpolate(image[None], size=fewer, mode="trilinear")
        image = interpolate(low, size=shape, mode="trilinear")[0]
    image = standardise(image)
    if random.chance(settings.noise):
        loudness = random.uniform(0, settings.loudest)
        image = standardise(image + loudness * random.normal(1, *shape))
    return image


def _curved(image: Tensor, settings: Intensities, random: RandomSource) -> Tensor:
    values = 1.2 * random.normal(_KNOTS)
    if random.chance(settings.rising):
        values = values.sort().values
    if random.chance(settings.inverted):
        values = -values
    at = (image.clamp(-_WIDEST, _WIDEST) + _WIDEST) * ((_KNOTS - 1) / (2 * _WIDEST))
    lower = at.floor().long().clamp(0, _KNOTS - 2)
    weight = at - lower
    return values[lower] * (1 - weight) + values[lower + 1] * weight
