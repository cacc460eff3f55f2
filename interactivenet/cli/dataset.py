"""``interactivenet dataset``: check a raw task and write dataset.json; import; phantoms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from interactivenet.cli.base import (
    Group,
    jobs_option,
    max_gb_option,
    raw_option,
    required,
    task_option,
    use_form_option,
)
from interactivenet.cli.dicom_options import one_grid_options, rois_option
from interactivenet.cli.folders import DataPath

_LABEL_HELP = (
    "Name of a label, numbered from 1 in the order given, or VALUE=NAME. Repeat the option for"
    " several labels."
)


@click.command("dataset", cls=Group, invoke_without_command=True)
@task_option
@click.option(
    "-m", "--modality", "modalities", multiple=True, metavar="NAME",
    help="Name of a modality, such as MR or CT. Repeat the option for several, in the order _0000,"
    " _0001 ...",
)  # fmt: skip
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME", help=_LABEL_HELP)
@click.option("--subtypes", is_flag=True, help="Read each case's subtype from subtypes.json.")
@use_form_option
@raw_option.with_access("writes")
@jobs_option
@max_gb_option
@click.pass_context
def dataset(
    ctx: click.Context,
    /,
    task: str | None,
    modalities: tuple[str, ...],
    labels: tuple[str, ...],
    subtypes: bool,
    use_form: Literal["sform", "qform"] | None,
    raw: Path | None,
    jobs: int | None,
) -> None:
    """Check a raw task, print what is found, and write its dataset.json.

    Every image, label map and prompt file is read. A case with an error is left out of
    dataset.json and named in failures.json; a case with only warnings or notes stays in. Without
    -m and -l, the modalities and labels are those of the task's existing dataset.json.
    """
    if ctx.invoked_subcommand is not None:
        return
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.dataset import check_dataset
    from interactivenet.prompts.prompt import LabelNames

    checked = check_dataset(
        required(task, "-t / --task"),
        modalities=modalities,
        labels=LabelNames.parse(labels),
        subtypes=subtypes,
        use_form=use_form,
        roots=Roots.choose(raw=raw),
        jobs=jobs,
        reporter=Terminal(),
    )
    if checked.failures:
        ctx.exit(1)


@dataset.command("convert")
@click.argument("source", type=DataPath("reads", exists=True, file_okay=False))
@task_option
@click.option(
    "-m", "--modality", "modalities", multiple=True, metavar="NAME",
    help="Name of a modality, if SOURCE does not name them. Of a DICOM tree, NAME=PATTERN: number,"
    " UID, or glob or part of the description of its series; NAME alone (MR, CT, PET) for all of"
    " that scanner. Repeat the option for several.",
)  # fmt: skip
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME", help=_LABEL_HELP)
@rois_option
@click.option("--structures", default="", metavar="PATTERN",
              help="Structure set to take, where a case of a DICOM tree has several: glob or part"
              " of its label, description or file name, or its UID.")  # fmt: skip
@one_grid_options
@click.option("--merge-labels", metavar="NAME", help="Merge all labels into one with this name.")
@click.option("--copy", is_flag=True, help="Copy files instead of hard-linking them.")
@click.option("--cases", type=click.IntRange(min=1),
              help="Number of labelled cases to take, drawn at random.  [default: all"
              " cases]")  # fmt: skip
@click.option("--test-cases", default=0, type=click.IntRange(min=0),
              help="Number of further labelled cases to take as test cases.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the random draw of cases.")
@click.option("--dry-run", is_flag=True, help="Only say what would be imported.")
@raw_option.with_access("writes")
@jobs_option
@max_gb_option
@click.pass_context
def convert(
    ctx: click.Context,
    /,
    source: Path,
    task: str | None,
    labels: tuple[str, ...],
    raw: Path | None,
    **options: Any,
) -> None:
    """Import SOURCE as a raw task, then check it. SOURCE is never altered.

    SOURCE is a Medical Segmentation Decathlon folder (4D images become one file per modality),
    an nnU-Net dataset (v1 or v2), a plain folder with images/ and labels/, or a tree of DICOM
    studies with structure sets (RTSTRUCT, SEG). Files are hard-linked where the disk allows it,
    and copied otherwise; read-only files are copied.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.convert import convert_dataset
    from interactivenet.prompts.prompt import LabelNames

    checked = convert_dataset(
        source,
        required(task, "-t / --task"),
        labels=LabelNames.parse(labels) if labels else None,
        roots=Roots.choose(raw=raw),
        reporter=Terminal(),
        **options,
    )
    if checked.failures:
        ctx.exit(1)


@dataset.command("phantom")
@task_option
@click.option("--cases", default=10, show_default=True, help="Number of training cases.")
@click.option("--test-cases", default=2, show_default=True, help="Number of test cases.")
@click.option(
    "-m", "--modality", "modalities", multiple=True, default=("MR",), show_default=True,
    metavar="NAME",
    help="Name of a modality; CT is in Hounsfield units. Repeat the option for several.",
)  # fmt: skip
@click.option(
    "-l", "--label", "labels", multiple=True, default=("tumour",), show_default=True,
    metavar="NAME", help="Name of a label. Repeat the option for several.",
)  # fmt: skip
@click.option(
    "--objects", default=1, show_default=True, help="Number of objects per label and case."
)
@click.option(
    "--shape",
    type=(int, int, int),
    default=(64, 64, 32),
    show_default=True,
    help="Voxels along each axis.",
)
@click.option(
    "--spacing",
    type=(float, float, float),
    default=(1.0, 1.0, 2.0),
    show_default=True,
    help="Voxel spacing, in mm.",
)
@click.option("--oblique", default=0.0, show_default=True, help="Tilt of the grid, in degrees.")
@click.option(
    "--orientation",
    default="LPS",
    show_default=True,
    help="Orientation in which the axes are stored.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the synthetic scans.")
@raw_option.with_access("writes")
@jobs_option
@click.pass_context
def phantom(
    ctx: click.Context,
    /,
    task: str | None,
    raw: Path | None,
    jobs: int | None,
    **settings: Any,
) -> None:
    """Make a task of synthetic scans with lobulated tumours, to try the program on."""
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.phantom import PhantomSettings
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.dataset import make_phantoms

    checked = make_phantoms(
        required(task, "-t / --task"),
        PhantomSettings(**settings),
        roots=Roots.choose(raw=raw),
        jobs=jobs,
        reporter=Terminal(),
    )
    if checked.failures:
        ctx.exit(1)
