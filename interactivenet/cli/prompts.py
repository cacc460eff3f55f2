"""``interactivenet prompts``: convert prompt files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import (
    Group,
    max_gb_option,
    raw_option,
    task_option,
    use_form_option,
)
from interactivenet.cli.folders import DataPath, only_with


@click.command("prompts", cls=Group)
def prompts() -> None:
    """Work with prompt files: NIfTI masks, grand-challenge and Slicer JSON, FCSV, CSV."""


@prompts.command("convert")
@max_gb_option
@click.argument("source", nargs=-1, required=True, type=DataPath("reads"))
@click.argument("target", type=DataPath("writes", dir_okay=False))
@task_option
@click.option(
    "-l", "--label", "labels", multiple=True, metavar="NAME",
    help="Label that a name in SOURCE stands for: NAME, numbered from 1 in the order given, or"
    " VALUE=NAME. Repeat the option for several.",
)  # fmt: skip
@click.option(
    "--image", type=DataPath("reads"),
    help="Image of the case; needed to write a mask, and for voxel indices.",
)  # fmt: skip
@click.option(
    "--voxels-in",
    is_flag=True,
    help="SOURCE (.json) holds voxel indices, not LPS mm, as autoPET's clicks do.",
)
@click.option("--voxels-out", is_flag=True, help="Write voxel indices to TARGET (.json).")
@use_form_option
@click.option(
    "--overwrite", is_flag=True, help="Replace TARGET if it holds points; never an image or mask."
)
@raw_option.with_access(only_with("task"))
def convert(
    source: tuple[Path, ...],
    target: Path,
    labels: tuple[str, ...],
    raw: Path | None,
    **options: Any,
) -> None:
    """Convert the prompts of one case from SOURCE, one file or several, to TARGET.

    Several files hold several objects, and may be named after their labels. Formats follow the
    file names: .nii.gz .nii .mha .nrrd (mask: voxel value = label), .json (grand-challenge
    "Multiple points", LPS mm), .mrk.json and .fcsv (3D Slicer), .csv (columns name,x,y,z,system
    and perhaps correction; or 3D Slicer's label,r,a,s).

    Corrections, points or lists named LABEL+ and LABEL-, are kept in their order. Only a mask loses
    something: its points are voxels, and it holds no corrections.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.prompts import convert_prompts
    from interactivenet.prompts.prompt import LabelNames

    convert_prompts(
        source,
        target,
        labels=LabelNames.parse(labels) if labels else None,
        roots=Roots.choose(raw=raw),
        reporter=Terminal(),
        **options,
    )
