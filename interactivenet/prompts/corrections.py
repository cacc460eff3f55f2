"""Corrections: clicks on what an outline has missed, or has taken in, in the order they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError

#: what points are called that lie outside of all objects of a case
BACKGROUND = "background"
#: how corrections are marked: in names of points, and of lists, behind the object's
SIGNS = {True: "+", False: "-"}


@dataclass(frozen=True)
class Correction:
    """A click that corrects an outline: a place that belongs to the object, or does not.

    Args:
        position: (3,) in RAS+ mm; kept as three floats.
        positive: Whether the place belongs to the object.
        name: What messages call it, as in its file; '' where it has no name.

    Raises:
        DataError: The position is not three finite numbers.
    """

    position: tuple[float, float, float]
    positive: bool
    name: str = ""

    def __post_init__(self) -> None:
        try:
            position = np.array(self.position, np.float64)
        except (TypeError, ValueError):
            position = np.empty(0)
        if position.shape != (3,) or not np.isfinite(position).all():
            raise DataError(
                f"a correction's position must be three finite numbers, got {self.position!r}"
            )
        x, y, z = position.tolist()
        object.__setattr__(self, "position", (x, y, z))


def positions_of(
    corrections: Sequence[Correction], positive: bool | None = None
) -> NDArray[np.float64]:
    """Return the positions (N, 3), RAS+ mm, of all corrections, or of those of one kind."""
    chosen = [each.position for each in corrections if positive in (None, each.positive)]
    return np.array(chosen, np.float64).reshape(-1, 3)


def call_correction(corrections: Sequence[Correction], number: int) -> str:
    """Return what messages call one of an object's corrections, by its number from 0.

    Its name, as in its file; else, or where that is but a sign, 'correction +1' or 'correction -2',
    its sign and its number.
    """
    correction = corrections[number]
    if correction.name == BACKGROUND:
        before = [each for each in corrections[: number + 1] if each.name == BACKGROUND]
        return f"{BACKGROUND} point {len(before)}"
    name = "" if correction.name in SIGNS.values() else correction.name
    return name or f"correction {SIGNS[correction.positive]}{number + 1}"
