"""``interactivenet evaluate``: compare stored predictions with labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from interactivenet.cli.base import (
    Command,
    Number,
    jobs_option,
    max_gb_option,
    processed_option,
    raw_option,
    results_option,
    task_option,
    use_form_option,
)
from interactivenet.cli.dicom_options import rois_option
from interactivenet.cli.folders import Access, DataPath, only_with
from interactivenet.cli.network_options import network_options

if TYPE_CHECKING:
    from interactivenet.inference.options import InferenceOptions

_READ = DataPath("reads")
#: options that only 'evaluate --robustness' uses
_OF_ROBUSTNESS = {
    "robustness", "repeats", "seed", "task", "overwrite", "raw", "processed", "results",
    "mirrored", "tta", "device", "precision", "restore", "backend",
}  # fmt: skip


def _access_to_predictions(options: Mapping[str, Any]) -> Access:
    """Say whether the evaluation goes to where the predictions are."""
    return "writes" if options["output"] is None and not options["robustness"] else "reads"


def _access_to_results(options: Mapping[str, Any]) -> Access:
    """Say whether --robustness finds its model there, or writes there as well."""
    if not options["robustness"]:
        return "ignores"
    return "writes" if options["output"] is None else "reads"


@click.command("evaluate", cls=Command)
@click.option("-p", "--predictions", type=DataPath(_access_to_predictions),
              help="Folder of predicted label maps, or a single one.")  # fmt: skip
@click.option(
    "-l",
    "--labels",
    type=_READ,
    help="Folder of true label maps, RTSTRUCT or DICOM SEG, or a single one.",
)
@click.option(
    "-i", "--images", type=_READ, help="Folder of images (CASE_0000 ... or CASE), for pictures."
)
@click.option(
    "-in",
    "--interactions",
    type=_READ,
    help="Folder of points, for pictures and to tell objects of one label apart.",
)
@click.option("-o", "--output", type=DataPath("writes"),
              help="Folder to write to.  [default: PREDICTIONS/evaluation]")  # fmt: skip
@click.option("--subtypes", type=_READ, help='JSON file of subtypes: {"CASE": "subtype", ...}.')
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="VALUE=NAME",
    help="Name of a label value. Repeat the option for several.",
)
@click.option("--tolerance-mm", default=2.0, show_default=True, type=Number(min=0),
              help="Distance within which surfaces agree, in mm, for the NSD.")  # fmt: skip
@click.option("--pictures/--no-pictures", default=True, show_default=True,
              help="Draw the worst object of every case that has an image.")  # fmt: skip
@rois_option
@use_form_option
@jobs_option
@click.option("--robustness", is_flag=True,
              help="The old spelling of 'interactivenet robustness'.")  # fmt: skip
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1),
              help="Number of times each perturbation is drawn.")  # fmt: skip
@click.option("-s", "--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Seed of the perturbations.")  # fmt: skip
@task_option
@raw_option.with_access(only_with("robustness"))
@processed_option.with_access(only_with("robustness"))
@results_option.with_access(_access_to_results)
@click.option("--overwrite", is_flag=True, help="Redo finished work.")
@network_options
@max_gb_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    predictions: Path | None,
    labels: Path | None,
    images: Path | None,
    interactions: Path | None,
    output: Path | None,
    subtypes: Path | None,
    names: tuple[str, ...],
    tolerance_mm: float,
    pictures: bool,
    rois: tuple[str, ...],
    use_form: Literal["sform", "qform"] | None,
    jobs: int | None,
    robustness: bool,
    repeats: int,
    seed: int,
    task: str | None,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    options: InferenceOptions,
) -> None:
    """Compare predictions, from this or any other program, with labels of the same name.

    Writes metrics.json, metrics.csv, report.html, figures/ and run.json. Also uses CASE.json and
    objects/ beside the predictions, if 'predict' wrote them.
    """
    from interactivenet.cli.reporting import say
    from interactivenet.cli.terminal import Terminal

    if robustness:
        from interactivenet.cli.robustness import run_robustness

        say("note: 'evaluate --robustness' is the old spelling of 'interactivenet robustness'")
        run_robustness(
            ctx, task, raw, processed, results, output=output, repeats=repeats, seed=seed,
            options=options, overwrite=overwrite,
        )  # fmt: skip
        return
    if predictions is None or labels is None:
        missing = "-p / --predictions" if predictions is None else "-l / --labels"
        raise click.UsageError(f"Missing option '{missing}'.")
    from interactivenet.pipeline.evaluate import evaluate as run_stage
    from interactivenet.prompts.prompt import LabelNames

    evaluation = run_stage(
        predictions,
        labels,
        images=images,
        interactions=interactions,
        output=output,
        subtypes=subtypes,
        names=LabelNames.parse(names).names,
        tolerance_mm=tolerance_mm,
        pictures=pictures,
        rois=rois,
        use_form=use_form,
        jobs=jobs,
        reporter=Terminal(),
    )
    if evaluation.failures:
        ctx.exit(1)


for _parameter in evaluate.params:  # of the old spelling alone
    if isinstance(_parameter, click.Option) and _parameter.name in _OF_ROBUSTNESS:
        _parameter.hidden = True
