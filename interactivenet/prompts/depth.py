"""How deep simulated points lie in their objects, as their settings and their positions say."""

from __future__ import annotations

import numpy as np

from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.margin_points import usual_depths
from interactivenet.prompts.prompt import Prompt, points_box
from interactivenet.prompts.simulation import Floats, SimulationOptions


def usual_depth_mm(
    options: SimulationOptions, spacing: tuple[float, float, float]
) -> Floats | None:
    """How deep the options place points in a scan, mm along its axes; None for no margin points.

    spacing: of the scan, mm. In a thin object the points lie less deep.
    """
    if options.random or options.centre:
        return None
    if options.depth_mm is not None:
        return (options.depth_mm,) * 3
    x, y, z = (usual_depths(spacing) * np.array(spacing)).tolist()
    return x, y, z


def simulated_depth(prompt: Prompt, options: SimulationOptions, grid: Geometry) -> Floats | None:
    """How deep a prompt's points lie, mm, that was simulated with these options.

    grid: the RAS grid of its scan. Never more than the distance between the points, as margin
    points of a thin object lie in its thirds. None for no margin points.
    """
    depth = usual_depth_mm(options, grid.spacing)
    if depth is None:
        return None
    low, high = points_box(prompt, grid)
    x, y, z = np.minimum(depth, (high - low - 1) * np.array(grid.spacing)).tolist()
    return x, y, z
