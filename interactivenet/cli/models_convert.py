"""``interactivenet models convert``: a published model of the original program as a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Command, results_option, task_option
from interactivenet.cli.folders import DataPath


@click.command("convert", cls=Command)
@click.argument("source", type=DataPath("reads", exists=True))
@task_option
@click.option("-l", "--label", default="tumour", show_default=True, metavar="NAME",
              help="Name of the model's label.")  # fmt: skip
@click.option("-m", "--modality", metavar="NAME",
              help="Name of the model's modality.  [default: CT or MR, by its plans]")  # fmt: skip
@click.option("--grow", is_flag=True,
              help="Grow the box around the points by the depth of margin points, so that the"
              " regions cut out are as large as those that the model was trained on.")  # fmt: skip
@results_option
@click.option("--overwrite", is_flag=True, help="Replace an installed model of the same name.")
def convert(
    source: Path,
    task: str | None,
    label: str,
    modality: str | None,
    grow: bool,
    results: Path | None,
    overwrite: bool,
) -> None:
    """Convert SOURCE, a model published by InteractiveNet 0.2.x, into a model of this version.

    SOURCE is its folder or zip: plans.json, postprocessings.json and model/FOLD/data/model.pth.
    No code in it is executed. Inference with the model follows the rules of the original program.
    Without -t, the model is named after SOURCE.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.models import convert_model

    convert_model(
        source, task=task, label=label, modality=modality, grow=grow, overwrite=overwrite,
        roots=Roots.choose(results=results), reporter=Terminal(),
    )  # fmt: skip
