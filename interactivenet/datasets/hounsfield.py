"""CT among images of any modality: padding and metal, which are no tissue, are taken out of it.

What fills a CT outside of its round field of view (-1024, -2000, -3024, -32768), and metal, would
be all that the mean and the deviation of its values tell of. A model of CT clips them; one of any
modality has to find out what is a CT first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from interactivenet.datasets.modalities import ANY
from interactivenet.imaging.geometry import Array
from interactivenet.imaging.volume import Volume

#: what 12 bits hold: a CT has no others, but for padding and metal
HOUNSFIELD = (-1024.0, 3071.0)
#: of an image's voxels, the share that must be below a CT's values for padding: noise is less
_PADDING = 1e-3
#: of the voxels below a CT's values, the share that padding has with one single value
_PLATEAU = 0.5
#: air, and what lies between fat and lungs, where a CT has less than in its air
_AIR, _BETWEEN = (-1024.0, -900.0), (-600.0, -300.0)
#: fat, water, muscle, blood
_SOFT = (-200.0, 200.0)
#: of the voxels that are no padding: the least that are air, and soft tissue; the most that are
#: below all that a CT has, where padding was blended with the image
_LEAST_AIR, _LEAST_SOFT, _MOST_BELOW = 1e-3, 0.1, 0.1
#: voxels that are looked at, every second or third of a large image
_ENOUGH = 2_000_000


def is_clipped(channel: Array, modality: str, tags: Mapping[str, str]) -> bool:
    """Whether an image (X, Y, Z) of a model of any modality is a CT with padding or metal.

    modality: of the model, in the image's place.  tags: what the image's file says of itself, by
    DICOM keyword; where it says nothing, the values tell. Images within the range of CT are never
    clipped, nor are those with a little noise below it.
    """
    tag = tags.get("Modality", "").strip().upper()
    if modality != ANY or tag not in ("", "CT") or not channel.size:
        return False
    low, high = HOUNSFIELD
    metal = bool(channel.max() > high)
    if not metal and channel.min() >= low:
        return False
    values = some_values(channel)
    if _padding(values) is None and not metal:
        return False
    return tag == "CT" or looks_like_ct(channel)


def clipped_channels(image: Volume, modalities: Sequence[str]) -> tuple[bool, ...]:
    """Say of each channel of an image whether :func:`is_clipped` holds for it.

    modalities: of the model, one per channel.
    """
    return tuple(
        is_clipped(channel, modality, tags)
        for channel, modality, tags in zip(image.array, modalities, image.tags, strict=True)
    )


def some_values(channel: Array) -> Array:
    """Return values (N,) of an image (X, Y, Z): all, or of a large one every second, third ..."""
    step = max(1, math.ceil((channel.size / _ENOUGH) ** (1 / 3)))
    return channel[::step, ::step, ::step].ravel()


def looks_like_ct(channel: Array) -> bool:
    """Whether an image (X, Y, Z) has Hounsfield units of a body and of air around it.

    What is padding is not looked at. Air shows as a peak of its own: signed images of MR (phase,
    subtractions) have none there.
    """
    values = some_values(channel)
    if (padding := _padding(values)) is not None:
        values = values[values != padding]
    air, between, soft = (_share(values, *part) for part in (_AIR, _BETWEEN, _SOFT))
    below = _share(values, -math.inf, HOUNSFIELD[0] - 1e-3)
    return air >= _LEAST_AIR and air > between and soft >= _LEAST_SOFT and below <= _MOST_BELOW


def _padding(values: Array) -> float | None:
    """Return the value (of N) that fills an image where nothing was measured; None without one."""
    below = values[values < HOUNSFIELD[0]]
    if len(below) < max(_PADDING * len(values), 1):
        return None
    found, counts = np.unique(below, return_counts=True)
    most = int(counts.argmax())
    return found[most] if counts[most] >= _PLATEAU * len(below) else None


def _share(values: Array, low: float, high: float) -> float:
    return float(np.count_nonzero((values >= low) & (values <= high)) / max(len(values), 1))
