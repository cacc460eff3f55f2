"""``interactivenet train``: train the folds of a planned task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import (
    Command,
    Number,
    max_gb_option,
    processed_option,
    raw_option,
    required,
    results_option,
    task_option,
)
from interactivenet.cli.folders import only_with


@click.command("train", cls=Command)
@task_option
@click.option(
    "-f",
    "--fold",
    metavar="FOLD|all",
    help="Number of the fold to train, or all to train every fold in turn.",
)
@click.option("-e", "--epochs", type=click.IntRange(min=1),
              help="Number of epochs of the whole training, over which the learning rate falls."
              "  [default: 500]")  # fmt: skip
@click.option("--minutes", type=Number(min=0, min_open=True),
              help="Train for so many minutes instead, those of earlier runs of this training"
              " included; the learning rate falls with the clock.")  # fmt: skip
@click.option("--steps", type=click.IntRange(min=1),
              help="Steps of an epoch.  [default: each object once, 10 or more; 100 with a grid of"
              " the object's own]")  # fmt: skip
@click.option("--from", "start", metavar="MODEL",
              help="Trained model to start from, of whose weights those that fit are taken:"
              " 'starter' (built in), an installed model's name, its folder or zip.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
              show_default=True, help="Device to train on; auto: a GPU if available.")  # fmt: skip
@click.option("--devices", default=1, show_default=True, type=click.IntRange(min=1),
              help="Number of GPUs (or CPU processes) to train one fold on.")  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["auto", "bf16", "fp16", "fp32"]), default="auto",
    show_default=True,
    help="Precision of the network; auto: bf16 if the GPU or CPU multiplies in it, otherwise fp32.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=0),
              help="Number of processes that draw samples.  [default: depends on the"
              " machine]")  # fmt: skip
@click.option(
    "--deterministic",
    is_flag=True,
    help="Train reproducibly: the same weights every time, but slower.",
)
@click.option("--overwrite", is_flag=True, help="Start over instead of continuing.")
@click.option("--validate/--no-validate", default=True, show_default=True,
              help="Segment the fold's validation cases after the training.")  # fmt: skip
@click.option("--mlflow/--no-mlflow", default=True, show_default=True,
              help="Record the training in MLflow.")  # fmt: skip
@raw_option.with_access(only_with("validate"))
@processed_option
@results_option
@max_gb_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    task: str | None,
    fold: str | None,
    overwrite: bool,
    validate: bool,
    mlflow: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    **options: Any,
) -> None:
    """Train and validate one fold of a planned task, or all of them.

    Writes weights, checkpoint, metrics.csv, curves.png, run.json and validation/ into
    TASK/fold_FOLD in the results folder. An interrupted training (Ctrl-C, SIGTERM, or worse)
    continues when the same command is run again.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.datasets.roots import Roots
    from interactivenet.pipeline.train import train as run_stage
    from interactivenet.training.options import TrainingOptions

    folds = run_stage(
        required(task, "-t / --task"),
        required(fold, "-f / --fold"),
        TrainingOptions(**options),
        validate=validate,
        overwrite=overwrite,
        mlflow=mlflow,
        roots=Roots.choose(raw=raw, processed=processed, results=results),
        reporter=Terminal(),
    )
    if any(outcome.failures for outcome in folds):
        ctx.exit(1)
