"""The demo is every stage, run as one would type it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.errors import RequestError
from interactivenet.imaging.io import write_label, write_volume
from interactivenet.pipeline import demo
from interactivenet.system.files import write_json
from tests.raw_task import GRID, image_array, label_array
from tests.sample_cases import make_plan

SMALL = ["--cases", "4", "--test-cases", "1", "-e", "1"]


def commands(settings):
    return [step.words[0] for step in demo.steps(settings)]


def test_every_stage_is_there():
    stages = ["dataset", "simulate", "dataset", "plan", "train", "test", "deploy"]
    assert commands(demo.DemoOptions()) == [*stages, "dataset", "simulate", "infer"]


def test_own_scans_are_imported_with_the_labels_that_they_have(tmp_path):
    for number in range(4):
        write_volume(tmp_path / "images" / f"c{number}.nii.gz", image_array(0), GRID)
        write_label(tmp_path / "labels" / f"c{number}.nii.gz", 3 * label_array(), GRID)
    settings = demo.DemoOptions(data=str(tmp_path), cases=2, test_cases=1)
    first = demo.typed(demo.steps(settings)[0])
    values = sorted({3 * int(value) for value in set(label_array().ravel().tolist())} - {0})
    assert first == (
        f"interactivenet dataset convert {tmp_path} -t Task999_DEMO --cases 2 --test-cases 1"
        f" -m image {' '.join(f'-l {value}=label_{value}' for value in values)}"
    )
    named = replace(settings, modalities=("CT",), merge_labels="tumour")
    assert demo.typed(demo.steps(named)[0]).endswith("-m CT --merge-labels tumour")
    with pytest.raises(RequestError, match="has 4 cases with a label, 9 were asked for"):
        demo.steps(replace(settings, cases=8))


def test_another_folder_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    done = CliRunner().invoke(main, ["demo", "-o", str(tmp_path / "mine")])
    assert done.exit_code == 2 and "exists and is no demo" in done.output
    demo.begin(tmp_path / "demo", demo.DemoOptions())
    demo.begin(tmp_path / "demo", demo.DemoOptions())
    with pytest.raises(RequestError, match="begun with other settings"):
        demo.begin(tmp_path / "demo", demo.DemoOptions(epochs=3))


def test_the_whole_of_it(tmp_path):
    """Whatever folders the environment names; started again, everything is kept."""
    words = [sys.executable, "-m", "interactivenet", "demo", *SMALL]
    env = os.environ | {"interactivenet_raw": "/nowhere", "interactivenet_results": "/nowhere"}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "demo" / "results"
    content = json.loads((results / "Task999_DEMO" / "evaluation" / "metrics.json").read_text())
    dice = content["summary"]["all"]["metrics"]["dice"]["mean"]
    assert f"Dice of the test cases: {dice:.3f}, n = 1" in done.stdout
    for path in ("Task999_DEMO/evaluation/report.html", "models/Task999_DEMO/bundle.json",
                 "models/Task999_DEMO.zip"):  # fmt: skip
        assert (results / path).is_file()
    assert (tmp_path / "demo" / "new_segmentations" / "phantom_000.nii.gz").is_file()
    assert "$ interactivenet train -t Task999_DEMO -f all -e 1\n" in done.stdout


def test_a_signal_reaches_the_stage_that_runs(tmp_path):
    words = [sys.executable, "-u", "-m", "interactivenet", "demo", *SMALL[:4], "-e", "500"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("epoch 1/"):
                process.send_signal(signal.SIGTERM)
                break
        start = time.monotonic()
        said += process.stdout.readlines()
    assert process.returncode == 143, "".join(said)
    assert "the same command goes on" in said[-1] and time.monotonic() - start < 60
    fold = tmp_path / "demo" / "results" / "Task999_DEMO" / "fold_0"
    assert (fold / "checkpoint.ckpt").exists()


def test_large_samples_are_planned_with_larger_voxels(tmp_path):
    folder = tmp_path / "data" / "processed" / "Task999_DEMO"
    for shape, spacing, again in (
        ((144, 120, 72), (0.9766, 0.9766, 3.27), True),
        ((40, 40, 40), (1.0, 1.0, 1.0), False),
    ):
        plan = make_plan(spacing, sample_shape=shape)
        write_json(folder / "plans.json", plan.as_json())
        step = demo.coarser(demo.DemoOptions(), tmp_path)
        assert (step is not None) == again
        if step:
            found = np.array([float(word) for word in step.words[-3:]])
            voxels = np.prod(np.array(shape) * spacing / found)
            assert (found >= spacing).all() and 30_000 < voxels < 80_000
            assert step.words[:3] == ("plan", "-t", "Task999_DEMO")
