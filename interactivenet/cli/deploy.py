"""``interactivenet deploy``: turn trained folds into a model that others can run."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import (
    Command,
    Number,
    processed_option,
    raw_option,
    required,
    results_option,
    task_option,
)
from interactivenet.cli.export_options import codes_option
from interactivenet.cli.folders import DataPath


@click.command("deploy", cls=Command)
@task_option
@click.option("--folds", default="all", show_default=True, metavar="K,K|all",
              help="Folds to deploy; all: every trained fold.")  # fmt: skip
@click.option("--zip", is_flag=True, help="Also write models/TASK.zip, to share.")
@click.option("--half", is_flag=True,
              help="Write the weights in half precision: half the size.")  # fmt: skip
@click.option("--grand-challenge", type=DataPath("writes"), metavar="FOLDER",
              help="Also write the files from which a grand-challenge algorithm is built, into this"
              " folder.")  # fmt: skip
@click.option("--settings", type=DataPath("reads"), metavar="FILE",
              help="JSON file with the algorithm's interfaces (see"
              " docs/how-to/deploying.md).")  # fmt: skip
@click.option("--image", default="interactivenet", show_default=True,
              help="Container image that the algorithm is built on.")  # fmt: skip
@click.option("--description", default="", metavar="TEXT",
              help="First paragraph of the model card: data, makers, licence.")  # fmt: skip
@codes_option
@click.option("--distil", is_flag=True,
              help="Train one network that says what the folds' mean says, and deploy that: faster"
              " by the number of folds. Goes on where it was interrupted.")  # fmt: skip
@click.option("-e", "--epochs", type=click.IntRange(min=1),
              help="Epochs of --distil.  [default: a fifth of the folds']")  # fmt: skip
@click.option("--minutes", type=Number(min=0, min_open=True),
              help="Minutes of --distil instead.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
              show_default=True, help="Device of --distil; auto: a GPU if available.")  # fmt: skip
@raw_option.with_access("ignores")
@processed_option.with_access("ignores")  # a deployed model needs nothing of its task
@results_option
def deploy(
    task: str | None,
    folds: str,
    zip: bool,
    half: bool,
    grand_challenge: Path | None,
    settings: Path | None,
    image: str,
    description: str,
    codes: Path | None,
    distil: bool,
    epochs: int | None,
    minutes: float | None,
    device: str,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
) -> None:
    """Package a trained task as a bundle: weights, plan, postprocessing, checksums, model card.

    The bundle is written to models/TASK in the results folder, where 'infer' finds it; it can be
    moved anywhere, and contains no patient's name. With --grand-challenge, a model that is already
    deployed or installed can be used without the data of its task.
    """
    from interactivenet.cli.reporting import say
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.models.model import parse_folds
    from interactivenet.pipeline.deploy import deploy as run_stage
    from interactivenet.pipeline.student import StudentOptions

    name = required(task, "-t / --task")
    if not image.strip():
        raise click.UsageError("--image is empty: expected the name of a container image.")
    if settings is not None and grand_challenge is None:
        raise click.UsageError("--settings can only be used with --grand-challenge.")
    if grand_challenge is not None:  # refused before anything is written
        from interactivenet.grand_challenge.earlier import check_target
        from interactivenet.grand_challenge.settings import AlgorithmSettings

        check_target(grand_challenge)
        chosen = AlgorithmSettings() if settings is None else AlgorithmSettings.load(settings)
    if not distil and (epochs is not None or minutes is not None or device != "auto"):
        raise click.UsageError("--epochs, --minutes and --device can only be used with --distil.")
    deployment = run_stage(
        name,
        folds=parse_folds(folds),
        zip=zip,
        half=half,
        description=description,
        codes=codes,
        distil=distil and StudentOptions(epochs, minutes, device),
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        reporter=Terminal(),
    )
    if grand_challenge is not None:
        from interactivenet.grand_challenge.folder import write_algorithm

        write_algorithm(deployment.folder, grand_challenge, chosen, image)
        say(
            f"{grand_challenge}: do_build.sh, do_test_run.sh, do_save.sh; README.md lists the"
            " interfaces"
        )
