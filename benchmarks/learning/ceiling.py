"""The most that an object's own grid allows: the true outline on its voxels, restored.

If that is close to 1, a second look at the scan's own spacing has nothing to add.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.datasets import TestObject
from benchmarks.learning.starters import starter_plan
from interactivenet.datasets.case import Scan
from interactivenet.imaging.geometry import box
from interactivenet.inference.rules import make_sample
from interactivenet.preprocessing.object_grid import sample_at
from interactivenet.preprocessing.object_region import sample_box, smooth
from interactivenet.preprocessing.sample import restored_part


def seen_on_the_grid(scan: Scan, thing: TestObject, voxels: int) -> NDArray[np.bool_]:
    """Return an object (X, Y, Z) as the shares of it in ``voxels`` a side give it back."""
    plan = replace(starter_plan(), sample_shape=(voxels,) * 3)
    grid = scan.image.grid
    placed = sample_box(thing.prompt, plan, grid)
    shares = thing.mask.astype(np.float32)
    smooth(shares, placed.cell(plan.sample_shape) / np.array(grid.spacing))
    soft = sample_at(shares[None], grid, placed, plan.sample_shape, np.zeros(3))[0]
    values, start = restored_part(soft, make_sample(scan, thing.prompt, plan))
    found = np.zeros(grid.shape, dtype=bool)
    found[box(start, start + values.shape[-3:])] = values > 0.5
    return found
