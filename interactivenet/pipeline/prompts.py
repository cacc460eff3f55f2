"""Prompt files of one format into another."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from interactivenet.datasets.task import Roots, Task
from interactivenet.errors import RequestError
from interactivenet.imaging.io import ReadOptions, read_image, suffix_of
from interactivenet.pipeline.reporting import SILENT, Reporter, counted
from interactivenet.prompts.io import TEXT_SUFFIXES, read_prompts, write_prompts
from interactivenet.prompts.placement import check_certain
from interactivenet.prompts.prompt import LabelNames, Prompt


def convert_prompts(
    source: Path,
    target: Path,
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
        source: Prompt file: a mask, or JSON, FCSV or CSV.
        target: File to write.
        task: Name of the task whose labels the names in the source are.
        labels: These labels, where there is no task.
        image: The case's image; needed to write a mask, and for voxel indices.
        voxels_in: The source (.json) has voxel indices of the image as stored, not LPS mm.
        voxels_out: Write voxel indices of the image as stored to the target (.json).
        use_form: Which position of the image's NIfTI header counts, where it has two that differ,
            or none; as for :func:`infer`.
        overwrite: Replace the target where it exists.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives what was written.

    Returns:
        The prompts, points in RAS+ mm.

    Raises:
        RequestError: The target exists, or label values are needed that nobody gave.
        DataError: A file cannot be read or written, or the target's format would lose points.
    """
    if task and labels:
        raise RequestError(
            "cannot be combined with `labels`: either of them defines the labels", field="task"
        )
    if task:
        labels = Task.load((roots or Roots.choose()).raw_task(task)).labels
    if source.resolve() == target.resolve():
        raise RequestError(f"{target} is the source itself: expected another file")
    if target.exists() and not overwrite:
        raise RequestError(f"{target} exists", remedy="`overwrite=True` replaces it")
    reading = ReadOptions(use_form=use_form or "")
    grid = (image, read_image(image, reading).source) if image else None
    prompts = read_prompts(source, labels, image=grid, voxels=voxels_in, options=reading)
    if not voxels_out and suffix_of(target, TEXT_SUFFIXES):
        # from voxels to mm: the place of these must be certain
        if not suffix_of(source, TEXT_SUFFIXES):
            grid = grid or (source, read_image(source, reading).source)
        for prompt in prompts:
            check_certain(prompt.points, grid)
    unnamed = sorted({prompt.name for prompt in prompts if prompt.name}) if labels is None else []
    if unnamed and not suffix_of(target, TEXT_SUFFIXES):
        raise RequestError(
            f"{source} names '{unnamed[0]}': which label value is that in {target}?",
            remedy="give the label values with `task` or `labels`",
        )
    notes = write_prompts(target, prompts, image=grid[1] if grid else None, voxels=voxels_out)
    for note in notes:
        reporter.say(f"{target}: {note}")
    written = ", ".join(
        f"{prompt.name if unnamed else f'label {prompt.label}'}"
        f" ({counted(len(prompt.points), 'point')})"
        for prompt in prompts
    )
    reporter.say(f"{target}: {written}")
    return prompts
