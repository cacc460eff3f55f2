"""Names of files that are odd, though people have them: each costs its own case, or works."""

import shutil
import subprocess
import sys
import unicodedata

import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.task import Task
from interactivenet.imaging.io import write_label_array
from interactivenet.pipeline.evaluate import evaluate
from tests.cli.dataset_command import dataset
from tests.raw_task import GRID, label_array, read

ODD = "M\udcfcller"  # as Python has the byte 0xFC


def renamed(task, name):
    """Give good_2 another name; returns the files."""
    files = []
    for path in [*task.rglob("good_2*")]:
        files.append(path.rename(path.with_name(path.name.replace("good_2", name))))
    return files


def test_a_name_that_is_not_utf8_costs_its_own_case(task):
    renamed(task, ODD)
    done = dataset(task)
    assert done.exit_code == 1 and "M\\xfcller" in done.output and "not UTF-8" in done.output
    assert [case.name for case in Task.load(task).training] == ["good_1"]
    assert list(read(task / "failures.json")["dataset"]) == ["M\\xfcller"]
    done = CliRunner().invoke(main, ["simulate", "-t", task.name, "--raw", str(task.parent)])
    assert done.exit_code == 1 and "M\\xfcller" in done.output
    assert "unexpected" not in done.output


def test_the_case_of_the_issue(shared_cases, tmp_path):
    folder = shutil.copytree(shared_cases("a05_name_that_is_not_utf8"), tmp_path / "a05")
    subprocess.run([sys.executable, "make.py"], cwd=folder, check=True)
    done = dataset(folder / "raw" / "Task505_NAMES", "-m", "CT", "-l", "tumour")
    assert done.exit_code == 1 and "M\\xfcller_01" in done.output
    assert "1 training case" in done.output


def test_letters_stored_in_both_ways_are_one_case(task):
    composed, apart = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    for path in renamed(task, composed):
        if path.parent.name == "labelsTr":
            path.rename(path.with_name(path.name.replace(composed, apart)))
    assert dataset(task).exit_code == 0
    assert {case.name for case in Task.load(task).training} == {"good_1", composed}
    image = task / "imagesTr" / f"{composed}_0000.nii.gz"
    shutil.copy(image, image.with_name(f"{apart}_0000.nii.gz"))
    done = dataset(task)
    assert done.exit_code == 1 and "NFC and NFD" in done.output


@pytest.mark.parametrize("name", ["run", "failures"])
def test_only_test_cases_are_in_the_way_of_records(task, name):
    renamed(task, name)
    assert dataset(task).exit_code == 0  # to train on, any name will do
    for kind in ("images", "labels"):
        shutil.copytree(task / f"{kind}Tr", task / f"{kind}Ts")
        for path in (task / f"{kind}Ts").glob("good_1*"):
            path.unlink()
    shutil.rmtree(task / "imagesTr")
    shutil.copytree(task / "imagesTs", task / "imagesTr")
    for path in (task / "imagesTr").iterdir():
        path.rename(path.with_name("good_1_0000.nii.gz"))
    done = dataset(task)
    assert done.exit_code == 1 and f"its {name}.json would be lost" in done.output, done.output


def test_evaluate_names_them(tmp_path):
    for name in (ODD, "good", "run"):
        for folder in ("found", "labels"):
            write_label_array(tmp_path / folder / "x.nii.gz", label_array(), GRID)
            (tmp_path / folder / "x.nii.gz").rename(tmp_path / folder / f"{name}.nii.gz")
    done = evaluate(tmp_path / "found", tmp_path / "labels", pictures=False)
    assert list(done.failures) == ["M\\xfcller"] and "not UTF-8" in done.failures["M\\xfcller"]
    assert {row["case"] for row in done.rows} == {"good", "run"}
    folder = tmp_path / "found" / "evaluation"
    assert list(read(folder / "failures.json")["evaluate"]) == ["M\\xfcller"]


def test_models_that_are_installed_are_listed_without_zips(tmp_path):
    models = tmp_path / "results" / "models"
    (models / "Task001_A").mkdir(parents=True)
    (models / "Task001_A.zip").write_bytes(b"")
    words = ["models", "show", "nope", "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and "installed: Task001_A\n" in done.output, done.output
