"""The progress of a training: a bar on a terminal, a line per epoch in a log."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from interactivenet.cli.durations import duration
from interactivenet.cli.reporting import console, say


class EpochProgress:
    """Shows the epochs of a training: a bar on a terminal, a line per epoch in a log.

    epochs: how many there will be; None where nobody knows.
    """

    def __init__(self, epochs: int | None, out: Console | None = None) -> None:
        self._epochs = epochs
        out = out or console()
        self._bar: Progress | None = None
        if out.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[metrics]}"),
                console=out, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("epoch 1", total=None, metrics="")

    def __enter__(self) -> EpochProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Move the bar."""
        if self._bar:
            description = f"epoch {epoch}" + (f" of {self._epochs}" if self._epochs else "")
            self._bar.update(self._task, description=description, completed=batch, total=batches)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Show the metrics of an epoch."""
        left = duration(row["seconds_left"])
        metrics = f"loss {row['loss']:.3f}, Dice {row['dice']:.3f}, {left} left"
        if self._bar:
            self._bar.update(self._task, metrics=metrics)
            return
        best = ", best so far" if row["best"] else ""
        of = f"/{self._epochs}" if self._epochs else ""
        say(f"epoch {row['epoch']}{of}: {metrics}, {row['seconds']:.1f} s{best}")
        sys.stdout.flush()
