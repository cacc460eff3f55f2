"""Which images a case must have: one of each modality, or, where any will do, those that there are.

A network of *any modality* has one channel. Each of a case's images goes through it by itself, and
what it says of them is averaged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

#: the only modality of a model that takes images of any, one or several
ANY = "any"
#: names of modalities whose values are Hounsfield units
CT_NAMES = {"ct", "cta", "cbct"}


def is_ct(modality: str) -> bool:
    """Whether a modality's values are Hounsfield units, the same in every scan."""
    return modality.lower() in CT_NAMES


def is_any(modalities: Sequence[str]) -> bool:
    """Whether a model with these modalities takes images of any, one or several."""
    return tuple(modalities) == (ANY,)


def numbered_modalities(modalities: Sequence[str], numbers: Collection[int]) -> dict[int, str]:
    """Return the number and the modality of each image that a case must have.

    modalities: of the task or the model.  numbers: of the images that the case has; they decide
    where any modality will do.
    """
    if is_any(modalities):
        return dict.fromkeys(sorted(numbers) or (0,), ANY)
    return dict(enumerate(modalities))


def modalities_of(modalities: Sequence[str], images: int) -> tuple[str, ...]:
    """Return the modality of each image that a case must have; images: how many it has."""
    return tuple(numbered_modalities(modalities, range(images)).values())


def describe_modalities(modalities: Sequence[str]) -> str:
    """Say which images are expected of a case: 'MR, CT, in this order', or any."""
    if is_any(modalities):
        return "of any modality, one or several on one grid"
    return f"{', '.join(modalities)}, in this order, on one grid"
