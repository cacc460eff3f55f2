"""What ``train`` does for each fold, and what it shows meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from interactivenet.cli.progress import EpochProgress
from interactivenet.cli.reporting import console, counted, say, show_findings, track
from interactivenet.datasets.file_matching import Finding
from interactivenet.datasets.task import Roots, Task
from interactivenet.errors import DataError, RequestError
from interactivenet.pipeline import tracking
from interactivenet.system.files import read_object, sha256, write_json

if TYPE_CHECKING:
    from interactivenet.pipeline.tracking import Tracker
    from interactivenet.pipeline.validate import Validated
    from interactivenet.preprocessing.folds import Fold
    from interactivenet.system.provenance import Run
    from interactivenet.system.signals import Signals
    from interactivenet.training.trainer import Trained, TrainingOptions


@dataclass(frozen=True)
class Request:
    """A fold to be trained; dataset: the raw task, None where nothing is to be validated."""

    roots: Roots
    task: str
    fold: int
    settings: TrainingOptions
    dataset: Task | None
    overwrite: bool
    mlflow: bool


def fold_numbers(roots: Roots, task: str, fold: str, devices: int) -> list[int]:
    """Return the folds that '3' or 'all' mean; raises RequestError where there is none such."""
    from interactivenet.planning.planned_task import PlannedTask

    if fold == "all" and devices > 1:
        raise RequestError(f"--devices {devices}: expected one fold at a time, not all")
    count = len(PlannedTask.load(roots.processed_task(task)).splits)
    if fold == "all":
        return list(range(count))
    if not re.fullmatch(r"\d+", fold) or int(fold) >= count:
        there = ", ".join(map(str, range(count)))
        raise RequestError(f"-f / --fold {fold}: expected all or one of {there}")
    return [int(fold)]


def train_and_validate(ctx: click.Context, request: Request) -> int:
    """Train a fold, segment its validation cases; returns how many of them failed.

    Leaves the program with 143 or 130 where a signal came.
    """
    from interactivenet.models.device import choose_device, choose_precision, rank
    from interactivenet.planning.planned_task import PlannedTask
    from interactivenet.preprocessing.folds import read_fold
    from interactivenet.system.locks import folder_lock
    from interactivenet.system.provenance import Run
    from interactivenet.system.signals import Interrupted, Signals
    from interactivenet.training.trainer import train_fold

    settings, roots = request.settings, request.roots
    fold = read_fold(PlannedTask.load(roots.processed_task(request.task)), request.fold)
    folder = roots.results / request.task / f"fold_{fold.number}"
    if rank(settings.devices):  # a further process of the same training: the first one reports
        with suppress(Interrupted):
            train_fold(fold, folder, settings, overwrite=request.overwrite, warn=_silent)
        return 0
    signals = Signals()
    with (
        folder_lock(folder),
        Run(folder, "train", ctx.params, fold.plan.seed, keep=not request.overwrite) as run,
        tracked(request, fold, folder) as tracker,
        signals.noted(),
    ):
        try:
            for line in describe(fold, settings):
                say(line)
            precision = choose_precision(settings.precision, choose_device(settings.device))
            run.note(plan=fold.plan.digest, fold=fold.number, precision=precision)
            run.inputs({"plans.json": sha256(fold.processed / "plans.json"), **fold.inputs})
            with run.step("train"), EpochProgress(settings.epochs) as shown:
                trained = train_fold(
                    fold, folder, settings, [shown, tracking.Epochs(tracker)],
                    overwrite=request.overwrite, warn=say, signals=signals,
                )  # fmt: skip
            _report_training(trained, settings, run, tracker)
            if request.dataset is None:
                return 0
            with run.step("validate"):
                return _validate(request, fold, folder, run, tracker, signals)
        except Interrupted as ended:
            say(f"{ended}: saved; the same command goes on")
            run.note(ended=str(ended))
            tracker.finish("KILLED")
            ctx.exit(128 + ended.number)


def describe(fold: Fold, settings: TrainingOptions) -> list[str]:
    """Say what is about to be trained, on what."""
    from interactivenet.models.device import choose_device, choose_precision
    from interactivenet.models.network import build_network, count_parameters

    plan = fold.plan
    weights = count_parameters(build_network(plan.network, plan.channels))
    device = choose_device(settings.device)
    shape = "x".join(map(str, plan.sample_shape))
    return [
        f"{plan.task} fold {fold.number}: {counted(len(fold.training), 'object')} to train on,"
        f" {len(fold.validation)} to validate, {settings.epochs} epochs",
        f"network of {weights / 1e6:.1f} million weights, samples {plan.channels}x{shape}, batch"
        f" {plan.batch_size}: about {plan.estimated_gb:.1f} GB in fp32; {device},"
        f" {choose_precision(settings.precision, device)}",
    ]


@contextmanager
def tracked(request: Request, fold: Fold, folder: Path) -> Iterator[Tracker]:
    """Open the fold's run in MLflow, the earlier one where it was interrupted, and close it."""
    if not request.mlflow:
        yield tracking.silent()
        return
    note = folder / "mlflow.json"
    known: dict[str, Any] = {}
    with suppress(DataError):  # damaged: a new run
        known = {} if request.overwrite else read_object(note)
    tracker = tracking.start(
        request.roots.results, request.task, f"fold_{fold.number}",
        run_id=known.get("run_id", ""), warn=say,
    )  # fmt: skip
    if tracker.run_id:
        write_json(note, {"run_id": tracker.run_id, "address": tracker.address})
    tracker.artefact(fold.processed / "plans.json")
    tracker.parameters({"fold": fold.number, **asdict(request.settings), **asdict(fold.plan)})
    try:
        yield tracker
    except BaseException:
        tracker.finish("FAILED")
        raise
    tracker.finish()


