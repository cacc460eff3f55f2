"""What the commands that use a trained model share: options, the stage's record, the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from interactivenet.cli.base import processed_option, raw_option, results_option, task_option
from interactivenet.cli.reporting import counted, say, show_findings, track
from interactivenet.pipeline import tracking

if TYPE_CHECKING:
    from interactivenet.datasets.task import Case, Roots
    from interactivenet.evaluation.evaluate import Evaluation
    from interactivenet.inference.batch import CaseResult, Output
    from interactivenet.inference.predictor import Predictor
    from interactivenet.models.model import Model
    from interactivenet.pipeline.tracking import Tracker
    from interactivenet.system.provenance import Run
    from interactivenet.system.signals import Signals

Function = TypeVar("Function", bound=Callable[..., Any])


def roots_options(function: Function) -> Function:
    """Add ``-t``, ``--raw``, ``--processed``, ``--results`` and ``--overwrite``."""
    overwrite = click.option("--overwrite", is_flag=True, help="Do again what is done.")
    for option in (overwrite, results_option, processed_option, raw_option, task_option):
        function = option(function)
    return function


def network_options(function: Function) -> Function:
    """Add what decides how networks are used."""
    for option in (
        click.option("--restore", type=click.Choice(["probability", "label"]),
                     default="probability", show_default=True,
                     help="What goes back to the scan's grid; label: faster, stepped."),
        click.option("--precision", type=click.Choice(["auto", "bf16", "fp16", "fp32"]),
                     default="auto", show_default=True, help="As for train."),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
                     show_default=True, help="What to segment on."),
        click.option("--tta/--no-tta", default=True, show_default=True,
                     help="Average over the mirrored axes: 8 times the work, better."),
    ):  # fmt: skip
        function = option(function)
    return function


def output_options(function: Function) -> Function:
    """Add ``-n`` and ``-w``."""
    for option in (
        click.option("-w", "--probabilities", is_flag=True,
                     help="Write CASE.npz: probabilities, float16, as ensemble needs them."),
        click.option("-n", "--nifti/--no-nifti", default=True, show_default=True,
                     help="Write CASE.nii.gz: label maps."),
    ):  # fmt: skip
        function = option(function)
    return function


def mlflow_option(function: Function) -> Function:
    """Add ``--mlflow``."""
    return click.option("--mlflow/--no-mlflow", default=True, show_default=True,
                        help="Record the stage in MLflow.")(function)  # fmt: skip


@contextmanager
def stage(
    ctx: click.Context,
    name: str,
    folder: Path,
    others: Sequence[Path] = (),
    seed: int | None = None,
) -> Iterator[tuple[Run, Signals]]:
    """Run a stage: alone in its folders, recorded in ``run.json``, ended by signals in time."""
    from interactivenet.system.locks import folder_lock
    from interactivenet.system.provenance import Run
    from interactivenet.system.signals import Interrupted, Signals

    signals = Signals()
    with ExitStack() as open_:
        for one in (folder, *others):
            open_.enter_context(folder_lock(one))
        run = open_.enter_context(Run(folder, name, ctx.params, seed))
        open_.enter_context(signals.noted())
        try:
            yield run, signals
        except Interrupted as ended:
            say(f"{ended}: what is done is kept; the same command goes on")
            run.note(ended=str(ended))
            ctx.exit(128 + ended.number)


def how_of(tta: bool, device: str, precision: str, restore: str) -> dict[str, Any]:
    """Return what decides a result beside model and files, for the record of each case."""
    from interactivenet.models.device import choose_device, choose_precision

    chosen = choose_precision(precision, choose_device(device))
    return {"mirrored": tta, "restore": restore, "precision": chosen}


def predictor_for(model: Model, how: Mapping[str, Any], device: str) -> Callable[[], Predictor]:
    """Return what loads the model, once the first case is due."""

    def make() -> Predictor:
        from interactivenet.inference.predictor import Predictor

        return Predictor(model, device=device, **how)

    return make


def describe_model(model: Model, how: Mapping[str, Any], device: str) -> list[str]:
    """Say what is about to segment."""
    from interactivenet.models.device import choose_device

    members = 8 if how["mirrored"] else 1
    return [
        f"model: {model.name}",
        f"{model.checkpoint} checkpoint, postprocessing {model.postprocessing.name};"
        f" {counted(members, 'prediction')} per fold and object; {choose_device(device)},"
        f" {how['precision']}",
    ]


def finish(
    results: Iterable[CaseResult], total: int, what: str, run: Run, folder: Path
) -> dict[str, str]:
    """Follow a stage to its end and report it; returns case -> why it failed."""
    from interactivenet.datasets.file_matching import Finding
    from interactivenet.datasets.task import record_failures

    failures, kept, seconds, looks = {}, 0, 0.0, []
    inputs: dict[str, str] = {}
    for done in track(iter(results), total, what):
        kept += done.kept
        seconds += done.network_seconds
        if done.error:
            failures[done.case] = done.error
        elif done.record:
            inputs.update(done.record["made_from"]["inputs"])
            objects = done.record["objects"]
            looks += [done.case] * any(one["look"] for one in objects)
    run.inputs(inputs)
    run.note(cases=total, kept=kept, failures=failures)
    run.record["seconds"]["network"] = round(seconds, 3)
    recorded = record_failures(folder, what, failures)
    if failures:
        show_findings([Finding("error", name, reason) for name, reason in failures.items()])
        say(f"{counted(len(failures), 'case')} failed, see {recorded}")
    if kept:
        say(f"{counted(kept, 'case')} done before, of the same files and settings: kept"
            " (--overwrite does them again)")  # fmt: skip
    if looks:
        more = " ..." if len(looks) > 8 else ""
        say(f"look first at {counted(len(looks), 'case')}: {', '.join(looks[:8])}{more}")
    return failures


def labelled_pairs(cases: Sequence[Case], output: Output) -> list[Any]:
    """Pair the predictions of an output with the labels of its cases, where there are any."""
    from interactivenet.evaluation.matching import Pair
    from interactivenet.inference.batch import OBJECTS

    pairs = []
    for case in cases:
        prediction = output.folder / f"{case.name}{output.suffix}"
        objects = output.folder / OBJECTS / f"{case.name}{output.suffix}"
        if case.label and prediction.exists():
            pairs.append(
                Pair(
                    case=case.name, prediction=prediction, label=case.label, images=case.images,
                    prompts=case.interaction, subtype=case.subtype,
                    objects=objects if objects.exists() else None,
                    record=output.folder / f"{case.name}.json",
                )
            )  # fmt: skip
    return pairs


def evaluate_output(
    cases: Sequence[Case],
    output: Output,
    folder: Path,
    model: Model,
    mirrored: bool,
    title: str,
    failures: Mapping[str, str],
    signals: Signals,
    tracker: Tracker,
) -> Evaluation:
    """Compare an output with the labels of its cases, and show and log what was found."""
    from interactivenet.cli.evaluation_shown import show_summary
    from interactivenet.evaluation.evaluate import evaluate_cases
    from interactivenet.prompts.prompt import LabelNames
    from interactivenet.system.parallel import available_cores

    calibration = model.calibration(mirrored)
    evaluation = evaluate_cases(
        labelled_pairs([case for case in cases if case.name not in failures], output), folder,
        labels=LabelNames(model.plan.labels), modalities=model.plan.modalities, title=title,
        calibration=asdict(calibration) if calibration else None, jobs=available_cores(),
        track=track, signals=signals, missing=failures,
    )  # fmt: skip
    show_summary(evaluation)
    metrics = evaluation.summary["all"]["metrics"]
    tracker.metrics({f"{name}_mean": one["mean"] for name, one in metrics.items()})
    everything = evaluation.summary["all"]
    tracker.metrics({name: everything[name] for name in ("objects", "missed")})
    for path in (folder / "metrics.json", folder / "metrics.csv", evaluation.report,
                 *sorted((folder / "figures").glob("*.png"))):  # fmt: skip
        tracker.artefact(path, "evaluation")
    return evaluation


@contextmanager
def tracked(
    roots: Roots, task: str, run: str, parameters: Mapping[str, Any], mlflow: bool
) -> Iterator[Tracker]:
    """Open a run in MLflow, or none, and close it."""
    if not mlflow:
        yield tracking.silent()
        return
    tracker = tracking.start(roots.results, task, run, warn=say)
    tracker.parameters(parameters)
    try:
        yield tracker
    except click.exceptions.Exit:
        tracker.finish("KILLED")
        raise
    except BaseException:
        tracker.finish("FAILED")
        raise
    tracker.finish()
