"""MLflow observes: nothing of it is lost, and nothing is lost by it."""

import errno
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from interactivenet.pipeline import tracking

TASK = "Task105_TRACK"
MEANWHILE = "continuing without it"


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def warnings():
    return []


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with MLflow's tables, which take seconds to make, and nothing in them."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def results(tmp_path, empty_database):
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder


def begin(results, warnings, **more):
    return tracking.start(results, TASK, "fold_0", warn=warnings.append, **more)


def client(results):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{results / 'mlflow.db'}")


def use(tracker, path):
    """Call all there is to be called."""
    tracker.parameters({"a": 1})
    tracker.metrics({"a": 1.0}, step=1)
    tracker.tags({"a": 1})
    tracker.artefact(path)
    tracker.finish("FAILED")


def history(results, run_id, name):
    found = client(results).get_metric_history(run_id, name)
    return sorted((one.step, one.value) for one in found)


def test_what_is_kept(tmp_path, warnings, capfd):
    folder = tmp_path / "some results ü#%@"  # no folder, no database yet
    before = dict(os.environ), logging.getLogger("urllib3.connectionpool").level
    tracker = begin(folder, warnings)
    tracker.parameters({"epochs": 3, "plan": {"spacing": (1.0, 2.0), "long": "x" * 9000}})
    tracker.parameters({"labels (mm)": {"T1,w": None, "none": {}}})
    tracker.parameters({})
    for epoch in (1, 2):
        numbers = {"loss": 1 / epoch, "a": float("nan"), "b": float("inf"), "c": None}
        tracker.metrics(numbers, step=epoch)
    tracker.metrics({"best/dice (mean)": 0.5})
    tracker.tags({"device": "cpu", "long": "y" * 9000})
    tracker.tags({"device": "cuda"})
    note = tmp_path / "note.txt"
    note.write_text("kept")
    tracker.artefact(note, "notes")
    tracker.artefact(tmp_path / "missing.txt")
    tracker.finish()
    tracker.metrics({"late": 1.0})  # after the end: nothing happens
    assert (dict(os.environ), logging.getLogger("urllib3.connectionpool").level) == before
    assert capfd.readouterr() == ("", "") and warnings == []
    assert tracker.address == f"sqlite:///{folder / 'mlflow.db'}"
    run = client(folder).get_run(tracker.run_id)
    assert run.info.status == "FINISHED" and run.info.run_name == "fold_0"
    assert run.data.params == {
        "epochs": "3", "plan.spacing": "(1.0, 2.0)", "plan.long": "x" * 500,
        "labels _mm_.T1_w": "None", "labels _mm_.none": "{}",
    }  # fmt: skip
    assert run.data.metrics == {"loss": 0.5, "best/dice _mean_": 0.5}
    assert history(folder, tracker.run_id, "loss") == [(1, 1.0), (2, 0.5)]
    assert run.data.tags["device"] == "cuda" and run.data.tags["long"] == "y" * 5000
    (kept,) = (folder / "mlruns" / TASK).rglob("note.txt")
    assert kept.read_text() == "kept" and kept.parent.name == "notes"
    assert client(folder).get_experiment(run.info.experiment_id).name == TASK


def test_an_interrupted_run_goes_on(results, warnings):
    first = begin(results, warnings)
    first.parameters({"epochs": 3})
    first.metrics({"loss": 1.0}, step=1)
    first.finish("KILLED")
    assert client(results).get_run(first.run_id).info.status == "KILLED"
    again = begin(results, warnings, run_id=first.run_id)
    assert again.run_id == first.run_id
    again.parameters({"epochs": 5, "new": 1})  # a parameter keeps its value
    again.metrics({"loss": 0.5}, step=2)
    assert client(results).get_run(again.run_id).info.status == "RUNNING"
    again.finish("FAILED")
    run = client(results).get_run(again.run_id)
    assert run.info.status == "FAILED" and run.data.params == {"epochs": "3", "new": "1"}
    assert history(results, again.run_id, "loss") == [(1, 1.0), (2, 0.5)] and warnings == []


def test_a_run_that_is_gone_is_begun_anew(results, warnings):
    deleted = begin(results, warnings)
    client(results).delete_run(deleted.run_id)
    elsewhere = tracking.start(results, "Task106_OTHER", "fold_0", warn=warnings.append)
    others = {"0" * 32, "no id!", deleted.run_id, elsewhere.run_id}
    begun = {begin(results, warnings, run_id=one).run_id for one in others}
    assert len(begun) == 4 and "" not in begun and not begun & others and warnings == []


def test_a_deleted_experiment_is_used_again(results, warnings):
    begin(results, warnings)
    here = client(results)
    number = here.get_experiment_by_name(TASK).experiment_id
    here.delete_experiment(number)
    tracker = begin(results, warnings)
    assert here.get_run(tracker.run_id).info.experiment_id == number and warnings == []


