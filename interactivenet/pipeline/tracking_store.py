"""Can the database of MLflow be written? Asked first: MLflow itself tries for two minutes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from interactivenet.errors import DataError
from interactivenet.system.files import check_regular

#: seconds to wait for another process that is writing
PATIENCE = 5.0
#: attempts of MLflow to connect to a database, with longer and longer pauses; its own are 10
_ATTEMPTS = 3


def check_place(path: Path) -> None:
    """Raise DataError where no SQLite database can be, or be written; it is not opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_regular(path)
        for needed in (path.parent, path):  # a journal stands beside the database
            if needed.exists() and not os.access(needed, os.W_OK):
                raise DataError(f"{needed} is not writable")
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_database(path: Path) -> None:
    """Raise DataError where an SQLite database, which may not exist yet, cannot be written now."""
    check_place(path)
    if not path.exists():
        return
    try:
        # no statement of Python's own before these
        with closing(sqlite3.connect(path, PATIENCE, isolation_level=None)) as database:
            database.execute("pragma schema_version").fetchone()
            database.execute("begin immediate")
            database.execute("rollback")
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise DataError(
                f"{path}: another process has kept it locked for {PATIENCE:g} s"
            ) from error
        raise DataError(f"{path}: cannot be used: {error}") from error


@contextmanager
def impatient_connections() -> Iterator[None]:
    """Let MLflow give up a database that does not answer within seconds."""
    from mlflow.store.db import utils

    before = utils.MAX_RETRY_COUNT
    utils.MAX_RETRY_COUNT = _ATTEMPTS
    try:
        yield
    finally:
        utils.MAX_RETRY_COUNT = before
