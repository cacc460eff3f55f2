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
              help="Name of its label.")  # fmt: skip
@click.option("-m", "--modality", metavar="NAME",
              help="Name of its image.  [default: CT or MR]")  # fmt: skip
@click.option("--grow", is_flag=True,
              help="Let the points' box first grow by the depth of margin points, so that cuts are"
              " as large as those that the model was trained on.")  # fmt: skip
@results_option
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
def convert(
    source: Path,
    task: str | None,
    label: str,
    modality: str | None,
    grow: bool,
    results: Path | None,
    overwrite: bool,
) -> None:
    """Turn SOURCE, a model published by InteractiveNet 0.2.x, into a model of this version.

    SOURCE is its folder or zip: plans.json, postprocessings.json and model/FOLD/data/model.pth.
    Nothing of it is executed. Inference then follows the rules of the original program. Without
    -t, the task has the name of SOURCE.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.task import Roots
    from interactivenet.pipeline.models import convert_model

    convert_model(
        source, task=task, label=label, modality=modality, grow=grow, overwrite=overwrite,
        roots=Roots.choose(results=results), reporter=Terminal(),
    )  # fmt: skip
