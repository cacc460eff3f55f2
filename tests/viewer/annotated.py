"""Outlines without a network, and what is saved of them."""

import numpy as np

from interactivenet.postprocessing.merging import PromptProbability, merge
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import Prompt
from interactivenet.viewer.saving.saving import Provenance
from interactivenet.viewer.worklist.worklist import WorklistEntry
from tests.raw_task import GRID

#: first voxels of the boxes of two objects, along RAS+, and their size
STARTS, SIZE = ((5, 5, 4), (14, 11, 11)), (5, 5, 4)


def points_of(start):
    """Six points in the box of an object."""
    first, last = np.array(start), np.array(start) + SIZE - 1
    middle = (first + last) // 2
    voxels = np.repeat(middle[None], 6, axis=0)
    for axis in range(3):
        voxels[2 * axis, axis], voxels[2 * axis + 1, axis] = first[axis], last[axis]
    return GRID.ras.voxel_to_world(voxels.astype(float))


def outlined(*objects, grid=GRID):
    """Return a segmentation of boxes; objects: (label, name) of each, or with corrections."""
    claims = []
    for (label, name, *corrections), start in zip(objects, STARTS, strict=False):
        prompt = Prompt(label, points_of(start), name, corrections=tuple(corrections))
        claims.append(PromptProbability(prompt, np.ones(SIZE, np.float16), start, 1.0))
    return merge(claims, grid)


def positive(start=STARTS[0]):
    """A click on what an object has missed."""
    voxel = np.add(start, (0.0, 0.0, SIZE[2]))
    x, y, z = GRID.ras.voxel_to_world(voxel[None])[0].tolist()
    return Correction((x, y, z), True)


def prompts_of(result):
    return tuple(segmented.prompt for segmented in result.objects)


def provenance(*made_by):
    return Provenance("a model", "0f" * 32, made_by, date="2026-01-02T03:04:05+00:00")


def entry_of(path, name="", **what):
    case = name or path.name.split(".")[0]
    return WorklistEntry("id", case, (path,), str(path.parent), case=case, **what)
