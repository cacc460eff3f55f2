"""Can MLflow record runs? Training works without it: faults are notes, not problems."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from interactivenet.doctor.checks import Check
from interactivenet.doctor.folders import read_folder
from interactivenet.pipeline.tracking import DATABASE, database_of, short_message, without_password

#: seconds
_PATIENCE = 3
#: bytes up to which a database is checked through, which takes below a second
_SMALL = 2 * 10**8
_REMEDY = "repair it, set MLFLOW_TRACKING_URI to another store, or use --no-mlflow"


def check_store(results: Path) -> list[Check]:
    """Look at the store that a training would use, without making or changing it."""
    address = os.environ.get("MLFLOW_TRACKING_URI", "")  # as tracking.start chooses it
    address = address or f"sqlite:///{(results / DATABASE).absolute().as_posix()}"
    database = database_of(address)
    if database is not None:
        return [judge_store(address, _database_fault(database), exists=database.exists())]
    if re.match(r"https?://", address):
        return [judge_store(address, _server_fault(address))]
    if re.match(r"file:|/|\.", address):
        folder = Path(re.sub(r"^file:(//)?", "", address))
        facts = read_folder(folder)
        fault = "is not a folder" if facts.kind == "other" else facts.read or facts.write
        return [judge_store(address, fault, exists=facts.kind == "folder")]
    return [Check("mlflow", "ok", f"{without_password(address)}: not tried")]


def judge_store(address: str, fault: str, *, exists: bool = True) -> Check:
    """Say whether runs can be recorded at an address, without its password.

    fault: why they cannot; '' where they can.  exists: whether the store exists already.
    """
    finding = without_password(address)
    if fault:
        return Check("mlflow", "note", f"{finding}: {fault}; training works without it", _REMEDY)
    return Check("mlflow", "ok", finding if exists else f"{finding}: will be created")


def _database_fault(path: Path) -> str:
    folder = read_folder(path.parent)
    if folder.kind == "other":
        return f"{folder.place} is not a folder"
    if folder.write:  # a journal stands beside the database
        return f"{folder.place} cannot be written: {folder.write}"
    if not path.exists():
        return ""
    try:
        with path.open("r+b"):  # changes nothing
            pass
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as database:
            database.execute("select version_num from alembic_version").fetchone()
            if path.stat().st_size <= _SMALL:
                (result,) = database.execute("pragma quick_check(1)").fetchone()
                return "" if result == "ok" else f"is damaged: {result}"
    except OSError as error:
        return f"cannot be written: {error.strerror or error}"
    except sqlite3.Error as error:
        return f"cannot be used: {short_message(error)}"
    return ""


def _server_fault(address: str) -> str:
    import requests

    try:
        answer = requests.get(f"{address.rstrip('/')}/health", timeout=_PATIENCE)
    except (requests.RequestException, ValueError) as error:
        return f"does not answer: {short_message(error)}"
    return "" if answer.ok else f"answers with status {answer.status_code}"
