"""``interactivenet train``: what it writes, says and refuses; killed for real and started again."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from interactivenet.cli import main
from interactivenet.datasets.task import Task
from interactivenet.imaging.io import read_image, read_label
from tests.cli.plan_command import unless_given
from tests.training.trained_task import NAME, make_task

OPTIONS = {"--device": "cpu", "--precision": "fp32", "--workers": "0"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A planned task of four small phantoms."""
    return make_task(tmp_path_factory.mktemp("train"))


@pytest.fixture(autouse=True)
def own_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def arguments(root, results, *more, fold="0", epochs=1):
    where = ["--raw", root / "raw", "--processed", root / "processed", "--results", results]
    words = ["train", "-t", NAME, "-f", fold, "-e", epochs, *where, *unless_given(OPTIONS, more),
             *more]  # fmt: skip
    return [str(word) for word in words]


def train(root, results, *more, **options):
    return CliRunner().invoke(main, arguments(root, results, *more, **options))


def process(root, results, *more, **options):
    command = [sys.executable, "-m", "interactivenet", *arguments(root, results, *more, **options)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    """The output of a training of both folds, and the folder of results."""
    results = tmp_path_factory.mktemp("results")
    done = train(root, results, fold="all", epochs=2)
    assert done.exit_code == 0, done.output
    return done.output, results


def test_what_is_written(trained, root):
    _, results = trained
    cases = [case.name for case in Task.load(root / "raw" / NAME).training]
    for fold in (0, 1):
        folder = results / NAME / f"fold_{fold}"
        plans = json.loads((root / "processed" / NAME / "plans.json").read_text())
        validation = plans["splits"][fold]["validation"]
        assert sorted(p.name for p in folder.iterdir() if p.name != ".lock") == [
            "checkpoint.ckpt", "curves.png", "metrics.csv", "mlflow.json", "model_best.json",
            "model_best.safetensors", "model_last.json", "model_last.safetensors", "run.json",
            "validation",
        ]  # fmt: skip
        for checkpoint in ("best", "last"):
            found = sorted(p.name for p in (folder / "validation" / checkpoint).iterdir())
            assert found == sorted(f"{case}.nii.gz" for case in validation)
        assert set(validation) <= set(cases)
        for picture in ("best", "median", "worst"):
            assert (folder / "validation" / f"{picture}.png").stat().st_size > 5000
        record = json.loads((folder / "run.json").read_text())
        assert record["status"] == "done" and record["fold"] == fold and record["epochs"] == 2
        assert record["precision"] == "fp32" and len(record["plan"]) == 64
        assert set(record["seconds"]) == {"train", "validate", "all"}
        regions = [name for name in record["inputs"] if name.startswith("regions/")]
        assert len(regions) == 4 and "plans.json" in record["inputs"]


def test_predictions_lie_on_the_cases_own_grid(trained, root):
    _, results = trained
    for case in Task.load(root / "raw" / NAME).training:
        (path,) = results.glob(f"{NAME}/fold_*/validation/best/{case.name}.nii.gz")
        found, image = read_label(path), read_image(case.images[0])
        assert found.source.shape == image.source.shape
        assert np.array_equal(found.source.affine, image.source.affine)


def test_validation_metrics_are_those_of_the_stored_predictions(trained, root):
    from interactivenet.evaluation import evaluate_masks

    _, results = trained
    cases = {case.name: case for case in Task.load(root / "raw" / NAME).training}
    folder = results / NAME / "fold_0" / "validation"
    table = json.loads((folder / "metrics.json").read_text())
    for checkpoint, content in table.items():
        assert len(content["cases"]) == 2
        for name, case in content["cases"].items():
            (row,) = case["objects"]
            found = read_label(folder / checkpoint / f"{name}.nii.gz")
            truth = read_label(cases[name].label)
            metrics = evaluate_masks(found.array[0] == 1, truth.array[0] == 1, found.spacing)
            for metric in ("dice", "nsd", "volume_prediction_ml", "volume_label_ml"):
                assert row[metric] == pytest.approx(metrics[metric])


def test_what_is_said(trained):
    said, _ = trained
    assert "fold 0: 2 objects to train on, 2 to validate, 2 epochs" in said
    assert "million weights" in said and "about" in said and "cpu, fp32" in said
    assert "epoch 1/2: loss " in said and "epoch 2/2: loss " in said and "0 s left" in said
    assert "missed" in said and "best checkpoint, epoch" in said and "worst: phantom" in said


def test_mlflow_has_a_run_per_fold(trained):
    from mlflow import MlflowClient

    _, results = trained
    client = MlflowClient(f"sqlite:///{results / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["fold_0", "fold_1"]
    for run in runs:
        assert run.info.status == "FINISHED" and run.data.params["batch_size"]
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 2
        assert "best_dice" in run.data.metrics
        kept = {one.path for one in client.list_artifacts(run.info.run_id)}
        assert {"curves.png", "metrics.csv", "plans.json", "validation"} <= kept


def test_a_finished_fold_is_left_alone(trained, root):
    _, results = trained
    before = {p: p.stat().st_mtime_ns for p in (results / NAME / "fold_0").rglob("*.*")
              if p.suffix in (".safetensors", ".gz", ".ckpt")}  # fmt: skip
    done = train(root, results, epochs=2)
    assert (
        done.exit_code == 0
        and "already trained for 2 epochs (--overwrite starts over)" in done.output
    )
    assert all(p.stat().st_mtime_ns == when for p, when in before.items())


def test_without_mlflow_and_validation(root, tmp_path):
    done = train(root, tmp_path, "--no-mlflow", "--no-validate")
    assert done.exit_code == 0, done.output
    assert not list(tmp_path.glob("*mlflow*"))
    assert not (tmp_path / NAME / "fold_0" / "validation").exists()


def test_an_unreachable_server_costs_a_warning_only(root, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = train(root, tmp_path, "--no-validate")
    assert done.exit_code == 0, done.output
    assert done.output.count("warning: MLflow at http://127.0.0.1:9") == 1


def test_the_record_keeps_what_trained_the_weights(root, tmp_path):
    for _ in range(2):
        assert train(root, tmp_path, "--no-mlflow", "--no-validate").exit_code == 0
    record = json.loads((tmp_path / NAME / "fold_0" / "run.json").read_text())
    (first,) = record["earlier"]
    assert record["resumed"] == 1 and first["resumed"] == 0 and first["status"] == "done"
    assert train(root, tmp_path, "--no-mlflow", "--no-validate", "--overwrite").exit_code == 0
    assert "earlier" not in json.loads((tmp_path / NAME / "fold_0" / "run.json").read_text())


def test_a_damaged_note_of_mlflow_does_not_matter(root, tmp_path):
    (tmp_path / NAME / "fold_0").mkdir(parents=True)
    (tmp_path / NAME / "fold_0" / "mlflow.json").write_text("{")
    assert train(root, tmp_path, "--no-validate").exit_code == 0
    assert json.loads((tmp_path / NAME / "fold_0" / "mlflow.json").read_text())["run_id"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": "7"}, "-f / --fold 7: expected all or one of 0, 1"),
        ({"fold": "x"}, "-f / --fold x: expected all or one of 0, 1"),
        ({"epochs": 0}, "0 is not in the range x>=1"),
    ],
)
def test_wrong_requests(root, tmp_path, options, message):
    done = train(root, tmp_path, **options)
    assert done.exit_code == 2 and message in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", "3"], "--minutes 3: expected no -e / --epochs beside it"),
        (["--minutes", "0"], "0.0 is not in the range x>0"),
        (["--steps", "0"], "0 is not in the range x>=1"),
        (["--from", "Task900_X"], "--from Task900_X: there is no model 'Task900_X': expected"),
    ],
)
def test_wrong_budgets_and_starts(root, tmp_path, options, message):
    done = train(root, tmp_path, *options)
    assert done.exit_code == 2 and message in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_one_fold_at_a_time_on_several_devices(root, tmp_path):
    done = train(root, tmp_path, "--devices", "2", fold="all")
    assert done.exit_code == 2
    assert "--devices 2: expected 1 with -f / --fold all, as several" in done.output


