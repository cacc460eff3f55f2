"""``interactivenet infer``: segment new cases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from interactivenet.cli.base import (
    Command,
    max_gb_option,
    processed_option,
    results_option,
    task_option,
    use_form_option,
)
from interactivenet.cli.dicom_options import one_grid_options, rois_option
from interactivenet.cli.export_options import codes_option
from interactivenet.cli.folders import DataPath
from interactivenet.cli.network_options import OF_TASK, access_to_models, network_options
from interactivenet.cli.picture_options import pictures_option
from interactivenet.cli.shard_options import shard_options

if TYPE_CHECKING:
    from interactivenet.inference.options import InferenceOptions


@click.command("infer", cls=Command)
@task_option
@click.option("-i", "--images", multiple=True, type=DataPath("reads"), metavar="PATH",
              help="Folder of images; or, for a single case, an image file or DICOM folder (of a"
              " series, or of studies), once per modality.")  # fmt: skip
@click.option("-in", "--interactions", multiple=True, type=DataPath("reads"), metavar="PATH",
              help="Folder of points files named like the cases; or, for a single case, its file,"
              " or several, each of other objects or of corrections.")  # fmt: skip
@click.option("-o", "--output", type=DataPath("writes"), metavar="FOLDER",
              help="Folder for the label maps.")  # fmt: skip
@click.option("-l", "--labels", type=DataPath("reads"), metavar="PATH",
              help="Label maps, RTSTRUCT or DICOM SEG to compare with.")  # fmt: skip
@click.option("-m", "--mlflow", is_flag=True, help="Record the run in MLflow.")
@click.option("--model", metavar="deployed|own|NAME|PATH",
              help="Model to use, if the task has several, or without -t: 'starter' (any object,"
              " built in), the name of an installed model, or its folder or zip.")  # fmt: skip
@click.option("--format", multiple=True, metavar="FORMAT",
              help="Format of the label maps: nii.gz (default), mha or nrrd; and, once for each,"
              " what they are exported to besides: dcm-seg (DICOM SEG), rtstruct, seg.nrrd (3D"
              " Slicer).")  # fmt: skip
@codes_option
@click.option("-w", "--probabilities", is_flag=True, help="Also write probabilities (CASE.npz).")
@pictures_option
@click.option("--any-points", is_flag=True,
              help="Accept any number of points, not only six margin points.")  # fmt: skip
@click.option("--series", default="", metavar="NUMBER|UID|TEXT",
              help="DICOM series to segment, where a folder has several: its number, UID or"
              " description.")  # fmt: skip
@click.option("--name-by", type=click.Choice(["folder", "patient", "study", "series"]),
              default="folder", show_default=True,
              help="Name DICOM cases by their folder, or by the IDs in their headers.")  # fmt: skip
@click.option("--modality", "modalities", multiple=True, metavar="NAME=PATTERN",
              help="Take -i for a DICOM tree of many patients. NAME is a modality of the model;"
              " PATTERN is number, UID, or glob or part of the description of its series. Repeat"
              " the option for each.")  # fmt: skip
@one_grid_options
@rois_option
@use_form_option
@network_options
@click.option("--overwrite", is_flag=True, help="Redo finished work.")
@shard_options
@processed_option.with_access("ignores")  # a deployed model needs nothing of its task
@results_option.with_access(access_to_models)
@max_gb_option
@click.pass_context
def infer(
    ctx: click.Context,
    /,
    task: str | None,
    images: tuple[Path, ...],
    interactions: tuple[Path, ...],
    output: Path | None,
    labels: Path | None,
    mlflow: bool,
    model: str | None,
    format: tuple[str, ...],
    codes: Path | None,
    probabilities: bool,
    pictures: bool,
    any_points: bool,
    series: str,
    name_by: Literal["folder", "patient", "study", "series"],
    modalities: tuple[str, ...],
    resample_to: str | None,
    across_frames: bool,
    rois: tuple[str, ...],
    use_form: Literal["sform", "qform"] | None,
    overwrite: bool,
    shard: str | None,
    gather: bool,
    processed: Path | None,
    results: Path | None,
    options: InferenceOptions,
) -> None:
    """Segment new cases with a trained model, and compare them with labels if given.

    The model is that of the task (-t), or the one that --model names.
    Writes OUTPUT/CASE.nii.gz, on the grid of the case's image, and CASE.json, with its objects;
    report.html, summary.csv and contact sheets of all cases.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.infer import infer as run_stage

    if not task and model in OF_TASK:
        raise click.UsageError("Missing option '-t / --task', or '--model' with another model.")
    if not images:
        raise click.UsageError("Missing option '-i / --images'.")
    if not interactions or output is None:
        missing = "-o / --output" if interactions else "-in / --interactions"
        raise click.UsageError(f"Missing option '{missing}'.")
    result = run_stage(
        task or None,
        images,
        interactions,
        output,
        labels=labels,
        mlflow=mlflow,
        model=model,
        format=format,
        codes=codes,
        probabilities=probabilities,
        pictures=pictures,
        any_points=any_points,
        series=series,
        name_by=name_by,
        modalities=modalities,
        resample_to=resample_to,
        across_frames=across_frames,
        rois=rois,
        use_form=use_form,
        options=options,
        overwrite=overwrite,
        shard=shard,
        gather=gather,
        roots=Roots.choose(processed=processed, results=results),
        reporter=Terminal(),
    )
    if result.failures:
        ctx.exit(1)
