"""The demo is every stage, run as one would type it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.cli.demo import _shell, inside, typed
from interactivenet.datasets.findings import Finding
from interactivenet.errors import RequestError
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.models.device import kept_choice_of_kernels
from interactivenet.pipeline import demo
from interactivenet.pipeline.demo_steps import (
    DemoOptions,
    coarser_plan,
    demo_steps,
    planned_spacing,
)
from interactivenet.pipeline.reporting import Table
from interactivenet.system.files import write_json
from tests.pipeline.recording_reporter import RecordingReporter
from tests.raw_task import GRID, image_array, label_array, write_case
from tests.sample_cases import make_plan

SMALL = ["--cases", "4", "--test-cases", "1", "-e", "1"]


def test_every_stage_is_there():
    stages = ["make_phantoms", "simulate", "check_dataset", "plan", "train", "test", "deploy"]
    functions = [step.function for step in demo_steps(DemoOptions())]
    assert functions == [*stages, "make_phantoms", "simulate", "infer", "infer"]


def command(step):
    with click.Context(main):
        return typed(step.call)


def parsed(step):
    """Parse a step's command as the command line does."""
    _, *words = shlex.split(command(step))
    found = main
    while isinstance(found, click.Group) and (named := found.get_command(None, words[0])):
        found, words = named, words[1:]
    return found.make_context("demo", words, resilient_parsing=True).params


def test_what_is_printed_can_be_typed():
    """Every command is parsed by the command line, to the options that the stage is called with."""
    for options in (DemoOptions(), DemoOptions(deterministic=True, epochs=7)):
        steps = demo_steps(options)
        for step in steps:
            assert command(step).startswith("interactivenet ")
            assert parsed(step)["task"] == step.arguments.get("task")
        train = parsed(steps[4])
        assert train["fold"] == "all" and train["epochs"] == options.epochs
        assert train["deterministic"] == options.deterministic
    phantom = parsed(demo_steps(DemoOptions(cases=5))[0])
    assert phantom["cases"] == 5 and phantom["modalities"] == ("CT",)
    assert phantom["shape"] == (64, 64, 32) and phantom["spacing"] == (1.0, 1.0, 2.0)
    infer, starter = map(parsed, demo_steps(DemoOptions())[-2:])
    assert infer["model"] == "deployed" and [path.name for path in infer["images"]] == ["imagesTr"]
    assert starter["model"] == "starter" and starter["task"] is None
    for name in ("images", "interactions", "labels"):
        assert starter[name] == infer[name]
    assert starter["output"] != infer["output"]


def starter_step(tmp_path):
    """The last step of a demo in a folder, and what it says."""
    write_case(tmp_path / "data/raw/Task998_NEW", "new", prompt=True)
    reporter = RecordingReporter()
    failures = demo_steps(DemoOptions())[-1].run(demo.demo_roots(tmp_path), reporter)
    return failures, reporter


def test_the_starter_ends_the_demo(tmp_path, with_starter):
    failures, reporter = starter_step(tmp_path)
    assert failures == {} and (tmp_path / "starter_segmentations/new.nii.gz").is_file()
    assert (tmp_path / "starter_segmentations/evaluation/metrics.json").is_file()
    assert any(str(with_starter) in line for line in reporter.lines)


def test_without_a_starter_the_step_says_so(tmp_path, without_starter):
    failures, reporter = starter_step(tmp_path)
    assert reporter.lines == ["skipped: this installation has no starter model"]
    assert failures == {} and not (tmp_path / "starter_segmentations").exists()


def test_own_scans_are_imported_with_the_labels_that_they_have(tmp_path):
    for number in range(4):
        write_volume(tmp_path / "images" / f"c{number}.nii.gz", image_array(0), GRID)
        write_label_array(tmp_path / "labels" / f"c{number}.nii.gz", 3 * label_array(), GRID)
    options = DemoOptions(data=str(tmp_path), cases=2, test_cases=1, modalities=("MR",))
    first = command(demo_steps(options)[0])
    values = sorted({3 * int(value) for value in set(label_array().ravel().tolist())} - {0})
    assert first == (
        f"interactivenet dataset convert {tmp_path} -t Task999_DEMO --cases 2 --test-cases 1"
        f" -m MR {' '.join(f'-l {value}=label_{value}' for value in values)}"
    )
    named = replace(options, modalities=("CT",), merge_labels="tumour")
    assert command(demo_steps(named)[0]).endswith("-m CT --merge-labels tumour")
    with pytest.raises(RequestError, match="has 4 labelled cases, but 9 were asked for"):
        demo_steps(replace(options, cases=8))


