"""``infer`` without a task: with the starter, an installed model, its folder or its zip."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import read_label, write_label_array, write_volume
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.cli.trained_command import CPU
from tests.model_server import make_task_bundle, make_zip
from tests.raw_task import GRID, POINTS, image_array, label_array


def write_points(path, *names):
    points = GRID.ras.voxel_to_world(np.array(POINTS, float))
    write_prompts(path, [Prompt(number + 1, points + 2 * number, name)
                         for number, name in enumerate(names)])  # fmt: skip
    return path


@pytest.fixture
def case(tmp_path, monkeypatch):
    """Two images of one grid, of which the second one is another modality, and points."""
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        write_volume(tmp_path / f"scan_{number:04d}.nii.gz", image_array(number), GRID)
    write_points(tmp_path / "points.json", "tumour", "node")
    return tmp_path


@pytest.fixture
def infer(case):
    def run(*words, images=(0,), points="points.json", code=0):
        paths = [word for number in images for word in ("-i", f"scan_{number:04d}.nii.gz")]
        words = ["infer", *paths, "-in", points, "-o", "out", "--no-tta", *CPU, *map(str, words)]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == code, done.output
        return " ".join((done.stdout + done.stderr).split())

    return run


def record(case):
    return json.loads((case / "out" / "scan.json").read_text())


def test_the_starter_without_a_task(infer, case, with_starter):
    told = infer("--model", "starter")
    assert f"model: Task000_STARTER, deployed, folds 0, in {with_starter}" in told
    objects = record(case)["objects"]
    assert [(one["label"], one["name"]) for one in objects] == [(1, "tumour"), (2, "node")]
    assert set(np.unique(read_label(case / "out" / "scan.nii.gz").array)) <= {0, 1, 2}
    run = json.loads((case / "out" / "run.json").read_text())
    assert run["arguments"]["task"] is None and run["arguments"]["model"] == "starter"


def test_images_of_several_modalities_are_averaged(infer, case, with_starter):
    def probability(*images):
        infer("--model", "starter", "-w", "--overwrite", images=images)
        name = "scan_0001" if images == (1,) else "scan"  # the first modality's number is none
        return np.load(case / "out" / f"{name}.npz")["probability_0"].astype(np.float32)

    first, second, both = probability(0), probability(1), probability(0, 1)
    assert record(case)["made_from"]["inputs"].keys() == {"image 0", "image 1", "points"}
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_allclose(both, (first + second) / 2, atol=2e-3)  # float16


def test_a_folder_of_cases_with_one_and_two_images(infer, case, with_starter):
    for name in ("one_0000", "two_0000", "two_0001"):
        (case / "images").mkdir(exist_ok=True)
        shutil.copy(case / f"scan_{name[-4:]}.nii.gz", case / "images" / f"{name}.nii.gz")
    for name in ("one", "two"):
        (case / "named").mkdir(exist_ok=True)
        shutil.copy(case / "points.json", case / "named" / f"{name}.json")
    words = ["infer", "-i", "images", "-in", "named", "-o", "out", "--model", "starter", "--no-tta"]
    done = CliRunner().invoke(main, [*words, *CPU])
    assert done.exit_code == 0, done.output
    made = {
        name: json.loads((case / "out" / f"{name}.json").read_text()) for name in ("one", "two")
    }
    assert [len(one["sources"]["images"]) for one in made.values()] == [1, 2]


def test_labels_are_compared_by_their_values(infer, case, with_starter):
    write_label_array(case / "label.nii.gz", label_array(2), GRID)
    told = infer("--model", "starter", "-l", "label.nii.gz")
    assert "1 case" in told
    rows = json.loads((case / "out" / "evaluation" / "metrics.json").read_text())["rows"]
    assert {row["label"]: row["name"] for row in rows}[2] == "node"


@pytest.mark.parametrize("by", ["name", "folder", "zip", "task and name"])
def test_other_models_without_a_task(infer, case, by):
    folder = make_task_bundle(case / "results" / "models" / "Task001_A", (0,))
    write_points(case / "points.json", "a")
    model = {
        "name": ["--model", "Task001_A"], "folder": ["--model", folder],
        "zip": ["--model", make_zip(folder, case / "a.zip")],
        "task and name": ["-t", "Task009_X", "--model", "Task001_A"],
    }[by]  # fmt: skip
    infer(*model)
    assert [one["label"] for one in record(case)["objects"]] == [1]
    # of one modality and one label, it takes neither two images nor other names
    told = infer(*model, images=(0, 1), code=2)
    assert "2 given for one case: expected 1, in the order CT" in told
    write_points(case / "points.json", "a", "node")
    assert "named 'node', expected one of the labels 1=a" in infer(*model, code=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing option '-t / --task', or '--model'"),
        (["--model", "own"], "Missing option '-t / --task', or '--model'"),
        (["--model", "Task002_B"], "--model: there is no model 'Task002_B': expected the folder"),
        (["--model", "starter"], "this installation has no starter model"),
        (["--model", "points.json"], "points.json: is not a complete zip"),
        (["-t", "starter"], "task name 'starter': expected TaskXXX_NAME"),
    ],
)
def test_wrong_requests(infer, case, without_starter, words, message):
    told = infer(*words, code=2)
    assert message in told, told
    assert not (case / "out").exists()
