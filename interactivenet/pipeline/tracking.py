"""MLflow as an observer: what a stage did, for people. Nothing reads it to find a model.

Whatever goes wrong with it costs one warning and never the stage.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from interactivenet.errors import one_line
from interactivenet.pipeline.tracking_store import (
    check_database,
    check_place,
    impatient_connections,
)

DATABASE, ARTEFACTS, LOCK = "mlflow.db", "mlruns", ".mlflow.lock"
#: characters of a name, a parameter and a tag that older servers take, too; longer ones are cut
_NAME, _PARAMETER, _TAG = 250, 500, 5000
#: values of one request
_BATCH = 100
#: an unreachable server is given up after two attempts of 5 s, no telemetry is sent, and nothing
#: is printed; what the user has set stays
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
#: seconds to wait for another process that creates the database, or writes to it
_WAIT = 20
#: seconds before a locked database is tried again
_PAUSES = (0.5, 2.0)
#: codes of MLflow for a run that does not exist, and for what cannot be a run's id
_NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class Tracker:
    """One run in MLflow, or nothing at all: see :func:`start` and :func:`silent`.

    run_id: '' where there is no run.  address: the tracking URI, without a password.
    """

    def __init__(self, address: str, warn: Callable[[str], None] | None) -> None:
        self.address, self.run_id = without_password(address), ""
        self._client: Any = None
        self._warn = warn  # None: silent, from the beginning, after a failure or after the end

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Record settings; nested ones get names with dots. One recorded before keeps its value."""

        def request() -> None:
            recorded = self._client.get_run(self.run_id).data.params
            new = [row for row in _flat(values, _PARAMETER) if row[0] not in recorded]
            self._log("params", "Param", new)

        self._attempt("record parameters", request)

    def metrics(self, values: Mapping[str, float | None], step: int | None = None) -> None:
        """Record finite numbers, of a step where they make a curve; others are left out."""
        now = int(time.time() * 1000)

        def request() -> None:
            numbers = {name: float(value) for name, value in values.items() if value is not None}
            rows = [(_name(name), value, now, step or 0) for name, value in numbers.items()]
            self._log("metrics", "Metric", [row for row in rows if math.isfinite(row[1])])

        self._attempt("record metrics", request)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record what runs are searched by; a tag recorded before gets the new value."""
        self._attempt("record tags", lambda: self._log("tags", "RunTag", _flat(values, _TAG)))

    def artefact(self, path: Path, folder: str = "") -> None:
        """Copy a file into the run; one that does not exist is left out."""

        def request() -> None:
            if path.is_file():
                self._client.log_artifact(self.run_id, str(path), folder or None)

        self._attempt(f"keep {path.name}", request)

    def finish(self, status: str = "FINISHED") -> None:
        """End the run: FINISHED, FAILED or KILLED. Only the first call counts."""
        self._attempt("end the run", lambda: self._client.set_terminated(self.run_id, status))
        self._warn = None

    def open(self, address: str, experiment: str, artefacts: str, run: str, run_id: str) -> None:
        """Connect, and begin a run or continue an earlier one.

        artefacts: where a new experiment keeps its files, '' where the server decides.
        """

        def request() -> None:
            database = database_of(address)
            if database:
                check_place(database)
            from mlflow import MlflowClient

            served = address.startswith(("http:", "https:"))
            with (
                _database_lock(database) if database else nullcontext(),
                nullcontext() if served else impatient_connections(),
            ):
                if database:  # once nobody is making its tables
                    check_database(database)
                client = MlflowClient(address)
                number = _experiment(client, experiment, artefacts)
            self.run_id = _earlier_run(client, run_id, number)
            if not self.run_id:
                self.run_id = client.create_run(number, run_name=run).info.run_id
            self._client = client

        self._attempt("begin a run", request)

    def _log(self, kind: str, entity: str, rows: list[tuple[Any, ...]]) -> None:
        from mlflow import entities

        made = [getattr(entities, entity)(*row) for row in rows]
        for first in range(0, len(made), _BATCH):
            self._client.log_batch(self.run_id, **{kind: made[first : first + _BATCH]})

    def _attempt(self, purpose: str, request: Callable[[], None]) -> None:
        """Make a request, again where the database is locked; a failure ends in silence."""
        if self._warn is None:
            return
        try:
            with _isolated_mlflow():
                for pause in _PAUSES:
                    try:
                        return request()
                    except Exception as error:
                        if "database is locked" not in str(error):
                            raise
                        time.sleep(pause)
                request()
        except Exception as error:
            warn, self._warn = self._warn, None
            warn(
                f"warning: MLflow at {self.address} could not {purpose}: {short_message(error)};"
                " continuing without it"
            )


class Epochs:
    """Records every epoch of a training in a tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Do nothing: a step is not worth a request."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Record the metrics of an epoch."""
        names = ("loss", "dice", "dice_average", "learning_rate", "seconds")
        self._tracker.metrics({name: row[name] for name in names}, step=row["epoch"])


