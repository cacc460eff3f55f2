"""``interactivenet prompts``: convert prompt files."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Group, raw_option, task_option
from interactivenet.cli.folders import DataPath, only_with


@click.command("prompts", cls=Group)
def prompts() -> None:
    """Work with prompt files: NIfTI masks, grand-challenge and Slicer JSON, FCSV, CSV."""


@prompts.command("convert")
@click.argument("source", type=DataPath("reads"))
@click.argument("target", type=DataPath("writes", dir_okay=False))
@task_option
@click.option(
    "-l", "--label", "labels", multiple=True, metavar="NAME",
    help="A label's name, numbered from 1, or VALUE=NAME: what names in SOURCE mean.",
)  # fmt: skip
@click.option(
    "--image", type=DataPath("reads"),
    help="The case's image; needed to write a mask, and for voxel indices.",
)  # fmt: skip
@click.option("--voxels-in", is_flag=True, help="SOURCE (.json) has voxel indices, not LPS mm.")
@click.option("--voxels-out", is_flag=True, help="Write voxel indices to TARGET (.json).")
@click.option("--overwrite", is_flag=True, help="Replace TARGET where it exists.")
@raw_option.with_access(only_with("task"))
def convert(
    source: Path,
    target: Path,
    task: str | None,
    labels: tuple[str, ...],
    image: Path | None,
    voxels_in: bool,
    voxels_out: bool,
    overwrite: bool,
    raw: Path | None,
) -> None:
    """Convert the prompts of one case from SOURCE to TARGET.

    Formats follow the names: .nii.gz .nii .mha .nrrd (mask: voxel value = label), .json
    (grand-challenge "Multiple points", LPS mm), .mrk.json and .fcsv (3D Slicer), .csv (columns
    name,x,y,z,system). Nothing is lost but the rounding to voxels of a mask.
    """
    from interactivenet.cli.reporting import say
    from interactivenet.datasets.task import Roots, Task
    from interactivenet.errors import RequestError
    from interactivenet.imaging.io import read_image, suffix_of
    from interactivenet.prompts.io import TEXT_SUFFIXES, read_prompts, write_prompts
    from interactivenet.prompts.prompt import LabelNames

    if task and labels:
        raise RequestError("give -t or -l, not both: each says what the labels are")
    names = LabelNames.parse(labels) if labels else None
    if task:
        names = Task.load(Roots.choose(raw=raw).raw_task(task)).labels
    if source.resolve() == target.resolve():
        raise RequestError(f"{target} is the source itself: give another name")
    if target.exists() and not overwrite:
        raise RequestError(f"{target} exists: --overwrite replaces it")
    grid = (image, read_image(image).source) if image else None
    found = read_prompts(source, names, image=grid, voxels=voxels_in)
    unnamed = sorted({one.name for one in found if one.name}) if names is None else []
    if unnamed and suffix_of(target, TEXT_SUFFIXES) == "":
        raise RequestError(
            f"{source} names '{unnamed[0]}': which label value is that in {target}? (give -t or -l)"
        )
    notes = write_prompts(target, found, image=grid[1] if grid else None, voxels=voxels_out)
    for note in notes:
        say(f"{target}: {note}")
    told = ", ".join(
        f"{one.name if unnamed else f'label {one.label}'} ({len(one.points)} points)"
        for one in found
    )
    say(f"{target}: {told}")
