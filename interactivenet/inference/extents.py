"""Where an object should end, as its points tell: in voxels of its sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interactivenet.planning.plan import Plan
from interactivenet.postprocessing.extent import Extent
from interactivenet.preprocessing.object_grid import assumed_depth, object_box
from interactivenet.preprocessing.object_region import tells_extent
from interactivenet.preprocessing.sample import Sample
from interactivenet.prompts.corrections import Correction, positions_of


def told_extent(
    sample: Sample, plan: Plan, corrections: Sequence[Correction] = ()
) -> Extent | None:
    """Place the extremes of a sample's object; None where the plan or the points say nothing.

    corrections: of its prompt, so far: the object reaches as far as the positive ones, and as those
    that the sample was cut around.
    """
    prompt, grid = sample.prompt, sample.source.ras
    if plan.extent_prior is None or not tells_extent(prompt, grid):
        return None
    marked = sample.cut_around if len(sample.cut_around) else prompt.points
    points = np.concatenate([marked, positions_of(corrections, True)])
    spacing = np.array(grid.spacing)
    depth = assumed_depth(prompt, plan, grid)
    box = object_box(grid.world_to_voxel(points) * spacing, depth, spacing, plan.cut)
    first, last = sample.grid.world_to_voxel(
        grid.voxel_to_world(np.stack([box.first, box.last]) / spacing)
    )
    return Extent(first, last, depth / np.array(sample.grid.spacing))