def silent() -> Tracker:
    """Return a tracker that does nothing."""
    return Tracker("", None)


def start(
    results: Path, experiment: str, run: str, *, run_id: str = "", warn: Callable[[str], None]
) -> Tracker:
    """Begin a run in an experiment, or continue the run ``run_id`` where it still exists.

    It goes to ``MLFLOW_TRACKING_URI``, else to ``mlflow.db`` in the folder of results; files go
    to ``mlruns/`` beside an SQLite database, to where it keeps them on a server. warn: is called
    with one line where MLflow fails; then the tracker is silent.
    """
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    address = address or f"sqlite:///{(results / DATABASE).absolute().as_posix()}"
    tracker = Tracker(address, warn)
    database, artefacts = database_of(address), ""
    if database:
        artefacts = (database.parent / ARTEFACTS / experiment).absolute().as_uri()
        if "timeout=" not in address:
            address += f"{'&' if '?' in address else '?'}timeout={_WAIT}"
    tracker.open(address, experiment, artefacts, run, run_id)
    return tracker


def _experiment(client: Any, name: str, artefacts: str) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artefacts or None))
        except MlflowException:  # another process was first
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _earlier_run(client: Any, run_id: str, experiment: str) -> str:
    """Take up a run again; returns '' where it is no longer in the experiment."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id).info if run_id else None
    except MlflowException as error:
        if error.error_code not in _NO_SUCH_RUN:
            raise
        run = None
    if run is None or run.lifecycle_stage != "active" or run.experiment_id != experiment:
        return ""
    client.update_run(run_id, "RUNNING")
    return run_id


@contextmanager
def _isolated_mlflow() -> Iterator[None]:
    """Configure MLflow as this module needs it and keep it quiet, for the time of one request.

    A host program that uses MLflow itself finds everything as it was.
    """
    with ExitStack() as after:
        for name, value in _ENVIRONMENT.items():
            if name not in os.environ:
                os.environ[name] = value
                after.callback(os.environ.pop, name, None)
        after.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        from mlflow.utils.logging_utils import MLFLOW_LOGGING_STREAM as LOG

        after.callback(setattr, LOG, "enabled", LOG.enabled)
        LOG.enabled = False  # what MLflow, Alembic and SQLAlchemy log
        retries = logging.getLogger("urllib3.connectionpool")
        after.callback(retries.setLevel, retries.level)
        retries.setLevel(logging.ERROR)
        yield


@contextmanager
def _database_lock(database: Path) -> Iterator[None]:
    """Wait until no other process creates the tables of an SQLite database: two would break it."""
    from filelock import FileLock, Timeout

    lock = FileLock(database.with_name(LOCK))
    # a file system without locks, or a stuck process: MLflow says what is the matter, if anything
    with suppress(OSError, NotImplementedError, Timeout):
        database.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_WAIT)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.release()


def database_of(address: str) -> Path | None:
    """Return the file of an SQLite address, None for another one."""
    match = re.fullmatch(r"sqlite:///(?!file:|:memory:)([^?]+)(\?.*)?", address)
    return Path(match[1]) if match else None


def without_password(text: str) -> str:
    """Remove user names and passwords from addresses."""
    return re.sub(r"(?<!/)//[^/\s]+@", "//", text)


def short_message(error: Exception) -> str:
    """Return an error's message on one line, without the SQL query; of a long one both ends."""
    text = re.split(r" \[SQL: | \(Background on ", without_password(one_line(error)))[0]
    return text if len(text) <= 400 else f"{text[:150]} ... {text[-240:]}"


def _flat(values: Mapping[str, Any], longest: int, before: str = "") -> list[tuple[str, str]]:
    """Return names and values as MLflow takes them, each name once."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(_flat(value, longest, f"{name}."))
        else:
            flat[_name(name)] = str(value)[:longest]
    return list(flat.items())


def _name(name: str) -> str:
    """Replace characters that MLflow does not allow in a name."""
    return re.sub(r"[^\w./ -]", "_", name)[:_NAME]