def test_an_experiment_that_appears_meanwhile(results, warnings, monkeypatch):
    from mlflow import MlflowClient

    first = begin(results, warnings)
    look, answers = MlflowClient.get_experiment_by_name, [None]
    monkeypatch.setattr(
        MlflowClient,
        "get_experiment_by_name",
        lambda self, name: answers.pop() if answers else look(self, name),
    )
    second = begin(results, warnings)
    runs = [client(results).get_run(one.run_id).info for one in (first, second)]
    assert runs[0].experiment_id == runs[1].experiment_id and warnings == [] and not answers


def test_the_address_of_the_environment(tmp_path, results, warnings, monkeypatch):
    other = tmp_path / "other"
    results.rename(other)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    tracker = begin(results, warnings)
    tracker.metrics({"loss": 1.0})
    (tmp_path / "note.txt").write_text("kept")
    tracker.artefact(tmp_path / "note.txt")
    tracker.finish()
    assert history(other, tracker.run_id, "loss") == [(0, 1.0)]
    assert len(list((other / "mlruns" / TASK).rglob("note.txt"))) == 1
    assert tracker.address == f"sqlite:///{other / 'mlflow.db'}" and warnings == []
    assert {one.name for one in tmp_path.iterdir()} == {"other", "note.txt"}


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


def test_silence_and_no_import_for_nothing(tmp_path):
    tracker = tracking.silent()
    use(tracker, tmp_path)
    assert tracker.run_id == "" and tracker.address == ""
    code = "import interactivenet.pipeline.tracking, sys; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


_ALONE = """
import os, socket, sys
from pathlib import Path
def connect(*_, **__):
    os._exit(7)
socket.getaddrinfo = socket.socket.connect = connect
from interactivenet.pipeline import tracking
tracker = tracking.start(Path(sys.argv[1]), "Task105_TRACK", "fold_0", warn=sys.exit)
tracker.metrics({"loss": 1.0})
tracker.finish()
from mlflow.telemetry import get_telemetry_client
assert get_telemetry_client() is None
"""
#: of a machine where MLflow's telemetry is on, because it takes these for those of a test
_TESTING = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK")


def test_nothing_is_told_to_anybody(results):
    home = results.parent / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in _TESTING}
    environment.update(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"), PATH="/nowhere")
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(results)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (home / ".config" / "mlflow").exists()


_FOLD = """
import sys, time
from pathlib import Path
from interactivenet.pipeline import tracking
import mlflow
results, gate, fold = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
(gate / fold).touch()
while not (gate / "open").exists():
    time.sleep(0.01)
tracker = tracking.start(results, "Task105_TRACK", f"fold_{fold}", warn=sys.exit)
tracker.parameters({"fold": fold, "plan": {str(i): i for i in range(150)}})
for step in range(1, 6):
    tracker.metrics({f"metric_{i}": step * 100 + i for i in range(30)}, step=step)
note = gate / f"note_{fold}.txt"
note.write_text(fold)
tracker.artefact(note)
tracker.finish()
"""


def test_folds_at_once_lose_nothing(tmp_path):
    results, gate = tmp_path / "results", tmp_path / "gate"  # no database yet
    gate.mkdir()
    environment = {**os.environ, "PATH": "/nowhere", "MLFLOW_DISABLE_TELEMETRY": "true"}
    folds = [
        subprocess.Popen(
            [sys.executable, "-c", _FOLD, str(results), str(gate), str(fold)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for fold in range(3)
    ]  # fmt: skip
    until = time.monotonic() + 200
    while len(list(gate.iterdir())) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    (gate / "open").touch()  # at the same moment
    for fold in folds:
        said, _ = fold.communicate(timeout=200)
        assert (fold.returncode, said) == (0, "")
    here = client(results)
    (number,) = [one.experiment_id for one in here.search_experiments() if one.name == TASK]
    runs = here.search_runs([number])
    assert sorted(run.info.run_name for run in runs) == [f"fold_{fold}" for fold in range(3)]
    for run in runs:
        fold = run.info.run_name.removeprefix("fold_")
        expected = {f"plan.{i}": str(i) for i in range(150)}
        assert run.info.status == "FINISHED" and run.data.params == {**expected, "fold": fold}
        for number in range(30):
            found = history(results, run.info.run_id, f"metric_{number}")
            assert found == [(step, step * 100 + number) for step in range(1, 6)]
        (kept,) = here.list_artifacts(run.info.run_id)
        assert kept.path == f"note_{fold}.txt"
        (copy,) = (results / "mlruns").rglob(kept.path)
        assert copy.read_text() == fold and run.info.run_id in copy.parts
