"""Options that the commands share which use a trained model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from interactivenet.cli.base import processed_option, raw_option, results_option, task_option
from interactivenet.cli.folders import Access

if TYPE_CHECKING:
    from interactivenet.models.model import Mirrored

#: what --model says of a task: which of its own is meant, or nothing
OF_TASK = (None, "deployed", "own")

#: --mirrored -> InferenceOptions.mirrored
_COPIES: Mapping[str, Mirrored] = {"all": True, "adaptive": "adaptive", "none": False}

Function = TypeVar("Function", bound=Callable[..., Any])


def roots_options(function: Function) -> Function:
    """Add ``-t``, ``--raw``, ``--processed``, ``--results`` and ``--overwrite``."""
    overwrite = click.option("--overwrite", is_flag=True, help="Redo finished work.")
    for option in (overwrite, results_option, processed_option, raw_option, task_option):
        function = option(function)
    return function


def network_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what decides how networks are used; the function gets it as one ``options``."""

    @wraps(function)
    def collected(
        *arguments: Any, mirrored: str | None, tta: bool | None, device: Any, precision: Any,
        restore: Any, backend: Any, **others: Any,
    ) -> Any:  # fmt: skip
        from interactivenet.inference.options import InferenceOptions

        if mirrored is not None and tta is not None and _COPIES[mirrored] is not tta:
            raise click.UsageError(
                f"--{'' if tta else 'no-'}tta and --mirrored {mirrored} contradict each other: give"
                " one of them."
            )
        asked = _COPIES[mirrored or "all"] if tta is None else tta
        options = InferenceOptions(asked, restore, precision, device, backend)
        return function(*arguments, options=options, **others)

    for option in (
        click.option("--restore", type=click.Choice(["probability", "label"]),
                     default="probability", show_default=True,
                     help="What is resampled to the scan's grid; label: faster, but with stepped"
                     " surfaces."),
        click.option("--precision", type=click.Choice(["auto", "bf16", "fp16", "fp32"]),
                     default="auto", show_default=True,
                     help="Precision of the network; auto: bf16 if the GPU or CPU multiplies in it,"
                     " otherwise fp32."),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
                     show_default=True, help="Device to segment on; auto: a GPU if available."),
        click.option("--backend", type=click.Choice(["auto", "torch", "openvino"]),
                     default="torch", show_default=True,
                     help="What computes the network; openvino: faster on a CPU (pip install"
                     " 'interactivenet[openvino]'); auto: openvino on a CPU if installed."),
        click.option("--tta/--no-tta", default=None, help="As --mirrored all, or none."),
        click.option("--mirrored", type=click.Choice([*_COPIES]),
                     help="Mirrored copies of the image to average over: better, but 8 times the"
                     " work; adaptive: no more than are needed, where they agree."
                     "  [default: all]"),
    ):  # fmt: skip
        collected = option(collected)
    return collected


def output_options(function: Function) -> Function:
    """Add ``-n`` and ``-w``."""
    for option in (
        click.option("-w", "--probabilities", is_flag=True,
                     help="Write probabilities (CASE.npz, float16), which 'ensemble' needs."),
        click.option("--nifti/--no-nifti", "-n", default=True, show_default=True,
                     help="Write label maps (CASE.nii.gz)."),
    ):  # fmt: skip
        function = option(function)
    return function


def mlflow_option(function: Function) -> Function:
    """Add ``--mlflow``."""
    return click.option("--mlflow/--no-mlflow", default=True, show_default=True,
                        help="Record the run in MLflow.")(function)  # fmt: skip


def access_to_models(options: Mapping[str, Any]) -> Access:
    """Say what a command with --model and --mlflow does in the results folder.

    Whether models are read there, and MLflow's database is written.
    """
    if options["mlflow"] and not os.environ.get("MLFLOW_TRACKING_URI"):
        return "writes"
    model = options["model"]
    if model in OF_TASK:
        return "reads"
    # the name of an installed model: no path, and not the one that comes with the package
    is_name = model != "starter" and Path(model).name == model and not Path(model).exists()
    return "reads" if is_name else "ignores"