def _report_training(
    trained: Trained, settings: TrainingOptions, run: Run, tracker: Tracker
) -> None:
    from interactivenet.training.checkpointing import BEST, CURVES, METRICS

    folder, best = trained.folder, trained.best
    run.note(resumed=trained.resumed, best=dict(best), epochs=len(trained.history))
    for path in (folder / METRICS, folder / CURVES, (folder / BEST).with_suffix(".json")):
        tracker.artefact(path)
    if trained.resumed >= settings.epochs:
        say(f"{folder}: was trained for {trained.resumed} epochs already (--overwrite starts anew)")
    say(f"best epoch {best['epoch']} of {len(trained.history)}: Dice {best['dice']:.3f},"
        f" moving average {best['dice_average']:.3f}")  # fmt: skip


def _validate(
    request: Request, fold: Fold, folder: Path, run: Run, tracker: Tracker, signals: Signals
) -> int:
    from interactivenet.datasets.task import record_failures
    from interactivenet.pipeline.validate import SHOWN, VALIDATION, validate_fold

    assert request.dataset is not None
    settings = request.settings
    results = validate_fold(
        request.dataset, fold, folder,
        device=settings.device, precision=settings.precision, track=track, signals=signals,
    )  # fmt: skip
    show_validation(results)
    for result in results:
        found = {name: result.mean(name) for name in SHOWN}
        found["missed"] = result.missed
        tracker.metrics({f"{result.checkpoint}_{name}": value for name, value in found.items()})
    for path in sorted((folder / VALIDATION).glob("*.*")):
        tracker.artefact(path, VALIDATION)
    failures: dict[str, str] = {}
    for result in results:
        failures.update(result.failures)
    recorded = record_failures(folder, "train", failures)
    run.note(failures=failures)
    if failures:
        show_findings([Finding("error", name, why) for name, why in failures.items()])
        say(f"{counted(len(failures), 'case')} failed, see {recorded}")
    say(f"{folder / VALIDATION}: {counted(len(fold.cases) - len(failures), 'case')}")
    return len(failures)


def show_validation(results: list[Validated]) -> None:
    """Print the mean metrics of each checkpoint, and the best, median and worst object.

    Objects that were missed altogether have a Dice of 0 and no distance.
    """
    from interactivenet.pipeline.validate import SHOWN, ranked

    titles = {"dice": "Dice", "nsd": "NSD 2 mm", "hd95": "HD95 mm"}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("n", justify="right")
    table.add_column("missed", justify="right")
    for name in SHOWN:
        table.add_column(titles[name], justify="right")
    for result in results:
        means = [_number(result.mean(name)) for name in SHOWN]
        what = f"{result.checkpoint} checkpoint, epoch {result.epoch}, mean"
        table.add_row(what, str(len(result.objects)), str(result.missed), *means)
    for rank, row in ranked(results[0].objects).items():
        values = [_number(row[name]) for name in SHOWN]
        table.add_row(f"{rank}: {row['case']} {row['name'] or row['label']}", "", "", *values)
    console().print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _silent(_: str) -> None:
    pass
