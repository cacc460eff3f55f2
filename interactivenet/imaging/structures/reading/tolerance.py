"""How far outlines may lie from the voxels that they are taken for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: a fraction of the voxels' distance, or so far (mm) where positions are written in tenths of a mm;
#: never farther than the last, a fraction
_OFF, _ROUNDED_MM, _MOST_OFF = 0.1, 0.1001, 0.25


def limit_mm(distance: ArrayLike) -> NDArray[np.float64]:
    """Return how far what lies on voxels of a distance (mm), or distances, may lie from them, mm.

    What is farther away was outlined on another image.
    """
    distance = np.asarray(distance, dtype=np.float64)
    return np.asarray(np.minimum(np.maximum(_OFF * distance, _ROUNDED_MM), _MOST_OFF * distance))
