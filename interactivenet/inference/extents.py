"""Where an object should end, as its points tell: in voxels of the scan's RAS grid."""

from __future__ import annotations

import numpy as np

from interactivenet.planning.plan import EXTENT_SLACK, Plan
from interactivenet.postprocessing.extent import Extent
from interactivenet.preprocessing.object_grid import assumed_depth
from interactivenet.preprocessing.sample import Sample
from interactivenet.prompts.corrections import positions_of
from interactivenet.prompts.margin_points import told_axes
from interactivenet.prompts.prompt import MARGIN_POINTS


def told_extent(sample: Sample, plan: Plan, start: tuple[int, int, int]) -> Extent | None:
    """Place the extremes of a sample's object; None where the plan or the points say nothing.

    start: (3,) the voxel of the scan's RAS grid from which on voxels are counted. The object
    reaches as far as its positive corrections; those lie as deep as its points.
    """
    prompt, grid = sample.prompt, sample.source.ras
    if plan.extent_prior is None or len(prompt.points) < MARGIN_POINTS:
        return None
    spacing = np.array(grid.spacing)
    depth = assumed_depth(prompt, plan, grid) / spacing
    points = grid.world_to_voxel(prompt.points) - start
    low, high = points.min(axis=0), points.max(axis=0)
    known = told_axes(high - low, depth)
    # as far as object_box grows it: points are voxels, and no deeper than they are apart
    depth = np.minimum(depth, high - low)
    clicks = grid.world_to_voxel(positions_of(prompt.corrections)) - start
    positive = grid.world_to_voxel(positions_of(prompt.corrections, True)) - start
    reached = np.concatenate([points, positive])
    first, last = reached.min(axis=0) - depth - 0.5, reached.max(axis=0) + depth + 0.5
    half = (high - low) / 2 + depth + 0.5
    return Extent(
        first=np.where(known, first, -np.inf), last=np.where(known, last, np.inf),
        slack=EXTENT_SLACK * depth, middle=(low + high) / 2,
        half=half if known.all() else np.zeros(3), clicks=clicks, spacing=spacing,
    )  # fmt: skip
