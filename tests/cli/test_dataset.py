"""``interactivenet dataset``: what is written, and what each wrong request gets."""

import json

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.cli.reporting import show_findings
from interactivenet.datasets.findings import Finding
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.cli.dataset_command import NAME, dataset
from tests.raw_task import GRID, POINTS, read, write_case


def test_a_good_task_gets_its_dataset_json(task):
    write_case(task, "new_1", subset="Ts", label=False)
    result = dataset(task)
    assert result.exit_code == 0, result.output
    assert "1 of 2 training cases have no prompts yet" in result.output
    content = read(task / "dataset.json")
    assert content["modality"] == {"0": "MR"}
    assert content["labels"] == {"0": "background", "1": "tumour"}
    assert content["numTraining"] == 2 and content["numTest"] == 1
    assert content["training"][0] == {
        "case": "good_1",
        "image": ["./imagesTr/good_1_0000.nii.gz"],
        "label": "./labelsTr/good_1.nii.gz",
        "interaction": "./interactionsTr/good_1.nii.gz",
    }
    assert content["test"] == [{"case": "new_1", "image": ["./imagesTs/new_1_0000.nii.gz"]}]
    assert not (task / "failures.json").exists()


def test_a_task_is_checked_again_with_what_is_known(task):
    dataset(task, "-m", "T1", "-l", "background", "-l", "tumour")
    before = (task / "dataset.json").read_bytes()
    result = CliRunner().invoke(main, ["dataset", "-t", NAME, "--raw", str(task.parent)])
    assert result.exit_code == 0
    assert (task / "dataset.json").read_bytes() == before


def test_two_modalities_stand_in_the_order_named(tmp_path):
    task = tmp_path / NAME
    write_case(task, "a", modalities=2)
    assert dataset(task, "-m", "MR", "-m", "CT").exit_code == 0
    content = read(task / "dataset.json")
    assert content["modality"] == {"0": "MR", "1": "CT"}
    assert content["training"][0]["image"] == [
        "./imagesTr/a_0000.nii.gz",
        "./imagesTr/a_0001.nii.gz",
    ]


def test_subtypes_are_listed_and_a_case_without_one_is_refused(task):
    assert dataset(task, "--subtypes").exit_code == 2
    (task / "subtypes.json").write_text(json.dumps({"good_1": "lipoma", "gone": "x"}))
    result = dataset(task, "--subtypes")
    assert result.exit_code == 1
    assert "has no entry in subtypes.json" in result.output
    assert "is in subtypes.json but has no image" in result.output
    assert [case["subtype"] for case in read(task / "dataset.json")["training"]] == ["lipoma"]


def test_a_label_in_another_orientation_is_the_same_grid(task):
    turned = nib.as_closest_canonical(nib.load(task / "labelsTr/good_1.nii.gz"))
    nib.save(turned, task / "labelsTr/good_1.nii.gz")
    assert dataset(task).exit_code == 0


def test_corrections_of_training_cases_are_noted_and_checked(task):
    points = GRID.ras.voxel_to_world(np.array(POINTS, float))
    clicks = [Correction(points[0], True), Correction(points[1] + 3, False)]
    (task / "interactionsTr/good_1.nii.gz").unlink()
    (task / "interactionsTr/good_2.nii.gz").unlink(missing_ok=True)
    for name, corrections in (("good_1", clicks), ("good_2", [clicks[0]])):
        prompt = Prompt(1, points, "tumour", corrections=corrections)
        write_prompts(task / f"interactionsTr/{name}.json", [prompt])
    write_case(task, "test", subset="Ts")
    write_prompts(task / "interactionsTs/test.json", [prompt])
    result = dataset(task)
    assert result.exit_code == 0, result.output
    assert "prompt of label 1: 2 corrections, not used in training" in result.output
    assert result.output.count("1 correction, not used in training") == 1  # they are in a test
    clicks.append(Correction(clicks[1].position, True))
    prompt = Prompt(1, points, "tumour", corrections=clicks)
    write_prompts(task / "interactionsTr/good_1.json", [prompt])
    result = dataset(task)
    assert result.exit_code == 1
    assert "correction -2 and correction +3 lie in one voxel" in result.output


REQUESTS = {
    "no such task": (["-t", "Task999_NONE"], f"does not exist in RAW (tasks there: {NAME})"),
    "a bad name": (["-t", "liver"], "task name 'liver': expected TaskXXX_NAME"),
    "no task": ([], "Missing option '-t / --task'"),
    "no modality": (["-t", NAME, "-l", "a"], f"-m / --modality: RAW/{NAME} has no dataset.json"),
    "no label": (["-t", NAME, "-m", "MR"], f"-l / --label: RAW/{NAME} has no dataset.json"),
    "a modality twice": (
        ["-t", NAME, "-m", "MR", "-m", "MR", "-l", "a"],
        "-m / --modality: 'MR' is given twice",
    ),
    "a label twice": (["-t", NAME, "-m", "MR", "-l", "a", "-l", "a"], "'a' is given twice"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_request_gets_one_clear_line(task, name):
    options, message = REQUESTS[name]
    result = CliRunner().invoke(main, ["dataset", "--raw", str(task.parent), *options])
    assert result.exit_code == 2
    assert message.replace("RAW", str(task.parent)) in result.stderr
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback(task):
    result = CliRunner().invoke(
        main, ["--debug", "dataset", "--raw", str(task.parent), "-t", "Task999_NONE"]
    )
    assert result.exit_code == 2
    assert "Traceback" in result.stderr and "RequestError" in result.stderr


def test_an_empty_task_is_refused(tmp_path):
    (tmp_path / NAME / "imagesTr").mkdir(parents=True)
    result = dataset(tmp_path / NAME)
    assert result.exit_code == 2
    assert "imagesTr holds no images" in result.stderr


def test_a_fault_of_the_program_is_one_line_and_never_status_one(task, monkeypatch):
    from interactivenet.datasets import task as module

    def fault(*_):
        raise RuntimeError("surprise")

    monkeypatch.setattr(module.Roots, "raw_task", fault)
    result = dataset(task)
    assert result.exit_code == 2
    assert (
        "unexpected RuntimeError: surprise (please report it; --debug shows the traceback"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-m", "", "-l", "tumour"), "'' is no name"),
        (("-m", "CT\x1b", "-l", "tumour"), "is no name"),
        (("-m", "../x", "-l", "tumour"), "it looks like a path"),
        (("-m", "CT", "-l", "../x"), "it looks like a path"),
        (("-m", "CT", "-l", "background"), "the background is no label"),
    ],
)
def test_names_that_are_none_are_refused(task, words, reason):
    done = CliRunner().invoke(main, ["dataset", "-t", task.name, "--raw", str(task.parent), *words])
    assert done.exit_code == 2 and reason in done.output, done.output


def test_control_characters_of_a_name_do_not_reach_the_terminal(capsys):
    show_findings([Finding("error", "a\x1b[31mb\nc", "has a control character")])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "a\\x1b[31mb\\nc" in shown
