"""What ``train`` does for each fold, and what it shows meanwhile."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from interactivenet.case_files import Finding
from interactivenet.cli.reporting import console, counted, say, show_findings, track
from interactivenet.errors import RequestError
from interactivenet.task import Roots, Task

if TYPE_CHECKING:
    from interactivenet.provenance import Run
    from interactivenet.tracking import Tracker
    from interactivenet.training.fold import Fold, Settings, Trained
    from interactivenet.validation import Validated


@dataclass(frozen=True)
class Request:
    """A fold to be trained; dataset: the raw task, None where nothing is to be validated."""

    roots: Roots
    task: str
    fold: int
    settings: Settings
    dataset: Task | None
    overwrite: bool
    mlflow: bool


def fold_numbers(roots: Roots, task: str, fold: str) -> list[int]:
    """Return the folds that '3' or 'all' mean; raises RequestError where there is none such."""
    from interactivenet.training.fold import read_splits

    count = len(read_splits(roots.processed_task(task)))
    if fold == "all":
        return list(range(count))
    if not re.fullmatch(r"\d+", fold) or int(fold) >= count:
        there = ", ".join(map(str, range(count)))
        raise RequestError(f"-f / --fold {fold}: expected all or one of {there}")
    return [int(fold)]


def train_and_validate(ctx: click.Context, request: Request) -> int:
    """Train a fold, segment its validation cases; returns how many of them failed.

    Leaves the program with 143 or 130 where a signal ended the training.
    """
    from interactivenet import tracking
    from interactivenet.io.lock import only_one
    from interactivenet.provenance import Run
    from interactivenet.training.device import rank
    from interactivenet.training.fold import read_fold, train_fold
    from interactivenet.training.keeping import Interrupted

    settings, roots = request.settings, request.roots
    fold = read_fold(roots.processed_task(request.task), request.fold)
    folder = roots.results / request.task / f"fold_{fold.number}"
    if rank():  # a further process of the same training: the first one reports
        train_fold(fold, folder, settings, overwrite=request.overwrite, warn=_silent)
        return 0
    with (
        only_one(folder),
        Run(folder, "train", ctx.params, fold.plan.seed) as run,
        tracked(request, fold, folder) as tracker,
    ):
        for line in describe(fold, settings):
            say(line)
        run.note(plan=fold.plan.digest, fold=fold.number)
        run.inputs(inputs(fold))
        try:
            with run.step("train"), Shown(settings.epochs) as shown:
                trained = train_fold(
                    fold, folder, settings, [shown, tracking.Epochs(tracker)],
                    overwrite=request.overwrite, warn=say,
                )  # fmt: skip
        except Interrupted as ended:
            say(f"{ended}: saved; the same command goes on")
            run.note(ended=str(ended))
            tracker.finish("KILLED")
            ctx.exit(128 + ended.number)
        _report_training(trained, settings, run, tracker)
        if request.dataset is None:
            return 0
        with run.step("validate"):
            return _validate(request, fold, folder, run, tracker)


def describe(fold: Fold, settings: Settings) -> list[str]:
    """Say what is about to be trained, on what."""
    from interactivenet.network import build_network, count_parameters
    from interactivenet.training.device import choose_device, choose_precision

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


def inputs(fold: Fold) -> dict[str, str]:
    """SHA-256 of the plan and of the regions' records, which hold those of the raw files."""
    from interactivenet.io.atomic import sha256
    from interactivenet.preprocess import REGIONS

    paths = [fold.processed / REGIONS / f"{name}.json" for name in fold.training + fold.validation]
    paths.append(fold.processed / "plans.json")
    return {path.relative_to(fold.processed).as_posix(): sha256(path) for path in paths}


@contextmanager
def tracked(request: Request, fold: Fold, folder: Path) -> Iterator[Tracker]:
    """Open the fold's run in MLflow, the earlier one where it was interrupted, and close it."""
    from interactivenet import tracking
    from interactivenet.io.atomic import read_object, write_json

    if not request.mlflow:
        yield tracking.silent()
        return
    note = folder / "mlflow.json"
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


def _report_training(trained: Trained, settings: Settings, run: Run, tracker: Tracker) -> None:
    from interactivenet.training.keeping import BEST, CURVES, METRICS

    folder, best = trained.folder, trained.best
    run.note(resumed=trained.resumed, best=dict(best), epochs=len(trained.history))
    for path in (folder / METRICS, folder / CURVES, (folder / BEST).with_suffix(".json")):
        tracker.artefact(path)
    if trained.resumed >= settings.epochs:
        say(f"{folder}: was trained for {trained.resumed} epochs already (--overwrite starts anew)")
    say(f"best epoch {best['epoch']} of {len(trained.history)}: Dice {best['dice']:.3f},"
        f" moving average {best['dice_average']:.3f}")  # fmt: skip


def _validate(request: Request, fold: Fold, folder: Path, run: Run, tracker: Tracker) -> int:
    from interactivenet.task import record_failures
    from interactivenet.validation import VALIDATION, validate_fold

    assert request.dataset is not None
    settings = request.settings
    results = validate_fold(
        request.dataset, fold, folder,
        device=settings.device, precision=settings.precision, track=track,
    )  # fmt: skip
    show_validation(results)
    for result in results:
        tracker.metrics({f"{result.checkpoint}_{name}": result.mean(name)
                         for name in ("dice", "nsd", "hd95")})  # fmt: skip
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
    """Print the mean metrics of each checkpoint, and the best, median and worst object."""
    from interactivenet.validation import SHOWN, ranked

    titles = {"dice": "Dice", "nsd": "NSD 2 mm", "hd95": "HD95 mm"}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("n", justify="right")
    for name in SHOWN:
        table.add_column(titles[name], justify="right")
    for result in results:
        means = [_number(result.mean(name)) for name in SHOWN]
        what = f"{result.checkpoint} checkpoint, epoch {result.epoch}, mean"
        table.add_row(what, str(len(result.objects)), *means)
    for rank, row in ranked(results[0].objects).items():
        values = [_number(row[name]) for name in SHOWN]
        table.add_row(f"{rank}: {row['case']} {row['name'] or row['label']}", "", *values)
    console().print(table)


class Shown:
    """Shows how a training goes on: a bar on a terminal, a line per epoch in a log."""

    def __init__(self, epochs: int, out: Console | None = None) -> None:
        self._epochs = epochs
        out = out or console()
        self._bar: Progress | None = None
        if out.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"),
                console=out, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("epoch 1", total=None, said="")

    def __enter__(self) -> Shown:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Move the bar."""
        if self._bar:
            what = f"epoch {epoch} of {self._epochs}"
            self._bar.update(self._task, description=what, completed=batch, total=batches)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Say what an epoch brought."""
        left = duration(row["seconds_left"])
        said = f"loss {row['loss']:.3f}, Dice {row['dice']:.3f}, {left} left"
        if self._bar:
            self._bar.update(self._task, said=said)
            return
        best = ", best so far" if row["best"] else ""
        say(f"epoch {row['epoch']}/{self._epochs}: {said}, {row['seconds']:.1f} s{best}")
        sys.stdout.flush()


def duration(seconds: float) -> str:
    """Write a time as '45 s', '12 min' or '3 h 20 min'."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _silent(_: str) -> None:
    pass
