"""Points placed a little otherwise: what a result may owe to where exactly they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.depth import simulated_depth
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import SimulationOptions, draw_points, find_objects


@dataclass(frozen=True)
class Perturbation:
    """What happens to the points of a prompt.

    kind: 'none'; 'moved', each by ``mm`` in a random direction; 'missing', one of them;
    'anew', simulated from the label with another seed.
    """

    name: str
    kind: Literal["none", "moved", "missing", "anew"]
    mm: float = 0.0


PERTURBATIONS = (
    Perturbation("as placed", "none"),
    Perturbation("other seeds", "anew"),
    Perturbation("moved 1 mm", "moved", 1.0),
    Perturbation("moved 3 mm", "moved", 3.0),
    Perturbation("moved 5 mm", "moved", 5.0),
    Perturbation("one missing", "missing"),
)


def perturb(
    prompt: Prompt,
    perturbation: Perturbation,
    mask: NDArray[np.bool_],
    grid: Geometry,
    rng: np.random.Generator,
) -> Prompt:
    """Return the prompt with perturbed points.

    mask: (X, Y, Z), the prompt's object.  grid: the RAS grid of the scan. Points that would leave
    the image stay in its outermost voxels.
    """
    points = np.array(prompt.points)
    if perturbation.kind == "moved":
        directions = rng.normal(size=points.shape)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        voxels = grid.world_to_voxel(points + perturbation.mm * directions)
        points = grid.voxel_to_world(voxels.clip(0, np.array(grid.shape) - 1))
    elif perturbation.kind == "missing" and len(points) > 1:
        points = np.delete(points, rng.integers(len(points)), axis=0)
    elif perturbation.kind == "anew":
        objects = find_objects(mask, per_component=False, largest_only=True)
        if objects:
            drawn = draw_points(objects[0], grid.spacing, SimulationOptions(), rng)
            anew = prompt.with_points(grid.voxel_to_world(drawn))
            return replace(anew, depth_mm=simulated_depth(anew, SimulationOptions(), grid))
    return prompt.with_points(points)
