"""MLflow as an observer: what a stage did, to be looked at. Nothing reads it to find a model.

Whatever goes wrong with it costs one warning and never the stage.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from interactivenet.errors import one_line

DATABASE, ARTEFACTS = "mlflow.db", "mlruns"
#: what MLflow's own limits are; longer values are cut
_LONGEST = 500
#: parameters of one request
_AT_ONCE = 100
#: an unreachable server is given up soon, and nothing is told to anybody else
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
#: seconds that a writer waits for another one of the same SQLite database
_WAIT = 120


class Tracker:
    """One run in MLflow, or nothing at all: see :func:`start` and :func:`silent`.

    run_id: '' where there is no run.  address: the tracking URI.
    """

    def __init__(self, address: str, warn: Callable[[str], None]) -> None:
        self.address, self.run_id = address, ""
        self._client: Any = None
        self._warn = warn

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Note settings; nested ones get names with dots. One noted before keeps its value."""
        if self._client is None:
            return
        flat = dict(_flat("", values))
        with self._trying("note parameters"):
            from mlflow.entities import Param

            known = self._client.get_run(self.run_id).data.params
            new = [Param(key, value[:_LONGEST]) for key, value in flat.items() if key not in known]
            for first in range(0, len(new), _AT_ONCE):
                self._client.log_batch(self.run_id, params=new[first : first + _AT_ONCE])

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Note numbers, of a step where they make a curve; those that are none are left out."""
        if self._client is None:
            return
        finite = {key: float(value) for key, value in values.items() if math.isfinite(value)}
        with self._trying("note metrics"):
            import time

            from mlflow.entities import Metric

            now = int(time.time() * 1000)
            found = [Metric(key, value, now, step or 0) for key, value in finite.items()]
            self._client.log_batch(self.run_id, metrics=found)

    def artefact(self, path: Path, folder: str = "") -> None:
        """Copy a file into the run; one that is not there is left out."""
        if self._client is None or not path.is_file():
            return
        with self._trying(f"keep {path.name}"):
            self._client.log_artifact(self.run_id, str(path), folder or None)

    def finish(self, status: str = "FINISHED") -> None:
        """End the run: FINISHED, FAILED or KILLED. Only the first call counts."""
        if self._client is None:
            return
        with self._trying("end the run"):
            self._client.set_terminated(self.run_id, status)
        self._client = None

    def open(self, artefacts: str | None, experiment: str, run: str, run_id: str) -> None:
        """Connect, and begin a run or go on with an earlier one."""
        with self._trying("begin a run"):
            for name, value in _ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException

            for name in ("mlflow", "mlflow.store.db.utils", "alembic"):  # how tables are made
                logging.getLogger(name).setLevel(logging.ERROR)

            self._client = MlflowClient(self.address)
            number = self._experiment(experiment, artefacts, MlflowException)
            if run_id:
                with suppress(MlflowException):  # gone meanwhile
                    earlier = self._client.get_run(run_id).info
                    if earlier.lifecycle_stage == "active" and earlier.experiment_id == number:
                        self._client.update_run(run_id, "RUNNING")
                        self.run_id = run_id
            if not self.run_id:
                self.run_id = self._client.create_run(number, run_name=run).info.run_id

    def _experiment(self, name: str, artefacts: str | None, error: type[Exception]) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, artefacts))
            except error:  # another process was first
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    @contextmanager
    def _trying(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._client = None
            self._warn(
                f"warning: MLflow at {self.address} could not {what}: {one_line(error)[:300]};"
                " going on without it"
            )


class Epochs:
    """Tells a tracker of every epoch of a training."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """A step is not worth a request."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Note the numbers of an epoch."""
        names = ("loss", "dice", "dice_average", "learning_rate", "seconds")
        self._tracker.metrics({name: row[name] for name in names}, step=row["epoch"])


def silent() -> Tracker:
    """Return a tracker that does nothing."""
    return Tracker("", lambda _: None)


def start(
    results: Path, experiment: str, run: str, *, run_id: str = "", warn: Callable[[str], None]
) -> Tracker:
    """Begin a run in an experiment, or go on with the run ``run_id`` where it is still there.

    It goes to ``MLFLOW_TRACKING_URI``, else to ``mlflow.db`` and ``mlruns/`` in the folder of
    results. warn: is called with one line where MLflow fails; then the tracker is silent.
    """
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    artefacts = None
    if not address:
        address = f"sqlite:///{(results / DATABASE).absolute().as_posix()}?timeout={_WAIT}"
        artefacts = (results / ARTEFACTS / experiment).absolute().as_uri()
    tracker = Tracker(address, warn)
    # two that make the database at once break it
    with _alone(results) if artefacts else nullcontext():
        tracker.open(artefacts, experiment, run, run_id)
    return tracker


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Wait until no other process is between opening the database and having its run."""
    from filelock import FileLock, Timeout

    lock = FileLock(results / ".mlflow.lock")
    with suppress(OSError, Timeout):  # a file system without locks, or a stuck process
        results.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_WAIT)
    try:
        yield
    finally:
        lock.release()


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, str(value)
