"""How deep a task's points lie in its objects, and whether they tell where these end."""

from __future__ import annotations

import numpy as np

from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.plan import EXTENT_SLACK, ExtentPrior, Floats
from interactivenet.prompts.margin_points import told_axes
from interactivenet.prompts.prompt import MARGIN_POINTS

#: share of the training objects that may reach farther beyond their points than the prior lets them
EXCEEDING = 0.01
#: log-odds by which the ellipsoid is told where objects have grids of their own: what it gained is
#: measured on those; on a grid of one spacing it was not
ELLIPSOID = 3.0


def usual_depth(fingerprint: Fingerprint) -> Floats:
    """Return how deep points lie, mm along R, A, S: the median of how far objects exceed them.

    Of both sides of every object: where its prompt does not say how deep its points lie, this is
    what the box is grown by.
    """
    depths = np.median(fingerprint.overhangs.swapaxes(1, 2).reshape(-1, 3), axis=0)
    x, y, z = depths.round(6).tolist()
    return x, y, z


def plan_extent_prior(
    fingerprint: Fingerprint, *, own_grid: bool
) -> tuple[ExtentPrior | None, tuple[str, ...]]:
    """Return the prior, and notes.

    own_grid: whether objects have grids of their own: then points lie as deep as each prompt says,
    or else as :func:`usual_depth` does, and there is no prior where objects reach farther than
    that, its slack and half a voxel; of objects whose points tell no extent nothing is asked. On a
    grid of one spacing they lie as deep as the farthest of all objects reaches beyond them.
    """
    if not own_grid:
        x, y, z = fingerprint.overhangs.max(axis=(0, 2)).round(6).tolist()
        return ExtentPrior(depth_mm=(x, y, z)), ()
    usual = usual_depth(fingerprint)
    exceeding = asked = 0
    for case in fingerprint.cases:
        voxel = np.array(case.spacing)
        for prompt in case.prompts:
            if prompt.points < MARGIN_POINTS:
                continue
            depth, apart = np.array(prompt.depth_mm or usual), np.array(prompt.box_mm) - voxel
            allowed = (1 + EXTENT_SLACK) * np.minimum(depth, apart) + voxel / 2
            allowed[~told_axes(apart / voxel, depth / voxel)] = np.inf
            asked += 1
            exceeding += bool((np.array(prompt.overhang_mm) > allowed[:, None]).any())
    if exceeding > EXCEEDING * asked:
        return None, (
            f"{exceeding} of {asked} objects reach farther beyond their points than these lie deep:"
            " results are not confined to the points' extent",
        )
    return ExtentPrior(ellipsoid=ELLIPSOID), ()
