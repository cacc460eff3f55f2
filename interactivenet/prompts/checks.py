"""Whether a prompt can be used: where its points lie, how many there are, what box they span."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.arrangement import (
    describe_contradiction,
    describe_doubled_corrections,
    describe_outside,
    doubled_points,
    far_point,
)
from interactivenet.prompts.prompt import (
    MARGIN_POINTS,
    Prompt,
    flat_direction,
    is_flat,
    spans_no_box,
    thickness,
)
from interactivenet.prompts.prompt_objects import PromptObjects

#: takes a level ("error", "warning" or "note") and a message
Add = Callable[[str, str], None]
#: an object thinner than this across its points' plane may have its points in that plane
_THIN_VOXELS = 2.0
#: so many doubled points are named where more are meant
_NAMED = 3


def check_prompt(
    prompt: Prompt,
    grid: Geometry,
    objects: PromptObjects,
    add: Add,
    margin: bool,
    remedy: str = "",
) -> None:
    """Tell what is wrong with a prompt, or doubtful.

    grid: stored grid of the case's image.  objects: the objects of its label map.
    margin: six margin points are expected; else any, which were placed so on purpose.
    remedy: what takes them as they are, where they are not six margin points.
    """
    subject = f"prompt of label {prompt.label}"
    for note in prompt.notes:
        add("warning", note)
    if outside := describe_outside(prompt, grid):
        add("error", f"{subject}: {outside}")
        return
    if contradiction := describe_contradiction(prompt, grid):
        add("error", f"{subject}: {contradiction}")
        return
    for doubt in correction_doubts(prompt, grid):
        add("warning", f"{subject}: {doubt}")
    for doubt in arrangement_doubts(prompt, grid):
        add("warning", f"{subject}: {doubt}")
    count = len(prompt.points)
    if objects.label is not None:
        values = objects.label[tuple(grid.ras.nearest_voxel(prompt.points).T)]
        strays = int((values != prompt.label).sum())
        if strays == count:
            add("error", f"{subject}: all {count} points lie outside the object")
            return
        if strays:
            add("warning", f"{subject}: {strays} of {count} points lie outside the object")
    remedy = f"; {remedy}" if remedy else ""
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
            f"{subject}: has {count} points, expected {MARGIN_POINTS}{reason}"
            f"{'' if excused else remedy}",
        )
    elif is_flat(prompt, grid.ras):
        voxels = objects.voxels(prompt, grid)
        across = flat_direction(prompt, grid.ras)
        thin = len(voxels) > 0 and thickness(voxels.astype(float), across) < _THIN_VOXELS
        # within an object, points that do span a box may happen to share an oblique plane
        excused = not margin or thin or (len(voxels) > 0 and not spans_no_box(prompt, grid.ras))
        reason = "" if excused else f", expected two along each axis{remedy}"
        add(
            "warning" if excused else "error",
            f"{subject}: all {count} points lie in one plane{reason}",
        )


def prompt_notes(prompts: Sequence[Prompt], grid: Geometry) -> tuple[str, ...]:
    """Say what a user should know of the files of a case's points, and of corrections, each once.

    grid: stored grid of the case's image.
    """
    notes: dict[str, None] = {}
    for prompt in prompts:
        notes.update(dict.fromkeys(prompt.notes))
        notes.update(dict.fromkeys(correction_doubts(prompt, grid)))
    notes.update(dict.fromkeys(_claimed_twice(prompts, grid)))
    return tuple(notes)


def _claimed_twice(prompts: Sequence[Prompt], grid: Geometry) -> list[str]:
    """Name positive corrections of several objects that lie in one voxel."""
    doubts = []
    owners: dict[tuple[int, ...], int] = {}
    for number, prompt in enumerate(prompts, 1):
        for voxel in map(tuple, grid.ras.nearest_voxel(prompt.positive).tolist()):
            if (other := owners.get(voxel, number)) != number:
                doubts.append(
                    f"objects {other} and {number} have a positive correction in one voxel, which"
                    f" is given to object {number}: which of the two is meant?"
                )
            owners[voxel] = number
    return doubts


def correction_doubts(prompt: Prompt, grid: Geometry) -> list[str]:
    """Name corrections, all of them inside the image, that do nothing or seem to be slips."""
    doubts = [describe_doubled_corrections(prompt, grid)]
    negative = [number for number, each in enumerate(prompt.corrections) if not each.positive]
    if negative:
        clicked = grid.ras.nearest_voxel(prompt.negative)
        for number, voxel in enumerate(grid.ras.nearest_voxel(prompt.points)):
            for other in np.flatnonzero((clicked == voxel).all(axis=1))[:1]:
                doubts.append(
                    f"{prompt.call_correction(negative[other])}, which is negative, lies in one"
                    f" voxel with {prompt.call(number)}: which of the two is meant?"
                )
    return [doubt for doubt in doubts if doubt][: _NAMED + 1]


def arrangement_doubts(prompt: Prompt, grid: Geometry) -> list[str]:
    """Name points that are far from the others, or twice in one place: slips of the hand."""
    doubts = []
    if far := far_point(prompt):
        number, distance = far
        doubts.append(
            f"{prompt.call(number)} lies {distance:.1f} mm from the nearest other point, far from"
            " all of them: is it meant?"
        )
    doubled = doubled_points(prompt, grid)
    if doubled:
        pairs = [f"{prompt.call(one)} and {prompt.call(other)}" for one, other in doubled[:_NAMED]]
        more = f" (and {len(doubled) - _NAMED} more pairs)" if len(doubled) > _NAMED else ""
        doubts.append(
            f"{', '.join(pairs)} lie within a voxel of each other{more}: was one placed twice?"
        )
    return doubts
