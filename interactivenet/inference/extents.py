"""Where an object should end, as its points tell: in voxels of a grid along the scan's axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interactivenet.imaging.geometry import Geometry
from interactivenet.planning.plan import EXTENT_SLACK, Plan
from interactivenet.postprocessing.extent import Extent
from interactivenet.preprocessing.object_grid import assumed_depth
from interactivenet.preprocessing.sample import Sample
from interactivenet.prompts.corrections import Correction, positions_of
from interactivenet.prompts.margin_points import told_axes
from interactivenet.prompts.prompt import MARGIN_POINTS


def told_extent(
    sample: Sample,
    plan: Plan,
    corrections: Sequence[Correction],
    grid: Geometry,
    start: tuple[int, int, int] = (0, 0, 0),
) -> Extent | None:
    """Place the extremes of a sample's object; None where the plan or the points say nothing.

    corrections: those that count; the object reaches as far as the positive ones, which lie as deep
    as its points.  grid: along the axes of the scan's RAS grid: that one, or the sample's.
    start: (3,) its voxel from which on voxels are counted.
    """
    prompt, scan = sample.prompt, sample.source.ras
    if plan.extent_prior is None or len(prompt.points) < MARGIN_POINTS:
        return None
    spacing = np.array(grid.spacing)
    # on a grid of one spacing, what a prompt says of its depth changes nothing, as no file has to
    stated = plan.extent_prior.depth_mm
    depth = np.array(stated or assumed_depth(prompt, plan, scan)) / spacing
    points = grid.world_to_voxel(prompt.points) - start
    low, high = points.min(axis=0), points.max(axis=0)
    voxel = np.array(scan.spacing) / spacing
    known = told_axes((high - low) / voxel, depth / voxel)
    # as far as object_box grows it: points are the scan's voxels, and no deeper than they are apart
    depth = np.minimum(depth, high - low)
    grown = depth + voxel / 2
    clicks, positive = (
        grid.world_to_voxel(positions_of(corrections, sign)) - start for sign in (None, True)
    )
    reached = np.concatenate([points, positive])
    return Extent(
        first=np.where(known, reached.min(axis=0) - grown, -np.inf),
        last=np.where(known, reached.max(axis=0) + grown, np.inf),
        slack=EXTENT_SLACK * depth, middle=(low + high) / 2,
        half=(high - low) / 2 + grown if known.all() else np.zeros(3),
        clicks=clicks, spacing=spacing,
    )  # fmt: skip