def test_a_task_that_is_not_planned(root, tmp_path):
    words = ["train", "-t", "Task777_NONE", "-f", "0", "--no-validate"]
    done = CliRunner().invoke(main, [*words, "--processed", str(root / "processed")])
    assert done.exit_code == 2 and f"tasks there: {NAME}" in done.output
    assert "interactivenet plan -t Task777_NONE" in done.output
    assert CliRunner().invoke(main, ["train", "-f", "0"]).exit_code == 2


def test_cuda_where_there_is_none(root, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    done = train(root, tmp_path, "--device", "cuda")
    assert done.exit_code == 2 and "--device cuda: there is no CUDA device" in done.output


def test_two_at_once_are_refused(root, tmp_path):
    from interactivenet.system.locks import folder_lock

    with folder_lock(tmp_path / NAME / "fold_0"):
        done = train(root, tmp_path)
    assert done.exit_code == 2 and "another run is writing to it" in done.output


def test_a_case_that_is_gone_fails_alone(root, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    plans = json.loads((copy / "processed" / NAME / "plans.json").read_text())
    lost = plans["splits"][0]["validation"][0]
    for path in (copy / "raw" / NAME / "imagesTr").glob(f"{lost}*"):
        path.unlink()
    done = train(copy, tmp_path / "results")
    assert done.exit_code == 1 and lost in done.output and "1 case failed" in done.output
    folder = tmp_path / "results" / NAME / "fold_0"
    assert lost in json.loads((folder / "failures.json").read_text())["train"]
    assert len(list((folder / "validation" / "best").iterdir())) == 1


def wait_for_epochs(process, count):
    """Read a training's output up to the end of an epoch."""
    for line in process.stdout:
        if line.startswith(f"epoch {count}/"):
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_killed_for_real_and_started_again(root, tmp_path, number, status):
    running = process(root, tmp_path, "--no-mlflow", "--no-validate", epochs=400)
    wait_for_epochs(running, 2)
    time.sleep(0.1)  # somewhere in a later epoch
    running.send_signal(number)
    said, errors = running.communicate(timeout=60)
    assert running.returncode == status, errors
    folder = tmp_path / NAME / "fold_0"
    record = json.loads((folder / "run.json").read_text())
    if number == signal.SIGKILL:
        assert record["status"] == "running"
    else:
        assert f"the training is saved in {folder / 'checkpoint.ckpt'}" in said
        assert (
            "run the same command again to finish its work" in said
            and "ended by" in record["ended"]
        )
    done = len((folder / "metrics.csv").read_text().splitlines()) - 1
    assert done >= 2
    if number != signal.SIGKILL:
        return  # how a saved training goes on is told in tests/training/test_resuming.py
    again = process(root, tmp_path, "--no-mlflow", "--no-validate", epochs=400)
    wait_for_epochs(again, done + 1)  # nothing lost but the epoch
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=60)
    assert not [path for path in folder.iterdir() if path.name.startswith(".") and "-" in path.name]


def test_a_signal_during_validation(root, tmp_path):
    done = train(root, tmp_path, "--no-mlflow", "--no-validate")
    assert done.exit_code == 0, done.output
    code = (
        "import os, sys; from interactivenet.inference.predictor import Predictor\n"
        "from interactivenet.cli import main; answer = Predictor.answer\n"
        "asked = []\n"
        "def signalled(*arguments, **more):\n"
        "    asked.append(1)\n"
        "    if len(asked) == 2: os.kill(os.getpid(), 15)\n"
        "    return answer(*arguments, **more)\n"
        "Predictor.answer = signalled; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, *arguments(root, tmp_path, "--no-mlflow")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 143, ended.stderr
    folder = tmp_path / NAME / "fold_0" / "validation"
    assert len(list((folder / "best").iterdir())) == 1  # what was half done is thrown away
    assert train(root, tmp_path, "--no-mlflow").exit_code == 0
    assert len(list((folder / "best").iterdir())) == 2


def test_two_processes_for_one_fold(root, tmp_path):
    done = process(root, tmp_path, "--devices", "2", "--no-mlflow", epochs=2)
    said, errors = done.communicate(timeout=240)
    assert done.returncode == 0, errors
    assert said.count("epoch 2/2") == 1  # one of them reports
    folder = tmp_path / NAME / "fold_0"
    table = (folder / "metrics.csv").read_text().splitlines()
    assert len(table) == 3 and table[-1].startswith("2,10,")  # each takes half the batches
    weights = load_file(folder / "model_last.safetensors")
    assert all(torch.isfinite(one).all() for one in weights.values())


def test_the_bar_on_a_terminal():
    from rich.console import Console

    from interactivenet.cli.durations import duration
    from interactivenet.cli.progress import EpochProgress

    shown = EpochProgress(3, Console(force_terminal=True, width=100))
    with shown:
        shown.step(1, 5, 10)
        shown.epoch({"epoch": 1, "loss": 0.5, "dice": 0.8, "seconds_left": 7300, "seconds": 9.0,
                     "best": True})  # fmt: skip
        shown.step(2, 1, 10)
    with EpochProgress(None, Console(force_terminal=True, width=100)) as shown:
        shown.step(1, 5, 10)
    assert duration(7300) == "2 h 2 min" and duration(30) == "30 s"
    assert duration(600) == "10 min"
