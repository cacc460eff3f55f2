"""What fails of MLflow costs a warning, and nothing of the stage."""

import errno
import os
import socket
import sqlite3
import sys
import threading
import time

import pytest

from interactivenet.pipeline import tracking
from tests.pipeline.tracking.recorded_runs import begin, history, use

MEANWHILE = "continuing without it"


def test_an_unreachable_server_costs_one_warning(tmp_path, warnings, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:secret@127.0.0.1:9")
    begun = time.monotonic()
    tracker = begin(tmp_path, warnings)
    use(tracker, tmp_path)
    assert time.monotonic() - begun < 10 and list(tmp_path.iterdir()) == []
    (warning,) = warnings
    assert warning.startswith("warning: MLflow at http://127.0.0.1:9 could not begin a run: ")
    assert "Connection refused" in warning and warning.endswith(MEANWHILE)
    assert "secret" not in warning and "\n" not in warning and len(warning) < 600
    assert tracker.run_id == "" and tracker.address == "http://127.0.0.1:9"
    assert capfd.readouterr() == ("", "")


def test_a_server_that_never_answers_is_given_up(tmp_path, warnings, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # the user's, else it is 5 s
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.getsockname()[1]}")
        begun = time.monotonic()
        use(begin(tmp_path, warnings), tmp_path)
    assert 1.5 < time.monotonic() - begun < 6
    assert len(warnings) == 1 and "timed out" in warnings[0] and capfd.readouterr() == ("", "")


def test_a_broken_database_costs_one_warning(tmp_path, warnings, capfd):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    use(begin(tmp_path, warnings), tmp_path)
    (warning,) = warnings
    assert "file is not a database" in warning and warning.endswith(MEANWHILE)
    assert str(tmp_path / "mlflow.db") in warning and capfd.readouterr() == ("", "")


def test_a_database_that_breaks_later_costs_one_warning(results, warnings, capfd):
    tracker = begin(results, warnings)
    tracker.metrics({"a": 1.0}, step=1)
    run_id = tracker.run_id
    (results / "mlflow.db").write_bytes(b"overwritten" * 5000)
    for step in range(2, 5):
        tracker.metrics({"a": 1.0}, step=step)
    use(tracker, results)
    assert len(warnings) == 1 and "could not record metrics" in warnings[0]
    assert tracker.run_id == run_id and capfd.readouterr() == ("", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_a_folder_that_cannot_be_written_costs_one_warning(tmp_path, warnings):
    from pathlib import Path

    (tmp_path / "file").write_text("")
    for count, folder in enumerate([tmp_path / "file", Path("/proc/none")], start=1):
        use(begin(folder, warnings), tmp_path)
        assert len(warnings) == count and warnings[-1].endswith(MEANWHILE)


def test_a_database_that_may_only_be_read_costs_one_warning(results, warnings):
    (results / "mlflow.db").chmod(0o444)
    results.chmod(0o555)
    if os.access(results / "mlflow.db", os.W_OK):
        pytest.skip("needs a user for whom nothing is writable that is read-only: not root")
    use(begin(results, warnings), results)
    results.chmod(0o755)
    assert len(warnings) == 1 and "readonly" in warnings[0]


def test_an_mlflow_that_is_not_there_costs_one_warning(tmp_path, warnings, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    use(begin(tmp_path, warnings), tmp_path)
    assert len(warnings) == 1 and "mlflow" in warnings[0]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_locks(results, warnings, monkeypatch, number, capfd):
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    tracker = begin(results, warnings)
    assert tracker.run_id and warnings == [] and capfd.readouterr() == ("", "")


def test_a_database_that_another_writes_is_waited_for(results, warnings):
    tracker = begin(results, warnings)
    other = sqlite3.connect(results / "mlflow.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(1.5, other.rollback)
    release.start()
    begun = time.monotonic()
    tracker.metrics({"loss": 1.0}, step=1)
    assert time.monotonic() - begun > 1
    release.join()
    other.close()
    assert history(results, tracker.run_id, "loss") == [(1, 1.0)] and warnings == []


@pytest.mark.parametrize("times", [2, 3])
def test_a_locked_database_is_tried_again(results, warnings, monkeypatch, times):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    tracker = begin(results, warnings)
    write, left = MlflowClient.log_batch, [None] * times

    def locked(*arguments, **more):
        if left:
            left.pop()
            raise MlflowException("(sqlite3.OperationalError) database is locked")
        write(*arguments, **more)

    monkeypatch.setattr(MlflowClient, "log_batch", locked)
    monkeypatch.setattr(tracking, "_PAUSES", (0.01, 0.01))
    tracker.metrics({"loss": 1.0}, step=1)
    if times == 2:
        assert history(results, tracker.run_id, "loss") == [(1, 1.0)] and warnings == []
    else:  # a minute by then, with MLflow's own patience
        assert len(warnings) == 1 and "database is locked" in warnings[0]
