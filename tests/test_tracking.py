"""MLflow observes: nothing of it is lost, and nothing is lost by it."""

import subprocess
import sys
import time

import pytest

from interactivenet import tracking

TASK = "Task105_TRACK"


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def warnings():
    return []


def begin(results, warnings, **more):
    return tracking.start(results, TASK, "fold_0", warn=warnings.append, **more)


def client(results):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{results / 'mlflow.db'}")


def test_what_is_kept(tmp_path, warnings):
    tracker = begin(tmp_path, warnings)
    tracker.parameters({"epochs": 3, "plan": {"spacing": (1.0, 2.0), "long": "x" * 9000}})
    for epoch in (1, 2):
        tracker.metrics({"loss": 1 / epoch, "nothing": float("nan")}, step=epoch)
    note = tmp_path / "note.txt"
    note.write_text("kept")
    tracker.artefact(note, "notes")
    tracker.artefact(tmp_path / "missing.txt")
    tracker.finish()
    tracker.metrics({"late": 1.0})  # after the end: nothing happens
    run = client(tmp_path).get_run(tracker.run_id)
    assert run.info.status == "FINISHED" and run.info.run_name == "fold_0"
    assert run.data.params["epochs"] == "3" and run.data.params["plan.spacing"] == "(1.0, 2.0)"
    assert len(run.data.params["plan.long"]) == 500
    assert run.data.metrics == {"loss": 0.5}
    history = client(tmp_path).get_metric_history(tracker.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(1, 1.0), (2, 0.5)]
    (kept,) = (tmp_path / "mlruns").rglob("note.txt")
    assert kept.read_text() == "kept" and kept.parent.name == "notes"
    experiment = client(tmp_path).get_experiment(run.info.experiment_id)
    assert experiment.name == TASK and warnings == []


def test_an_interrupted_run_goes_on(tmp_path, warnings):
    first = begin(tmp_path, warnings)
    first.parameters({"epochs": 3})
    first.finish("KILLED")
    again = begin(tmp_path, warnings, run_id=first.run_id)
    assert again.run_id == first.run_id
    again.parameters({"epochs": 5, "new": 1})  # a parameter keeps its value
    assert client(tmp_path).get_run(again.run_id).info.status == "RUNNING"
    again.finish("FAILED")
    run = client(tmp_path).get_run(again.run_id)
    assert run.info.status == "FAILED" and run.data.params == {"epochs": "3", "new": "1"}
    other = begin(tmp_path, warnings, run_id="0123456789abcdef0123456789abcdef")
    assert other.run_id not in ("", first.run_id) and warnings == []


def test_the_address_of_the_environment(tmp_path, warnings, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    tracker = begin(tmp_path / "results", warnings)
    tracker.finish()
    assert (tmp_path / "other.db").exists() and not (tmp_path / "results").exists()
    assert tracker.address.endswith("other.db") and warnings == []


def test_an_unreachable_server_costs_one_warning(tmp_path, warnings, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    begun = time.monotonic()
    tracker = begin(tmp_path, warnings)
    tracker.parameters({"a": 1})
    tracker.metrics({"a": 1.0})
    tracker.artefact(tmp_path)
    tracker.finish()
    assert time.monotonic() - begun < 20
    assert len(warnings) == 1 and "http://127.0.0.1:9" in warnings[0]
    assert "\n" not in warnings[0] and tracker.run_id == ""


def test_a_broken_database_costs_one_warning(tmp_path, warnings):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    tracker = begin(tmp_path, warnings)
    tracker.metrics({"a": 1.0})
    assert len(warnings) == 1 and "going on without it" in warnings[0]


def test_a_database_that_breaks_later_costs_one_warning(tmp_path, warnings):
    tracker = begin(tmp_path, warnings)
    tracker.metrics({"a": 1.0}, step=1)
    for path in tmp_path.glob("mlflow.db*"):
        path.write_bytes(b"overwritten" * 5000)
    for step in range(2, 5):
        tracker.metrics({"a": 1.0}, step=step)
    tracker.finish()
    assert len(warnings) == 1


def test_a_folder_that_is_a_file_costs_one_warning(tmp_path, warnings):
    (tmp_path / "results").write_text("")
    begin(tmp_path / "results", warnings)
    assert len(warnings) == 1


def test_silence_and_no_import_for_nothing():
    tracker = tracking.silent()
    tracker.parameters({"a": 1})
    tracker.metrics({"a": 1.0})
    tracker.finish()
    code = "import interactivenet.tracking, sys; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_FOLD = """
import sys, time
from pathlib import Path
from interactivenet import tracking
results, fold, begin = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
import mlflow
time.sleep(max(0, begin - time.time()))
tracker = tracking.start(results, "Task105_TRACK", f"fold_{fold}", warn=sys.exit)
tracker.parameters({"fold": fold, "plan": {str(i): i for i in range(150)}})
for step in range(1, 31):
    tracker.metrics({f"metric_{i}": step * 10 + i for i in range(5)}, step=step)
note = results / f"note_{fold}.txt"
note.write_text(fold)
tracker.artefact(note)
tracker.finish()
"""


def test_five_folds_at_once_lose_nothing(tmp_path):
    begin = time.time() + 12
    command = [sys.executable, "-c", _FOLD, str(tmp_path)]
    folds = [
        subprocess.Popen([*command, str(fold), str(begin)], stderr=subprocess.PIPE, text=True)
        for fold in range(5)
    ]
    for fold in folds:
        _, said = fold.communicate(timeout=240)
        assert fold.returncode == 0 and said == "", said
    here = client(tmp_path)
    experiment = here.get_experiment_by_name(TASK)
    runs = here.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == [f"fold_{fold}" for fold in range(5)]
    for run in runs:
        fold = run.info.run_name.removeprefix("fold_")
        assert run.info.status == "FINISHED" and len(run.data.params) == 151
        assert run.data.params["fold"] == fold and run.data.params["plan.149"] == "149"
        for number in range(5):
            history = here.get_metric_history(run.info.run_id, f"metric_{number}")
            found = sorted((one.step, one.value) for one in history)
            assert found == [(step, step * 10 + number) for step in range(1, 31)]
        assert [one.path for one in here.list_artifacts(run.info.run_id)] == [f"note_{fold}.txt"]
