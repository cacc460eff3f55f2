"""A database that cannot be opened costs seconds: a warning, and the stage goes on."""

import os
import sqlite3
import time

import pytest

from interactivenet.errors import DataError
from interactivenet.pipeline import tracking, tracking_store
from tests.special_files import at_most, make_special


def corrupt(path):
    path.write_bytes(os.urandom(4096))


def folder(path):
    path.mkdir()


def fifo(path):
    make_special(path, "fifo")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (corrupt, "cannot be used: file is not a database"),
        (folder, "is a folder: expected a regular file"),
        (fifo, "is a FIFO: expected a regular file"),
    ],
)
def test_one_that_cannot_be_used(tmp_path, monkeypatch, spoil, reason):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    spoil(tmp_path / tracking.DATABASE)
    warnings = []
    with at_most(10):
        tracker = tracking.start(tmp_path, "experiment", "run", warn=warnings.append)
        tracker.metrics({"dice": 1.0})
        tracker.finish()
    (warning,) = warnings
    assert reason in warning and warning.endswith("continuing without it")


def test_one_that_another_process_has_locked(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(tracking_store, "PATIENCE", 0.5)
    path, warnings = tmp_path / tracking.DATABASE, []
    other = sqlite3.connect(path)
    other.execute("create table t (x)")
    other.execute("begin exclusive")
    start = time.monotonic()
    tracking.start(tmp_path, "experiment", "run", warn=warnings.append)
    assert time.monotonic() - start < 5
    assert "another process has kept it locked for 0.5 s" in warnings[0] and len(warnings) == 1
    other.rollback()
    tracking_store.check_database(path)


def test_a_folder_that_is_not_writable(tmp_path, monkeypatch):
    path = tmp_path / "results" / "mlflow.db"
    tracking_store.check_database(path)
    assert not path.exists()  # it is asked, not made
    monkeypatch.setattr(os, "access", lambda place, _: place != path.parent)
    with pytest.raises(DataError, match="results is not writable"):
        tracking_store.check_database(path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        tracking_store.check_database(tmp_path / "file" / "mlflow.db")


def test_other_databases_are_given_up_soon():
    utils = pytest.importorskip("mlflow.store.db.utils")
    before = utils.MAX_RETRY_COUNT
    with tracking_store.impatient_connections():
        assert utils.MAX_RETRY_COUNT < 5
    assert before == utils.MAX_RETRY_COUNT
