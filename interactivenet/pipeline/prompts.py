"""Prompt files of one format into another, several into one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from interactivenet.datasets.roots import Roots, check_no_raw_task
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import READABLE, WRITABLE, ReadOptions, read_image, suffix_of
from interactivenet.pipeline.reporting import SILENT, Reporter, counted
from interactivenet.prompts.arrangement import describe_outside
from interactivenet.prompts.io import TEXT_SUFFIXES, check_points, read_prompts, write_prompts
from interactivenet.prompts.placement import check_certain
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.written_points import shared_background
from interactivenet.system.files import resolved

#: folders of a raw task in which points may be written
POINTS_FOLDERS = ("interactionsTr", "interactionsTs")


def convert_prompts(
    source: Path | str | Sequence[Path | str],
    target: Path | str,
    *,
    task: str | None = None,
    labels: LabelNames | None = None,
    image: Path | None = None,
    voxels_in: bool = False,
    voxels_out: bool = False,
    use_form: Literal["sform", "qform"] | None = None,
    overwrite: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> list[Prompt]:
    """Convert the prompts of one case; the formats follow the files' names.

    Args:
        source: Prompt file: a mask, or JSON, FCSV or CSV; or several, each of other objects, or of
            corrections, which may be named after their labels.
        target: File to write.
        task: Name of the task whose labels the names in the source are.
        labels: These labels, where there is no task.
        image: The case's image; needed to write a mask, and for voxel indices.
        voxels_in: The source (.json) has voxel indices of the image as stored, not LPS mm, as
            autoPET's clicks have.
        voxels_out: Write voxel indices of the image as stored to the target (.json).
        use_form: Which position of the image's NIfTI header counts, where it has two that differ,
            or none; as for :func:`infer`.
        overwrite: Replace the target where it exists and holds points, as text. Any other file, and
            every image or mask, stays.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives what was written.

    Returns:
        The prompts, points in RAS+ mm, with their corrections.

    Raises:
        RequestError: The target exists and may not be replaced, is the image or in a raw task
            (other than among its points), or label values are needed that nobody gave.
        DataError: A file cannot be read or written, or the target's format would lose points.
    """
    if task and labels:
        raise RequestError(
            "cannot be combined with `labels`: either of them defines the labels", field="task"
        )
    if task:
        labels = Task.load((roots or Roots.choose()).raw_task(task)).labels
    target = Path(target)
    sources = [Path(path) for path in ([source] if isinstance(source, Path | str) else source)]
    if not suffix_of(target, (*TEXT_SUFFIXES, *WRITABLE)):
        raise RequestError(
            f"{target}: is no format of points that can be written",
            expected=", ".join((*TEXT_SUFFIXES, *WRITABLE)),
        )
    _check_place(target, sources, image)
    if os.path.lexists(target):
        _check_replaceable(target, overwrite)
    reading = ReadOptions(use_form=use_form or "")
    grid = (image, read_image(image, reading).source) if image else None
    prompts = read_prompts(
        sources if len(sources) > 1 else sources[0], labels, image=grid, voxels=voxels_in,
        options=reading,
    )  # fmt: skip
    if not voxels_out and suffix_of(target, TEXT_SUFFIXES):
        # from voxels to mm: the place of these must be certain
        masks = [source for source in sources if not suffix_of(source, TEXT_SUFFIXES)]
        if masks and grid is None:
            grid = (masks[0], read_image(masks[0], reading).source)
        for prompt in prompts:
            check_certain(prompt.points, grid)
    unnamed = sorted({prompt.name for prompt in prompts if prompt.name}) if labels is None else []
    if unnamed and not suffix_of(target, TEXT_SUFFIXES):
        raise RequestError(
            f"{sources[0]} names '{unnamed[0]}': which label value is that in {target}?",
            remedy="give the label values with `task` or `labels`",
        )
    notes = write_prompts(
        target, prompts, image=grid[1] if grid else None, voxels=voxels_out, labels=labels
    )
    read = [note for prompt in prompts for note in prompt.notes]
    if grid:
        read += [line for prompt in prompts if (line := describe_outside(prompt, grid[1]))]
    for note in read:
        reporter.say(f"{', '.join(path.name for path in sources)}: {note}")
    for note in notes:
        reporter.say(f"{target}: {note}")
    background = len(shared_background(prompts))
    written = ", ".join(
        f"{prompt.name if unnamed else f'label {prompt.label}'}"
        f" ({_counts(prompt, background if suffix_of(target, TEXT_SUFFIXES) else None)})"
        for prompt in prompts
    )
    if background and suffix_of(target, TEXT_SUFFIXES):
        written += f", {counted(background, 'background point')}"
    reporter.say(f"{target}: {written}")
    return prompts


def _counts(prompt: Prompt, background: int | None) -> str:
    """Count what is written of an object.

    background: how many of its corrections all objects share; None where none are written.
    """
    counts = [counted(len(prompt.points), "point")]
    if background is not None and (own := len(prompt.corrections) - background):
        counts.append(counted(own, "correction"))
    return ", ".join(counts)


def _check_place(target: Path, sources: Sequence[Path], image: Path | None) -> None:
    """Raise RequestError where the target is, or would lie among, what is read or a raw task's."""
    whole = resolved(target)
    for path in sources:
        if _is_same(target, path):
            raise RequestError(f"{target} is the source itself: expected another file")
    if image and _is_same(target, image):
        raise RequestError(f"{target} is the image itself: expected another file")
    for folder in (*sources, *([image] if image else [])):
        if folder.is_dir() and whole.is_relative_to(resolved(folder)):
            raise RequestError(f"{target} is inside {folder}, which is read: expected another file")
    for path in (whole, resolved(target.parent) / target.name):  # also of a link that lies there
        check_no_raw_task(path, "target", but=POINTS_FOLDERS)


def _is_same(one: Path, other: Path) -> bool:
    if resolved(one) == resolved(other):
        return True
    return one.exists() and other.exists() and one.samefile(other)


def _check_replaceable(target: Path, overwrite: bool) -> None:
    """Raise RequestError where a target that exists is not to be replaced, or holds no points."""
    if suffix_of(target, READABLE):
        # a mask of points looks like any label map: only a person can tell
        raise RequestError(f"{target} exists: an image is never replaced", remedy="remove it first")
    if not overwrite:
        raise RequestError(f"{target} exists", remedy="`overwrite=True` replaces it")
    try:
        check_points(target)
    except DataError as error:
        raise RequestError(
            f"{target} exists and is no file of points, so it is not replaced ({error})",
            remedy="move it away, or write elsewhere",
        ) from error
