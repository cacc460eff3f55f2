"""A bright ball on a grid, and runs as the results of the benchmark that decides record them."""

import numpy as np

from interactivenet.imaging.geometry import Geometry

GRID = Geometry((40, 36, 30), np.diag([1.0, 1.0, 2.0, 1.0]))


def ball(radius_mm=12.0, grid=GRID):
    at = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1) * grid.spacing
    middle = (np.array(grid.shape) - 1) / 2 * grid.spacing
    return ((at - middle) ** 2).sum(axis=-1) <= radius_mm**2


def run_of(arm, objects, dataset="hippocampus", budget="untrained", fold=-1, **more):
    return {"arm": arm, "dataset": dataset, "budget": budget, "fold": fold, "seed": 0,
            "objects": objects, **more}  # fmt: skip