def test_another_folder_is_left_alone(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    done = CliRunner().invoke(main, ["demo", "-o", str(tmp_path / "other")])
    assert done.exit_code == 2 and "exists and is not a demo" in done.output
    assert "choose a new folder with -o / --output" in done.output
    demo.begin(tmp_path / "demo", DemoOptions())
    demo.begin(tmp_path / "demo", DemoOptions())
    for other in (DemoOptions(epochs=3), DemoOptions(deterministic=True)):
        with pytest.raises(RequestError, match="started with other settings"):
            demo.begin(tmp_path / "demo", other)


def test_the_whole_of_it(tmp_path):
    """Whatever folders the environment names; started again, everything is kept."""
    words = [sys.executable, "-m", "interactivenet", "demo", *SMALL]
    env = os.environ | {"interactivenet_raw": "/nowhere", "interactivenet_results": "/nowhere"}

    def run():
        return subprocess.run(
            words, cwd=tmp_path, env=env, capture_output=True, encoding="utf-8"
        )  # fmt: skip

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "demo" / "results"
    content = json.loads((results / "Task999_DEMO" / "evaluation" / "metrics.json").read_text())
    dice = content["summary"]["all"]["metrics"]["dice"]["mean"]
    assert f"Dice of the test cases: {dice:.3f}, n = 1" in done.stdout
    for path in ("Task999_DEMO/evaluation/report.html", "models/Task999_DEMO/bundle.json",
                 "models/Task999_DEMO.zip"):  # fmt: skip
        assert (results / path).is_file()
    segmentation = tmp_path / "demo" / "new_segmentations" / "phantom_000.nii.gz"
    weights = results / "Task999_DEMO" / "fold_1" / "model_last.safetensors"
    before = {path: path.stat().st_mtime_ns for path in (segmentation, weights)}
    assert "$ interactivenet train -t Task999_DEMO -f all -e 1\n" in done.stdout
    steps, _, last = done.stdout.partition("\nDone.\n")
    assert "demo/data" not in steps and "demo/results" not in steps and "demo/new" not in steps
    assert "data/raw/Task999_DEMO" in steps and "demo/results/" in last
    again = run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert "data/raw/Task999_DEMO exists already" in again.stdout
    # messages of a stage name the options of its command
    assert "1 case already done" in again.stdout and "(--overwrite redoes them)" in again.stdout
    assert "`" not in again.stdout


@pytest.mark.parametrize("before", [False, True])
def test_a_stage_leaves_the_process_as_it_was(monkeypatch, before):
    """Of a notebook, say, that has made torch deterministic itself."""
    import torch

    monkeypatch.setenv("INTERACTIVENET_PROBE", "before")
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "benchmark", not before)
    monkeypatch.setattr(cudnn, "deterministic", before)
    with kept_choice_of_kernels():
        torch.use_deterministic_algorithms(before, warn_only=before)
        with pytest.raises(RequestError), demo.as_found():
            torch.use_deterministic_algorithms(not before)
            cudnn.benchmark, cudnn.deterministic = before, not before
            os.environ["INTERACTIVENET_PROBE"] = "after"
            os.environ["INTERACTIVENET_OTHER"] = "new"
            raise RequestError("a stage may fail")
        assert torch.are_deterministic_algorithms_enabled() == before
        assert torch.is_deterministic_algorithms_warn_only_enabled() == before
        assert (cudnn.benchmark, cudnn.deterministic) == (not before, before)
    assert not torch.are_deterministic_algorithms_enabled()
    assert os.environ["INTERACTIVENET_PROBE"] == "before"
    assert "INTERACTIVENET_OTHER" not in os.environ


def test_paths_are_those_of_whoever_works_in_its_folder(tmp_path, monkeypatch, capsys):
    """As after the cd that is printed first; other paths, and words that look alike, stay."""
    monkeypatch.chdir(tmp_path)
    folder = Path("dm/my demo")
    with click.Context(main):
        shell = _shell(folder)
        shell.say("dm/my demo/results/a.json: written to dm/my demo/b")
        shell.say(f"{tmp_path}/dm/my demo/c, {tmp_path}/d, x/dm/my demo/e, dm/my demo2/f")
        shell.say("the folder dm/my demo")
        shell.findings([Finding("note", "case", "dm/my demo/g: is odd")])
        shell.table(Table(("file",), (("dm/my demo/h",),)))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "$ cd 'dm/my demo'"
    assert lines[1] == "results/a.json: written to b"
    assert lines[2] == f"c, {tmp_path}/d, x/dm/my demo/e, dm/my demo2/f"
    assert lines[3] == "the folder dm/my demo"
    assert lines[5].endswith("g: is odd") and "dm" not in lines[5]
    assert lines[-1] == "h"
    assert inside("data/raw/a", Path()) == "data/raw/a"


