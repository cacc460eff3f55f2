"""Which cases ``dataset.json`` names, and what becomes of one that is there already."""

import json
import shutil

import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import write_label_array, write_volume
from tests.cli.dataset_command import NAME, dataset
from tests.raw_task import (
    GRID,
    POINTS,
    image_array,
    label_array,
    read,
    write_points,
)


@pytest.mark.parametrize(
    ("stems", "cases"),
    [
        (["a", "b"], ["a", "b"]),
        (["a_0000", "b_0000"], ["a", "b"]),
        (["scan_2019", "scan_0000"], ["scan_0000", "scan_2019"]),
    ],
)
def test_one_modality_may_leave_its_suffix_out(tmp_path, stems, cases):
    task = tmp_path / NAME
    for stem in stems:
        write_volume(task / "imagesTr" / f"{stem}.nii.gz", image_array(), GRID)
    for case in cases:
        write_label_array(task / "labelsTr" / f"{case}.nii.gz", label_array(), GRID)
    result = dataset(task)
    assert result.exit_code == 0, result.output
    assert [case["case"] for case in read(task / "dataset.json")["training"]] == cases


@pytest.mark.parametrize(
    ("stems", "prompts", "cases"),
    [
        (["a_0000", "a_0001"], [], ["a_0000", "a_0001"]),
        (["a_0000", "scan_2019"], ["a_0000"], ["a_0000", "scan_2019"]),
        (["a_0000", "b_0000"], ["a"], ["a", "b"]),
    ],
)
def test_test_cases_without_labels_are_named_by_their_prompts(task, stems, prompts, cases):
    for stem in stems:
        write_volume(task / "imagesTs" / f"{stem}.nii.gz", image_array(), GRID)
    for name in prompts:
        write_points(task / "interactionsTs" / f"{name}.nii.gz", POINTS)
    result = dataset(task)
    assert result.exit_code == 0, result.output
    found = read(task / "dataset.json")["test"]
    assert [case["case"] for case in found] == cases
    assert [case["case"] for case in found if "interaction" in case] == prompts


def test_names_that_cannot_be_told_are_refused(task):
    for stem in ("p_0000", "q_0000", "r_0000"):
        write_volume(task / "imagesTs" / f"{stem}.nii.gz", image_array(), GRID)
    for name in ("p_0000", "q"):
        write_label_array(task / "labelsTs" / f"{name}.nii.gz", label_array(), GRID)
    result = dataset(task)
    assert result.exit_code == 1
    assert "cannot tell whether its last digits are a modality" in result.output
    assert [case["case"] for case in read(task / "dataset.json")["test"]] == ["p_0000", "q"]


def test_a_dataset_json_of_another_program_is_set_aside(task):
    foreign = {"modality": {"0": "MR"}, "labels": {"0": "background", "1": "tumour"}, "note": 1}
    listed = {"image": "./imagesTr/good_1_0000.nii.gz", "label": "./labelsTr/good_1.nii.gz"}
    foreign |= {"training": [{**listed, "fold": 1}], "test": []}
    (task / "dataset.json").write_text(json.dumps(foreign))
    simulate = ["simulate", "-t", NAME, "--raw", str(task.parent)]
    assert CliRunner().invoke(main, simulate).exit_code == 0
    assert read(task / "dataset.json") == foreign  # not ours to change
    assert dataset(task).exit_code == 0
    assert read(task / "dataset.json.old") == foreign
    assert read(task / "dataset.json")["note"] == 1


def test_a_dataset_json_that_points_elsewhere_is_refused(task):
    assert dataset(task).exit_code == 0
    content = read(task / "dataset.json")
    content["training"][0]["image"] = ["../../elsewhere_0000.nii.gz"]
    (task / "dataset.json").write_text(json.dumps(content))
    result = CliRunner().invoke(main, ["simulate", "-t", NAME, "--raw", str(task.parent)])
    assert result.exit_code == 2
    assert "dataset.json: field training[0].image" in result.stderr
    assert "leads out of its folder" in result.stderr


def test_what_others_wrote_into_dataset_json_stays(task):
    content = {"licence": "CC BY-SA 4.0", "modality": {"0": "MR"}, "labels": {"1": "tumour"}}
    listed = {"image": "./imagesTr/good_1_0000.nii.gz", "label": "./labelsTr/good_1.nii.gz"}
    content |= {"training": [listed], "test": ["./imagesTs/x_0000.nii.gz"]}  # as the Decathlon does
    (task / "dataset.json").write_text(json.dumps(content))
    assert (
        CliRunner().invoke(main, ["dataset", "-t", NAME, "--raw", str(task.parent)]).exit_code == 0
    )
    assert read(task / "dataset.json")["licence"] == "CC BY-SA 4.0"
    assert read(task / "dataset.json")["numTraining"] == 2


def test_a_stale_dataset_json_does_not_stay_in_force(task):
    assert dataset(task).exit_code == 0
    shutil.rmtree(task / "labelsTr")
    assert dataset(task).exit_code == 1
    assert not (task / "dataset.json").exists() and (task / "dataset.json.old").exists()
