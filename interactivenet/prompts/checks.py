"""Whether a prompt can be used: where its points lie, how many there are, what box they span."""

from __future__ import annotations

from collections.abc import Callable

from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.prompt import (
    MARGIN_POINTS,
    Prompt,
    flat_direction,
    is_flat,
    points_outside,
    spans_no_box,
    thickness,
)
from interactivenet.prompts.prompt_objects import PromptObjects

#: takes a level ("error", "warning" or "note") and a message
Add = Callable[[str, str], None]
#: an object thinner than this across its points' plane may have its points in that plane
_THIN_VOXELS = 2.0


def check_prompt(
    prompt: Prompt, grid: Geometry, objects: PromptObjects, add: Add, margin: bool
) -> None:
    """Tell what is wrong with a prompt.

    grid: stored grid of the case's image.  objects: the objects of its label map.
    margin: six margin points are expected; else any, which were placed so on purpose.
    """
    subject = f"prompt of label {prompt.label}"
    outside = points_outside(prompt, grid)
    if outside:
        add("error", f"{subject}: {outside} of {len(prompt.points)} points lie outside the image")
        return
    count = len(prompt.points)
    if objects.label is not None:
        values = objects.label[tuple(grid.ras.nearest_voxel(prompt.points).T)]
        strays = int((values != prompt.label).sum())
        if strays == count:
            add("error", f"{subject}: all {count} points lie outside the object")
            return
        if strays:
            add("warning", f"{subject}: {strays} of {count} points lie outside the object")
    if margin and count > MARGIN_POINTS:
        size = len(objects.voxels(prompt, grid))
        whole = 2 * count >= size > MARGIN_POINTS
        reason = ": half of the object or more (a label map given as points?)" if whole else ""
        add(
            "error" if whole else "warning",
            f"{subject}: has {count} points, expected {MARGIN_POINTS}{reason}",
        )
    if count < MARGIN_POINTS:
        size = len(objects.voxels(prompt, grid))
        small = 0 < size < MARGIN_POINTS
        excused = small or not margin
        reason = f": the object has {size} voxels" if small else ""
        add(
            "warning" if excused else "error",
            f"{subject}: has {count} points, expected {MARGIN_POINTS}{reason}",
        )
    elif is_flat(prompt, grid.ras):
        voxels = objects.voxels(prompt, grid)
        across = flat_direction(prompt, grid.ras)
        thin = len(voxels) > 0 and thickness(voxels.astype(float), across) < _THIN_VOXELS
        # within an object, points that do span a box may happen to share an oblique plane
        excused = not margin or thin or (len(voxels) > 0 and not spans_no_box(prompt, grid.ras))
        reason = "" if excused else ", expected two along each axis"
        add(
            "warning" if excused else "error",
            f"{subject}: all {count} points lie in one plane{reason}",
        )
