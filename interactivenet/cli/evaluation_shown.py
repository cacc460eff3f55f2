"""What is printed of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from interactivenet.cli.reporting import console, counted, say

if TYPE_CHECKING:
    from interactivenet.evaluation.evaluate import Evaluation


def show_summary(evaluation: Evaluation) -> None:
    """Print a table of the metrics, what was missed, and where the report is."""
    from interactivenet.metric_names import METRIC

    everything = evaluation.summary["all"]
    metrics: Mapping[str, Mapping[str, Any]] = everything["metrics"]
    if metrics:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("")
        for column in ("mean ± sd", "median", "95 % interval", "n"):
            table.add_column(column, justify="right", no_wrap=True)
        for name, found in metrics.items():
            known = METRIC.get(name)
            heading = known.heading if known else name.replace("_", " ").capitalize()
            digits = known.digits if known else 3
            mean, sd, median, low, high = (
                _number(found[key], digits) for key in ("mean", "std", "median", "low", "high")
            )
            interval = f"{low} to {high}" if found["low"] is not None else "-"
            spread = f"{mean} ± {sd}" if found["std"] is not None else mean
            table.add_row(heading, spread, median, interval, str(found["n"]))
        console().print(table)
    counts = [
        f"{counted(everything['objects'], 'object')} of {counted(everything['cases'], 'case')}"
    ]
    for key, what in (
        ("missed", "missed"),
        ("false", "found where there is none"),
        ("both_empty", "empty in both, in no mean"),
    ):
        if everything[key]:
            counts.append(f"{everything[key]} {what}")
    if evaluation.failures:
        counts.append(f"{counted(len(evaluation.failures), 'case')} failed")
    say(", ".join(counts))
    say(f"report: {evaluation.report}")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
