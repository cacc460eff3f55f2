"""Which of an object's six extremes has no point yet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from interactivenet.prompts.prompt import MARGIN_POINTS

#: axis along RAS+, direction, and what the object's end there is called, in the order offered
EXTREMES = (
    (0, -1, "left"), (0, 1, "right"), (1, 1, "front (anterior)"), (1, -1, "back (posterior)"),
    (2, 1, "top (superior)"), (2, -1, "bottom (inferior)"),
)  # fmt: skip


def missing_extreme(points: Sequence[Sequence[float]]) -> str:
    """Return what the end of an object is called that is to be marked next; '' where none is.

    points: those there are, RAS+ mm. Each is taken for the end that it lies farthest towards,
    as seen from their centre, so that they may be placed in any order.
    """
    if len(points) >= MARGIN_POINTS:
        return ""
    return EXTREMES[_next(np.asarray(points, np.float64).reshape(-1, 3))][2]


def next_step(points: Sequence[Sequence[float]]) -> str:
    """Say in a sentence which point is to be placed next; '' where six are there."""
    extreme = missing_extreme(points)
    return f"Place a point just inside the object's {extreme} end." if extreme else ""


def _next(points: NDArray[np.float64]) -> int:
    if len(points) < 2:
        return len(points)
    centred = points - points.mean(axis=0)
    towards = np.array([[sign * row[axis] for axis, sign, _ in EXTREMES] for row in centred])
    rows = np.arange(len(points))
    # of equal ones, the first: the order that is offered
    best = max(
        permutations(range(MARGIN_POINTS), len(points)),
        key=lambda order: float(towards[rows, order].sum()),
    )
    return min(set(range(MARGIN_POINTS)) - set(best))
