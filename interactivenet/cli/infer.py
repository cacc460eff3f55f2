"""``interactivenet infer``: segment new cases."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import (
    Command,
    processed_option,
    required,
    results_option,
    task_option,
)
from interactivenet.cli.folders import Access, DataPath
from interactivenet.cli.predicting import network_options


def _access_to_results(options: Mapping[str, Any]) -> Access:
    """Say whether models are read there, and MLflow's database is written."""
    if options["mlflow"] and not os.environ.get("MLFLOW_TRACKING_URI"):
        return "writes"
    return "reads" if options["model"] in (None, "deployed", "own") else "ignores"


@click.command("infer", cls=Command)
@task_option
@click.option("-i", "--images", multiple=True, type=DataPath("reads"), metavar="PATH",
              help="Folder of images, a file, or a DICOM folder; once per modality of a single"
              " case.")  # fmt: skip
@click.option("-in", "--interactions", type=DataPath("reads"), metavar="PATH",
              help="Folder of points, named as the cases, or a file.")  # fmt: skip
@click.option("-o", "--output", type=DataPath("writes"), metavar="FOLDER",
              help="Where the label maps go.")  # fmt: skip
@click.option("-l", "--labels", type=DataPath("reads"), metavar="PATH",
              help="Label maps to compare with.")  # fmt: skip
@click.option("-m", "--mlflow", is_flag=True, help="Record it in MLflow.")
@click.option("--model", metavar="deployed|own|FOLDER",
              help="Which model, where there are several.")  # fmt: skip
@click.option("--format", "suffix", type=click.Choice(["nii.gz", "mha", "nrrd"]),
              default="nii.gz", show_default=True, help="Of the label maps.")  # fmt: skip
@click.option("-w", "--probabilities", is_flag=True, help="Write CASE.npz: probabilities.")
@click.option("--any-points", is_flag=True,
              help="Take any number of points, not six margin points.")  # fmt: skip
@network_options
@click.option("--overwrite", is_flag=True, help="Do again what is done.")
@processed_option.with_access("ignores")  # a deployed model needs nothing of its task
@results_option.with_access(_access_to_results)
@click.pass_context
def infer(
    ctx: click.Context,
    /,
    task: str | None,
    images: tuple[Path, ...],
    interactions: Path | None,
    output: Path | None,
    labels: Path | None,
    mlflow: bool,
    model: str | None,
    suffix: str,
    probabilities: bool,
    any_points: bool,
    overwrite: bool,
    processed: Path | None,
    results: Path | None,
    **network: Any,
) -> None:
    """Segment new cases with a trained model, and compare them with labels where given.

    Each case gives OUTPUT/CASE.nii.gz on the grid of its image, and CASE.json with what was found.
    """
    from interactivenet.cli.predicting import (
        describe_model,
        evaluate_output,
        finish,
        how_of,
        predictor_for,
        stage,
        tracked,
    )
    from interactivenet.cli.reporting import counted, say
    from interactivenet.datasets.inference_cases import check_output, check_scan, find_new_cases
    from interactivenet.datasets.task import EVALUATION, Roots
    from interactivenet.inference.batch import CaseResult, Output, predict_cases
    from interactivenet.models.bundle import find_model

    name = required(task, "-t / --task")
    if not images:
        raise click.UsageError("Missing option '-i / --images'.")
    if interactions is None or output is None:
        missing = "-in / --interactions" if interactions is None else "-o / --output"
        raise click.UsageError(f"Missing option '{missing}'.")
    check_output(output, [*images, interactions, *([labels] if labels else [])])
    roots = Roots.choose(processed=processed, results=results)
    found = find_model(roots, name, model)
    how = how_of(**network)
    cases, unusable = find_new_cases(images, interactions, labels, found.plan.modalities)
    target = Output(output, found.folds, True, probabilities, f".{suffix}")
    for line in describe_model(found, how, network["device"]):
        say(line)
    parameters = {"model": found.name, "folds": list(found.folds), **how}
    with (
        stage(ctx, "infer", output, seed=found.plan.seed) as (run, signals),
        tracked(roots, name, "inference", parameters, mlflow) as tracker,
    ):
        run.note(
            model=found.name, plan=found.plan.digest, weights=found.digests,
            choices=found.choices(), **how,
        )  # fmt: skip
        with run.step("segment"):
            done = predict_cases(
                cases, predictor_for(found, how, network["device"]), found, [target], how,
                check=lambda scan: check_scan(scan, any_points), overwrite=overwrite,
                signals=signals,
            )  # fmt: skip
            refused = [CaseResult(case, why) for case, why in unusable.items()]
            total = len(cases) + len(refused)
            failures = finish(chain(done, refused), total, "infer", run, output)
        tracker.metrics({"cases": total, "failed": len(failures)})
        labelled = [case for case in cases if case.label]
        if labelled:
            with run.step("evaluate"):
                evaluation = evaluate_output(
                    labelled, target, output / EVALUATION, found, how["mirrored"],
                    f"{name}: {counted(len(labelled), 'new case')}",
                    {case.name: failures[case.name] for case in labelled if case.name in failures},
                    signals, tracker,
                )  # fmt: skip
            failures |= evaluation.failures
        elif labels is not None:
            say(f"{labels}: has a label of none of the cases: nothing to evaluate")
    say(f"{output}: {counted(total - len(failures), 'case')}")
    if failures:
        ctx.exit(1)
