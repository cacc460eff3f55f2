"""How deep a task's points lie in its objects, and whether they tell where these end."""

from __future__ import annotations

import numpy as np

from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.plan import EXTENT_SLACK, ExtentPrior, Floats

#: share of the training objects that may reach farther beyond their points than the prior lets them
EXCEEDING = 0.01
#: log-odds by which the ellipsoid is told where objects have grids of their own: it gained 0.003
#: Dice on 24 sarcomas that networks were trained on, 0.006 and 0.015 on MR and CT of those they
#: never saw, and changed nothing on hippocampi; on a grid of one spacing it was not measured
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
    """Return the prior, and notes: none where objects reach farther than their points say.

    How deep points lie is taken from each prompt, else as :func:`usual_depth` says, with the slack
    of the prior and half a voxel.  own_grid: whether a grid of the objects' own has the depth.
    """
    usual = usual_depth(fingerprint)
    prompts = [(prompt, case.spacing) for case in fingerprint.cases for prompt in case.prompts]
    depths = np.array([prompt.depth_mm or usual for prompt, _ in prompts])
    voxels = np.array([spacing for _, spacing in prompts])
    allowed = (1 + EXTENT_SLACK) * depths + voxels / 2
    exceeding = int((fingerprint.overhangs > allowed[..., None]).any(axis=(1, 2)).sum())
    if exceeding > EXCEEDING * len(prompts):
        return None, (
            f"{exceeding} of {len(prompts)} objects reach farther beyond their points than these"
            " lie deep: results are not confined to the points' extent",
        )
    if own_grid:
        return ExtentPrior(ellipsoid=ELLIPSOID), ()
    return ExtentPrior(depth_mm=usual), ()
