"""From the runs to tables: for people, with n, intervals, and what has not been measured yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.learning.arms import ARMS, DATASETS, Arm, objects_as
from benchmarks.learning.results import Run, objects_of
from benchmarks.learning.scores import Estimate, estimate, paired
from benchmarks.report import put_between
from interactivenet.system.files import read_text, write_text

#: budgets of which the tables are expected: name, text, whether ablations are measured there
BUDGETS = (
    ("30min-cpu2", "30 minutes of two CPU cores a fold", True),
    ("full-cuda", "the full default on a GPU", False),
)
BEGIN, END = "<!-- figures: written by benchmarks/learning -->", "<!-- /figures -->"
MISSING = "not measured yet"


@dataclass(frozen=True)
class Reference:
    """What the other rows of a table are compared with, object by object."""

    dataset: str
    budget: str
    arm: str
    title: str

    @property
    def head(self) -> str:
        """The table's first two lines."""
        columns = ("", "n", "Dice", "NSD 2 mm", "HD95, mm", f"Dice, against {self.title}",
                   "NSD, against it")  # fmt: skip
        return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def render(runs: Sequence[Run]) -> str:
    """Return all tables as Markdown: the rows that are measured, and then what is not yet."""
    parts = [_untrained(runs)]
    measured = {run["budget"] for run in runs} - {"untrained", *(name for name, *_ in BUDGETS)}
    budgets = (*BUDGETS, *((name, _described(name), True) for name in sorted(measured)))
    for budget, text, ablations in budgets:
        if not any(run["budget"] == budget for run in runs):
            parts.append(f"### Trained: {text}\n\nNothing of this is measured yet.")
            continue
        expected = budget in [name for name, *_ in BUDGETS]
        there = {run["dataset"] for run in runs if run["budget"] == budget}
        tables = [table for dataset in DATASETS if expected or dataset in there
                  for table in _trained(runs, dataset, budget, ablations)]  # fmt: skip
        parts.append("\n\n".join((f"### Trained: {text}", *tables)))
    return "\n\n".join(parts)


def _described(budget: str) -> str:
    """Say what the name of a budget means."""
    found = re.fullmatch(r"([\d.]+)min-(cpu(\d+)|cuda)", budget)
    if not found:
        return budget
    device = f"{found[3]} CPU cores" if found[3] else "a graphics card"
    return f"{found[1]} minutes of {device} a fold"


def write_page(page: Path, runs: Sequence[Run]) -> None:
    """Put the tables into a page, between its two marks. Raises ValueError where it has none."""
    write_text(page, with_tables(read_text(page), runs))


def with_tables(text: str, runs: Sequence[Run]) -> str:
    """Return the text of a page with the tables of these runs."""
    return put_between(text, BEGIN, END, render(runs))


def row(runs: Sequence[Run], dataset: str, budget: str, arm: Arm, reference: Reference) -> str:
    """Return a row of a table: means with intervals, and paired differences."""
    things = objects_of(runs, dataset, budget, arm.name)
    means = [estimate(things, metric) for metric in ("dice", "nsd", "hd95")]
    cells = [_count(means[0]), _mean(means[0], 3), _mean(means[1], 3), _mean(means[2], 1)]
    others = objects_of(runs, reference.dataset, reference.budget, reference.arm)
    for metric in ("dice", "nsd"):
        alone = arm.name == reference.arm or not others
        difference = None if alone else paired(things, others, metric)
        cells.append(_difference(difference) if difference else "")
    return f"| {_title(runs, dataset, arm)} | {' | '.join(cells)} |"


def _untrained(runs: Sequence[Run]) -> str:
    arms = [arm for arm in ARMS.values() if arm.how in ("starter", "ceiling")]
    tables = []
    for dataset in DATASETS.values():
        of_starter = [arm for arm in arms if dataset.name in arm.datasets]
        if of_starter:
            tables.append(_table(runs, dataset.name, "untrained", of_starter))
    return "\n\n".join(("### Nothing trained on the task", *tables))


def _trained(runs: Sequence[Run], dataset: str, budget: str, ablations: bool) -> list[str]:
    arms = [arm for arm in ARMS.values() if arm.trains and dataset in arm.datasets]
    chosen = [arm for arm in arms if not arm.ablation]
    tables = [_table(runs, dataset, budget, chosen)] if chosen else []
    parts = [arm for arm in arms if arm.ablation]
    known = any(objects_of(runs, dataset, budget, arm.name) for arm in parts)
    if parts and ablations and (known or budget == BUDGETS[0][0]):
        whole = Reference(dataset, budget, "object", "the object grid as it is")
        title = f"{DATASETS[dataset].title}: what each part is worth"
        tables.append(_filled(runs, title, whole, dataset, budget, (ARMS["object"], *parts)))
    return tables


def _table(runs: Sequence[Run], dataset: str, budget: str, arms: Sequence[Arm]) -> str:
    """Compare arms with the ellipsoid."""
    least = Reference(objects_as(dataset), "untrained", "ellipsoid", "the ellipsoid")
    return _filled(runs, DATASETS[dataset].title, least, dataset, budget, arms)


def _filled(
    runs: Sequence[Run], title: str, reference: Reference, dataset: str, budget: str,
    arms: Sequence[Arm],
) -> str:  # fmt: skip
    """Return a table of the arms that are measured, below their reference, and name the others."""
    measured = [arm for arm in arms if objects_of(runs, dataset, budget, arm.name)]
    others = "; ".join(arm.title for arm in arms if arm not in measured)
    first = ARMS[reference.arm]
    rows = [row(runs, dataset, budget, arm, reference) for arm in measured]
    if first not in arms and objects_of(runs, reference.dataset, reference.budget, first.name):
        rows.insert(0, row(runs, reference.dataset, reference.budget, first, reference))
    lines = [f"**{title}**", "", *([reference.head, *rows, ""] if rows else [])]
    if others:
        lines.append(f"{MISSING[0].upper()}{MISSING[1:]}: {others}.")
    return "\n".join(lines).rstrip()


def _title(runs: Sequence[Run], dataset: str, arm: Arm) -> str:
    if arm.how != "ellipsoid":
        return arm.title
    (run,) = [r for r in runs if r["arm"] == arm.name and r["dataset"] == dataset]
    best = run["best"]["nsd"]
    return (
        f"{arm.title} (grown by {run['growth']:g} of their depth; NSD at its own best,"
        f" {best['growth']:g}: {best['mean']:.3f})"
    )


def _count(of: Estimate) -> str:
    return f"{of.n}" if of.n == of.cases else f"{of.n} in {of.cases}"


def _mean(of: Estimate, digits: int) -> str:
    text = f"{of.mean:.{digits}f}"
    if of.interval is None:
        return text
    low, high = of.interval
    return f"{text} ({low:.{digits}f} to {high:.{digits}f})"


def _difference(of: Estimate) -> str:
    text = f"{of.mean:+.3f}"
    if of.interval is None:
        return text
    low, high = of.interval
    return f"{text} ({low:+.3f} to {high:+.3f})"
