"""workflow/Snakefile, run by Snakemake on this machine, without a container."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.raw_task import read

pytest.importorskip("snakemake", reason="needs Snakemake, which needs Python 3.11")

SNAKEFILE = Path(__file__).parents[2] / "workflow/Snakefile"
TASK, EPOCHS = "Task999_DEMO", 3
PHANTOM = ["--cases", "4", "--test-cases", "1", "-m", "CT", "--shape", "48", "48", "24"]
CONFIG = {
    "task": TASK, "data": "my data", "results": "my results", "modalities": ["CT"],
    "labels": ["tumour"], "folds": 2, "plan_args": "--preset tiny", "epochs": EPOCHS,
    "train_args": "--no-mlflow", "test_args": "--no-mlflow --no-tta", "threads": 1, "gpu": 0,
    "mem_mb": 1000,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Scans and labels, neither points nor dataset.json, and a configuration."""
    words = ["dataset", "phantom", *PHANTOM, "-t", TASK, "--raw", "my data/raw"]
    subprocess.run([sys.executable, "-m", "interactivenet", *words], cwd=tmp_path, check=True)
    (tmp_path / "my data/raw" / TASK / "dataset.json").unlink()
    (tmp_path / "my.yaml").write_text(json.dumps(CONFIG))
    return tmp_path


def start(folder, *words):
    """Start Snakemake, as the leader of a process group as on a terminal."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "my.yaml", "--snakefile",
               SNAKEFILE, "--cores", "2", "--nocolor", *words]  # fmt: skip
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return subprocess.Popen(
        command, cwd=folder, env=env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def snakemake(folder, *words):
    """Run it, and return what it says."""
    running = start(folder, *words)
    said, _ = running.communicate()
    assert running.returncode == 0, said
    return said


def due(folder, *words):
    """Return the rules that would run."""
    said = snakemake(folder, "--dry-run", *words)
    found = re.findall(r"^(?:local)?rule (\w+):$", said, re.MULTILINE)
    assert bool(found) != ("Nothing to be done" in said), said
    return sorted(found)


def epochs(fold):
    path = fold / "metrics.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_from_scans_to_a_model_in_spite_of_an_interruption(folder):
    results = folder / "my results" / TASK
    folds = [results / "fold_0", results / "fold_1"]
    # a scheduler ends all processes of the job that Snakemake runs in
    running = start(folder)
    end = time.monotonic() + 90
    while not any(epochs(fold) for fold in folds):
        assert running.poll() is None and time.monotonic() < end, running.communicate()
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGTERM)
    assert running.communicate() and running.returncode == 1
    before = [epochs(fold) for fold in folds]
    ended = folds[0 if before[0] else 1]
    assert (ended / "checkpoint.ckpt").exists() and len(epochs(ended)) < EPOCHS
    log = (results / f"logs/train_{folds.index(ended)}.log").read_text()
    assert "ended by SIGTERM: run the same command again" in log

    snakemake(folder)
    for fold, rows in zip(folds, before, strict=True):
        assert epochs(fold) == list(range(1, EPOCHS + 1))
        assert read(fold / "run.json")["resumed"] == len(rows)
    assert (results / "evaluation/report.html").exists()
    assert (folder / "my results/models" / TASK / "bundle.json").exists()
    assert due(folder) == []

    # only what follows from what is missing or new
    (results / "evaluation/report.html").unlink()
    assert due(folder) == ["all", "test"]
    after_training = ["all", "deploy", "postprocess", "test"]
    table = folds[1] / "validation/metrics.csv"
    table.write_text(table.read_text() + "\n")
    assert due(folder) == after_training
    assert due(folder, "--config", f"epochs={EPOCHS + 1}") == [*after_training, "train", "train"]

    # and a rule that runs again makes nothing again that is there
    segmented = {path: path.stat().st_mtime_ns for path in folds[1].glob("validation/*/*.nii.gz")}
    table.unlink()
    target = str(table.relative_to(folder))  # missed by nothing else, since what follows is there
    assert due(folder, target) == ["train"]
    snakemake(folder, target)
    log = (results / "logs/train_1.log").read_text()
    assert f"already trained for {EPOCHS} epochs" in log
    assert segmented == {path: path.stat().st_mtime_ns for path in segmented} and table.exists()


def test_failed_check_costs_no_file(folder):
    """A case that is refused fails the rule, and the points that are there stay."""
    raw = folder / "my data/raw" / TASK
    snakemake(folder, "--until", "simulate")
    points = sorted((raw / "interactionsTr").iterdir())
    assert len(points) == 4
    broken = raw / "imagesTr/phantom_000_0000.nii.gz"
    broken.write_bytes(b"")
    (raw / "imagesTr/new").touch()  # the folder is newer than dataset.json
    (raw / "imagesTr/new").unlink()
    running = start(folder, "--until", "simulate")
    said, _ = running.communicate()
    assert running.returncode == 1 and "phantom_000" in said
    assert sorted((raw / "interactionsTr").iterdir()) == points
    assert (raw / "dataset.json").exists() and (raw / "simulation.json").exists()


def test_inference_of_new_cases_follows_the_model(folder):
    raw = folder / "my data/raw" / TASK
    config = CONFIG | {"infer": {"images": str(raw / "imagesTs"), "output": "new",
                                 "interactions": str(raw / "labelsTs")}}  # fmt: skip
    (folder / "my.yaml").write_text(json.dumps(config))
    said = snakemake(folder, "--dry-run", "--printshellcmds")
    assert re.search(r"infer .*--model deployed .*--output new", said)
    assert not (folder / "new").exists()  # a dry run changes nothing

    # a job that fails leaves the folder, which a container needs in order to bind it
    bundle = folder / "my results/models" / TASK / "bundle.json"
    bundle.parent.mkdir(parents=True)
    bundle.write_text("{}")
    mark = f"my results/{TASK}/logs/inferred"
    running = start(folder, "--allowed-rules", "infer", "--retries", "0", "--", mark)
    said, _ = running.communicate()
    assert running.returncode == 1 and "Error in rule infer" in said, said
    assert (folder / "new").is_dir() and not (folder / mark).exists()


def test_lint(folder):
    assert "good condition" in snakemake(folder, "--lint")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"epoch": 3}, "'epoch' is unknown: did you mean 'epochs'?"),
        ({"taks": TASK}, "'taks' is unknown: did you mean 'task'?"),
        ({"zzz": 1}, "'zzz' is unknown: known are task, data, results"),
        ({"infer": {"image": "a", "interactions": "b", "output": "c"}}, "did you mean 'images'?"),
        ({"infer": {"images": "a", "output": "c"}}, "'interactions' is missing, expected images"),
    ],
)
def test_unknown_keys_are_refused(tmp_path, config, reason):
    """A mistyped name would leave the default in place, without a word."""
    (tmp_path / "my.yaml").write_text(json.dumps(CONFIG | config))
    running = start(tmp_path, "--dry-run")
    said, _ = running.communicate()
    assert running.returncode == 1 and reason in said, said
