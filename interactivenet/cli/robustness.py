"""What ``evaluate --robustness`` does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from interactivenet.cli.predicting import describe_model, how_of, predictor_for, stage
from interactivenet.cli.reporting import console, counted, say, show_findings, track
from interactivenet.errors import RequestError

if TYPE_CHECKING:
    from interactivenet.datasets.task import Case, Roots
    from interactivenet.inference.predictor import Predictor


def measure_robustness(
    ctx: click.Context,
    roots: Roots,
    task: str,
    *,
    output: Path | None,
    repeats: int,
    seed: int,
    overwrite: bool,
    network: Mapping[str, Any],
) -> None:
    """Measure a task's labelled test cases with all its folds, or else by cross-validation."""
    from interactivenet.datasets.file_matching import Finding
    from interactivenet.datasets.task import record_failures
    from interactivenet.pipeline.robustness import FIGURE, ROWS, measure_cases, summary
    from interactivenet.pipeline.robustness import all_rows as rows_of
    from interactivenet.system.files import read_object

    how = how_of(**network)
    folder = output or roots.results / task / "robustness"
    groups = _groups(roots, task, how, network["device"])
    total = sum(len(cases) for _, cases in groups)
    with stage(ctx, "robustness", folder, seed=seed) as (run, signals):
        run.note(**how, repeats=repeats)
        found = measure_cases(
            groups, folder, repeats=repeats, seed=seed, overwrite=overwrite, signals=signals
        )
        failures = {case: why for case, why in track(found, total, "robustness") if why}
        run.note(cases=total, failures=failures)
        recorded = record_failures(folder, "robustness", failures)
    show(summary(rows_of(read_object(folder / ROWS)["cases"])))
    say(f"{folder / FIGURE}: {counted(total - len(failures), 'case')}")
    if failures:
        show_findings([Finding("error", case, why) for case, why in failures.items()])
        say(f"{counted(len(failures), 'case')} failed, see {recorded}")
        ctx.exit(1)


def show(table: list[dict[str, Any]]) -> None:
    """Print Dice against disturbance."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("points")
    for column in ("n", "Dice", "lowest", "cost", "worst cost", "spread of repeats"):
        shown.add_column(column, justify="right")
    for row in table:
        values = (row[name] for name in ("mean", "lowest", "cost", "worst_cost", "spread"))
        shown.add_row(row["disturbance"], str(row["objects"]), *(f"{one:.4f}" for one in values))
    console().print(shown)


def _groups(
    roots: Roots, task: str, how: Mapping[str, Any], device: str
) -> list[tuple[Predictor, list[Case]]]:
    """Return predictors and the labelled cases that each never saw, and say which they are."""
    from interactivenet.datasets.task import Task
    from interactivenet.models.model import own_model
    from interactivenet.planning.planned_task import PlannedTask

    dataset = Task.load(roots.raw_task(task))
    model = own_model(roots, task)
    for line in describe_model(model, how, device):
        say(line)
    test = [case for case in dataset.test if case.label and case.interaction]
    if test:
        say(f"{counted(len(test), 'labelled test case')}")
        return [(predictor_for(model, how, device)(), test)]
    say("no labelled test cases: each fold's validation cases, with that fold alone")
    cases = {case.name: case for case in dataset.training if case.interaction}
    splits = PlannedTask.load(roots.processed_task(task)).splits
    groups = []
    for number in model.folds:
        mine = [cases[name] for name in splits[number].validation if name in cases]
        if mine:
            groups.append((predictor_for(model.fold(number), how, device)(), mine))
    if not groups:
        raise RequestError(f"{dataset.folder}: no labelled case has points")
    return groups
