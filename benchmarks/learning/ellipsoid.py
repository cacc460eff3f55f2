"""What can be had without learning: the ellipsoid through the box of the points, grown.

The box grows on every side by ``k`` times how deep the points lie. The best ``k`` is chosen on the
very cases that it is then measured on: that favours the ellipsoid, which everything else must beat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.datasets import TestObject
from benchmarks.learning.scores import METRICS, score
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.prompt import Prompt

#: times the points' depth
GROWTHS = tuple(step / 8 for step in range(17))


def ellipsoid(prompt: Prompt, grid: Geometry, growth: float) -> NDArray[np.bool_]:
    """Mark the voxels (X, Y, Z) of an RAS grid in the ellipsoid; it ends where the grid does."""
    assert prompt.depth_mm is not None
    voxels = grid.world_to_voxel(prompt.points)
    low, high = voxels.min(axis=0), voxels.max(axis=0)
    half = (high - low) / 2 + growth * np.array(prompt.depth_mm) / grid.spacing
    x, y, z = (
        ((np.arange(n) - c) / h) ** 2
        for n, c, h in zip(grid.shape, (low + high) / 2, half, strict=True)
    )
    return np.asarray(x[:, None, None] + y[:, None] + z <= 1 + 1e-9)


def score_growths(thing: TestObject, grid: Geometry) -> Iterator[dict[str, Any]]:
    """Score the ellipsoid of each of ``GROWTHS``."""
    for growth in GROWTHS:
        yield {"growth": growth, **score(ellipsoid(thing.prompt, grid, growth), thing.mask, grid)}


def best_growth(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Choose the growth of the best mean Dice.

    rows: of all objects and growths. Returns 'growth', 'objects' (its rows), and 'best' (metric ->
    growth and mean of the growth that is best for this metric alone).
    """
    means = {
        metric: {
            growth: float(np.mean([r[metric] for r in rows if r["growth"] == growth]))
            for growth in GROWTHS
        }
        for metric in METRICS
    }
    chosen = max(GROWTHS, key=lambda growth: means["dice"][growth])
    best = {}
    for metric, of_growth in means.items():
        sign = -1 if metric == "hd95" else 1
        growth = max(GROWTHS, key=lambda one: sign * of_growth[one])
        best[metric] = {"growth": growth, "mean": round(of_growth[growth], 4)}
    objects = [
        {name: value for name, value in row.items() if name != "growth"}
        for row in rows
        if row["growth"] == chosen
    ]
    return {"growth": chosen, "objects": objects, "best": best}
