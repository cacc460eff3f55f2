"""What the stage ``plan`` says of the training to come: how long an epoch takes here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interactivenet.errors import InteractiveNetError, one_line
from interactivenet.pipeline.reporting import Reporter
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import read_fold
from interactivenet.system.provenance import Run
from interactivenet.system.slowness import Slowness


def describe_epoch(planned: PlannedTask) -> str:
    """Measure how long an epoch of the first fold takes here, and say so in one line."""
    from interactivenet.training.budget import steps_of_epoch  # torch, which planning has no use of
    from interactivenet.training.recipe import recipe_for
    from interactivenet.training.timing import seconds_per_step

    try:
        steps = steps_of_epoch(planned.plan, len(read_fold(planned, 0).learnable))
        seconds = steps * seconds_per_step(planned.plan)
    except (InteractiveNetError, RuntimeError) as error:  # of torch
        return f"how long an epoch takes here was not measured: {one_line(error)}"
    length = f"{seconds:.2g} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    coarse = recipe_for(planned.plan).coarse
    less = f"; less in the first {coarse:.0%} of a training, on fewer voxels" if coarse else ""
    return f"an epoch of {steps} steps takes about {length} here (the network's part alone{less})"


class SlowEpochs:
    """Tells and records, once, an epoch that took many times longer than the fastest, and why."""

    def __init__(self, run: Run, reporter: Reporter) -> None:
        self._run, self._reporter = run, reporter
        self._noticed = Slowness("epoch")

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Do nothing: steps differ."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Compare an epoch with those before it."""
        if told := self._noticed.note(row["epoch"], row["seconds"]):
            self._reporter.say(told)
            self._run.note(slow=told)