def test_what_a_stage_refuses_ends_it(tmp_path, monkeypatch):
    """In the words of the command line, whichever command it was."""

    def refuse(*_, **__):
        raise RequestError("nothing there", remedy="`overwrite=True` would help")

    monkeypatch.setattr("interactivenet.pipeline.simulate.simulate", refuse)
    done = CliRunner().invoke(main, ["demo", *SMALL, "-o", str(tmp_path / "demo")])
    assert done.exit_code == 2
    assert "the demo stopped: nothing there: --overwrite would help" in done.output


def test_a_signal_ends_the_stage_that_runs(tmp_path):
    words = [sys.executable, "-u", "-m", "interactivenet", "demo", *SMALL[:4], "-e", "500"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:  # fmt: skip
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
    assert "SIGTERM" in said[-1] and time.monotonic() - start < 60
    fold = tmp_path / "demo" / "results" / "Task999_DEMO" / "fold_0"
    assert (fold / "checkpoint.ckpt").exists()


def test_large_samples_are_planned_with_larger_voxels(tmp_path):
    folder = tmp_path / "data" / "processed" / "Task999_DEMO"
    steps = []
    for shape, spacing, again in (
        ((144, 120, 72), (0.9766, 0.9766, 3.27), True),
        ((40, 40, 40), (1.0, 1.0, 1.0), False),
    ):
        plan = make_plan(spacing, sample_shape=shape)
        write_json(folder / "plans.json", plan.as_json())
        step = coarser_plan(DemoOptions(), demo.demo_roots(tmp_path))
        assert (step is not None) == again
        steps.append(step)
    coarser, _ = steps
    assert coarser.function == "plan" and coarser.arguments["task"] == "Task999_DEMO"
    voxels = np.array(coarser.arguments["spacing"])
    assert parsed(coarser)["spacing"] == coarser.arguments["spacing"]
    shape, spacing = np.array((144, 120, 72)), np.array((0.9766, 0.9766, 3.27))
    assert (voxels >= spacing).all() and 30_000 < np.prod(shape * spacing / voxels) < 80_000


def test_own_scans_of_unknown_modality_are_asked_about_as_convert_does(tmp_path):
    """A CT that is not called CT is normalised as if it were MR: nobody can tell from the file."""
    for number in range(4):
        write_volume(tmp_path / "scans/images" / f"c{number}.nii.gz", image_array(0), GRID)
        write_label_array(tmp_path / "scans/labels" / f"c{number}.nii.gz", label_array(), GRID)

    def reason(*words):
        done = CliRunner().invoke(main, [*words, "-l", "tumour"])
        assert done.exit_code == 2, done.output
        return done.output.strip().splitlines()[-1]

    source = str(tmp_path / "scans")
    asked = reason("demo", "--data", source, "-o", str(tmp_path / "demo"))
    assert "-m / --modality" in asked and "does not name its modalities" in asked
    assert asked == reason("dataset", "convert", source, "-t", "Task999_DEMO")
    two = reason("demo", "--data", source, "-m", "CT", "-m", "MR", "-o", str(tmp_path / "demo"))
    assert "has 1 modality, 2 names were given: CT, MR" in two
    assert not (tmp_path / "demo").exists()


def test_a_demo_that_goes_on_keeps_its_coarser_plan(tmp_path):
    """Which folds are trained with: the plan of the data's own spacing is not made again."""
    roots = demo.demo_roots(tmp_path)
    folder = roots.processed / "Task999_DEMO"
    assert planned_spacing(roots) is None
    write_json(folder / "run.json", {"arguments": {"spacing": [2.0, 2.0, 3.5]}})
    assert planned_spacing(roots) is None  # killed before the plan was there
    write_json(folder / "plans.json", {})
    assert planned_spacing(roots) == (2.0, 2.0, 3.5)
    (step,) = [one for one in demo_steps(DemoOptions(), planned_spacing(roots))
               if one.function == "plan"]  # fmt: skip
    assert command(step).endswith("--spacing 2 2 3.5")
    for other in ({"arguments": {"spacing": None}}, {"arguments": None}, {}):
        write_json(folder / "run.json", other)
        assert planned_spacing(roots) is None
