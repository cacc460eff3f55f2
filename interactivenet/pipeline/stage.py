"""What all stages share: alone in their folders, recorded in ``run.json``, ended by signals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import FAILURES, are_failures
from interactivenet.errors import DataError, RequestError
from interactivenet.pipeline import tracking
from interactivenet.pipeline.reporting import Reporter
from interactivenet.pipeline.sharding import Shard
from interactivenet.pipeline.tracking import Tracker
from interactivenet.system.files import read_object, write_json
from interactivenet.system.large_records import is_too_large
from interactivenet.system.locks import folder_lock, shard_lock
from interactivenet.system.provenance import RUN, Run
from interactivenet.system.signals import Interrupted, Signals

Item = TypeVar("Item")

#: the id of a run in MLflow that an interrupted stage continues
MLFLOW_NOTE = "mlflow.json"


@dataclass(frozen=True)
class Stage:
    """A stage that is running.

    run: its record, ``run.json``.  signals: asks it to end, between two cases.
    folder: of its record, and of ``failures.json``: of a shard, one of its own.
    """

    run: Run
    signals: Signals
    folder: Path

    def interruptible(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items through; raises Interrupted after the first one that follows a signal.

        Where worker processes got the signal, too, and died of it, that is an interruption as well.
        """
        try:
            for item in items:
                yield item
                self.signals.check()
        except RequestError:
            self.signals.check()
            raise


@contextmanager
def running_stage(
    name: str,
    folder: Path,
    arguments: Mapping[str, Any],
    *,
    others: Sequence[Path] = (),
    seed: int | None = None,
    keep: bool = False,
    shard: Shard | None = None,
) -> Iterator[Stage]:
    """Run a stage: alone in its folders, recorded in ``run.json``, ended by signals in time.

    folder: gets ``run.json``.  arguments: of the stage, for the record; the fields of dataclasses
    among them, such as options, are recorded as arguments of their own.  others: further folders
    that are written.  keep: the records of earlier runs stay in it, as 'earlier'.
    shard: which one it is, beside others in these folders; its record lies in a folder of its own.

    Raises RequestError where another run writes there, and Interrupted, which is noted in the
    record, where a signal ended the stage: called again, it continues.
    """
    signals = Signals()
    place = shard.folder(folder) if shard else folder
    check_records(place)
    with ExitStack() as opened:
        for locked in (folder, *others):
            opened.enter_context(
                shard_lock(locked, shard.number, shard.of) if shard else folder_lock(locked)
            )
        run = opened.enter_context(Run(place, name, flat_arguments(arguments), seed, keep=keep))
        opened.enter_context(signals.noted())
        try:
            yield Stage(run, signals, place)
            signals.check()  # what comes next must not begin
        except Interrupted as interruption:
            run.note(ended=str(interruption))
            raise


def check_records(folder: Path) -> None:
    """Raise RequestError where a stage's records would replace a file that is none."""
    for name, is_ours in ((RUN, _is_run), (FAILURES, are_failures)):
        path = folder / name
        try:
            ours = not os.path.lexists(path) or is_ours(read_object(path))
        except DataError:
            ours = name == RUN and path.is_file() and is_too_large(path)
        if not ours:
            raise RequestError(
                f"{path}: was not written by this program, and would be replaced",
                remedy="move it away, or write elsewhere",
            )


def _is_run(content: Mapping[str, Any]) -> bool:
    return isinstance(content.get("stage"), str) and isinstance(content.get("arguments"), dict)


def flat_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with the fields of dataclasses in place of these."""
    flat: dict[str, Any] = {}
    for name, value in arguments.items():
        if is_dataclass(value) and not isinstance(value, type):
            flat.update(asdict(value))
        else:
            flat[name] = value
    return flat


@contextmanager
def tracked_run(
    roots: Roots,
    task: str,
    name: str,
    parameters: Mapping[str, Any],
    *,
    mlflow: bool,
    reporter: Reporter,
    note: Path | None = None,
    anew: bool = False,
) -> Iterator[Tracker]:
    """Open a run in MLflow, or none, and close it: FINISHED, FAILED, or KILLED by a signal.

    note: a folder that keeps the run's id, so that a stage that was interrupted continues its run.
    anew: begin a new run all the same.
    """
    if not mlflow:
        yield tracking.silent()
        return
    tracker = tracking.start(
        roots.results, task, name, run_id="" if anew else _noted_run(note), warn=reporter.say
    )
    if note and tracker.run_id:
        write_json(note / MLFLOW_NOTE, {"run_id": tracker.run_id, "address": tracker.address})
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


def _noted_run(folder: Path | None) -> str:
    """Read the id of the run that a folder notes, '' where there is none."""
    if folder:
        with suppress(DataError):  # damaged: a new run
            return str(read_object(folder / MLFLOW_NOTE).get("run_id", ""))
    return ""
