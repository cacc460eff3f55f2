"""What all stages share: alone in their folders, recorded in ``run.json``, ended by signals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import Roots
from interactivenet.pipeline import tracking
from interactivenet.pipeline.reporting import Reporter
from interactivenet.pipeline.tracking import Tracker
from interactivenet.system.locks import folder_lock
from interactivenet.system.provenance import Run
from interactivenet.system.signals import Interrupted, Signals


@dataclass(frozen=True)
class Stage:
    """A stage that is running.

    run: its record, ``run.json``.  signals: asks it to end, between two cases.
    """

    run: Run
    signals: Signals


@contextmanager
def running_stage(
    name: str,
    folder: Path,
    arguments: Mapping[str, Any],
    *,
    others: Sequence[Path] = (),
    seed: int | None = None,
    keep: bool = False,
) -> Iterator[Stage]:
    """Run a stage: alone in its folders, recorded in ``run.json``, ended by signals in time.

    folder: gets ``run.json``.  arguments: of the stage, for the record.  others: further folders
    that are written.  keep: the records of earlier runs stay in it, as 'earlier'.

    Raises RequestError where another run writes there, and Interrupted, which is noted in the
    record, where a signal ended the stage: called again, it goes on.
    """
    signals = Signals()
    with ExitStack() as opened:
        for place in (folder, *others):
            opened.enter_context(folder_lock(place))
        run = opened.enter_context(Run(folder, name, arguments, seed, keep=keep))
        opened.enter_context(signals.noted())
        try:
            yield Stage(run, signals)
        except Interrupted as ended:
            run.note(ended=str(ended))
            raise


@contextmanager
def tracked_run(
    roots: Roots,
    task: str,
    name: str,
    parameters: Mapping[str, Any],
    *,
    mlflow: bool,
    reporter: Reporter,
) -> Iterator[Tracker]:
    """Open a run in MLflow, or none, and close it: FINISHED, FAILED, or KILLED by a signal."""
    if not mlflow:
        yield tracking.silent()
        return
    tracker = tracking.start(roots.results, task, name, warn=reporter.say)
    tracker.parameters(parameters)
    try:
        yield tracker
    except Interrupted:
        tracker.finish("KILLED")
        raise
    except BaseException:
        tracker.finish("FAILED")
        raise
    tracker.finish()
