"""MLflow's store: looked at, never made or changed, and never a problem."""

import hashlib
import http.server
import sqlite3
import threading
from contextlib import closing

import pytest

from interactivenet.doctor.mlflow_store import check_store


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("create table alembic_version (version_num text)")
        made.execute("insert into alembic_version values ('abc')")
    return path


def one(results):
    (check,) = check_store(results)
    assert check.subject == "mlflow"
    return check


def test_a_database_to_be_made_is_not_made(tmp_path):
    check = one(tmp_path / "results")
    assert check.status == "ok" and "will be created" in check.found
    assert list(tmp_path.iterdir()) == []


def test_a_good_database_is_left_as_it_was(database):
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    check = one(database.parent)
    assert check.status == "ok" and "will be created" not in check.found
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before
    assert list(database.parent.iterdir()) == [database]


def test_no_database(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"rubbish" * 1000)
    check = one(tmp_path)
    assert check.status == "note" and "not a database" in check.found
    assert "--no-mlflow" in check.remedy


def test_a_database_of_something_else(tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as made, made:
        made.execute("create table other (a text)")
    assert "no such table: alembic_version" in one(tmp_path).found


def test_a_damaged_database(database):
    with closing(sqlite3.connect(database)) as made, made:
        made.execute("create table runs (a text)")
        made.executemany("insert into runs values (?)", [("x" * 1000,)] * 200)
    content = bytearray(database.read_bytes())
    content[3 * 4096 : 6 * 4096] = b"\xff" * (3 * 4096)
    database.write_bytes(content)
    assert one(database.parent).status == "note"


def test_a_file_in_the_place_of_results(tmp_path):
    (tmp_path / "results").write_text("x")
    check = one(tmp_path / "results")
    assert check.status == "note" and "is not a folder" in check.found


def test_a_folder_of_files(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/runs")
    assert one(tmp_path).status == "ok"
    (tmp_path / "runs").write_text("x")
    assert one(tmp_path).status == "note"


class _Server(http.server.BaseHTTPRequestHandler):
    status = 200
    asked = None

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("status", [200, 503])
def test_a_server(tmp_path, monkeypatch, status):
    monkeypatch.setattr(_Server, "status", status)
    monkeypatch.setattr(_Server, "asked", [])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://me:secret@127.0.0.1:{server.server_port}/"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    try:
        check = one(tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert check.status == ("ok" if status == 200 else "note")
    assert _Server.asked == ["/health"]
    assert "secret" not in str(check) and "127.0.0.1" in check.found


def test_a_server_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    check = one(tmp_path)
    assert check.status == "note" and "does not answer" in check.found
    assert "secret" not in str(check)
