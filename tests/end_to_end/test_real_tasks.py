"""Real scans become checked tasks with prompts, by the commands a user types."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import read_label
from interactivenet.prompts.io import read_prompts
from tests.raw_task import read


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def assert_prompts(task, labels):
    """Every case has six points per label, each inside its object."""
    for case in read(task / "dataset.json")["training"]:
        label = read_label(task / case["label"])
        prompts = read_prompts(task / case["interaction"], image=None)
        assert [prompt.label for prompt in prompts] == labels
        for prompt in prompts:
            voxels = label.grid.nearest_voxel(prompt.points)
            assert len(np.unique(voxels, axis=0)) == 6
            assert (label.array[0][tuple(voxels.T)] == prompt.label).all(), case["case"]


@pytest.mark.parametrize(
    ("options", "labels"),
    [(["-l", "anterior", "-l", "posterior"], [1, 2]), (["--merge-labels", "hippocampus"], [1])],
)
def test_hippocampus(shared_data, tmp_path, options, labels):
    where = ["-t", "Task001_HIPPOCAMPUS", "--raw", tmp_path]
    source = shared_data("hippocampus_mr")
    assert run("dataset", "convert", source, *where, "-m", "MR", *options).exit_code == 0
    assert run("simulate", *where).exit_code == 0
    checked = run("dataset", *where)
    assert checked.exit_code == 0, checked.output
    task = tmp_path / "Task001_HIPPOCAMPUS"
    assert read(task / "dataset.json")["numTraining"] == 182
    assert_prompts(task, labels)


def test_sarcoma_of_two_modalities(shared_data, tmp_path):
    where = ["-t", "Task002_SARCOMA", "--raw", tmp_path]
    options = ["-m", "MR", "-m", "CT", "-l", "tumour"]
    source = shared_data("sarcoma_mr_ct")
    assert run("dataset", "convert", source, *where, *options).exit_code == 0
    assert run("simulate", *where).exit_code == 0
    checked = run("dataset", *where)
    assert checked.exit_code == 0, checked.output
    assert_prompts(tmp_path / "Task002_SARCOMA", [1])
    content = read(tmp_path / "Task002_SARCOMA/dataset.json")
    assert content["numTraining"] == 24 and len(content["training"][0]["image"]) == 2


def test_modalities_on_different_grids_are_refused(shared_data, tmp_path):
    source = shared_data("sarcoma_grid_mismatch")
    task = tmp_path / "Task003_MISMATCH"
    for folder in ("imagesTr", "labelsTr"):
        (task / folder).mkdir(parents=True)
    for index, modality in enumerate(("MR_T1", "CT")):
        image = source / f"images/STS_019_{modality}.nii.gz"
        shutil.copy(image, task / f"imagesTr/STS_019_{index:04d}.nii.gz")
    shutil.copy(source / "labels/STS_019_MR_T1.nii.gz", task / "labelsTr/STS_019.nii.gz")
    options = ["-m", "MR", "-m", "CT", "-l", "tumour"]
    result = run("dataset", "-t", task.name, "--raw", tmp_path, *options)
    assert result.exit_code == 1
    assert "shape 136x134x47" in result.stdout and "shape 112x110x47" in result.stdout


def test_permuted_axes_many_labels_and_other_formats(shared_data, tmp_path):
    for number, (name, options) in enumerate(
        {
            "vertebra_pir": [f"{v}=v{v}" for v in (5, 6, 7, 21, 22, 23, 105, 106, 205, 206, 207)],
            "tumour_singles": ["tumour"],
        }.items()
    ):
        where = ["-t", f"Task01{number}_X", "--raw", tmp_path]
        labels = [part for option in options for part in ("-l", option)]
        source = shared_data(name)
        assert run("dataset", "convert", source, *where, "-m", "MR", *labels).exit_code == 0
        assert run("simulate", *where).exit_code == 0
        checked = run("dataset", *where)
        assert checked.exit_code == 0, checked.output
