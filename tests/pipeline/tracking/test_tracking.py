"""MLflow observes: what is kept, goes on, and is told to nobody."""

import logging
import os
import subprocess
import sys
import time

from interactivenet.pipeline import tracking
from tests.pipeline.tracking.recorded_runs import TASK, begin, client, history, use


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
