"""Small lesions on the target grid: kept by the default plan, else named, counted, left out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.task import Task
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.pipeline.planning_report import lost_objects, small_objects
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import read_fold
from interactivenet.preprocessing.preparation import PreparedCase
from interactivenet.preprocessing.region import effective_coverage
from interactivenet.preprocessing.region_records import VOLUME
from interactivenet.preprocessing.storage import record_digest
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import write_json
from tests.raw_task import read
from tests.sample_cases import make_plan

NAME = "Task509_MIXED"


def run(root, command, *options):
    where = ["-t", NAME, "--raw", root / "raw"]
    if command in ("plan", "train"):
        where += ["--processed", root / "processed", "--results", root / "results"]
    return CliRunner().invoke(main, [str(word) for word in (command, *where, *options)])


def prepared(root):
    for command, *options in (("dataset", "-m", "CT", "-l", "lesion"), ("simulate",)):
        done = run(root, command, *options)
        assert done.exit_code == 0, done.output
    return root


@pytest.fixture
def mixed(tmp_path):
    """Three coarse scans with large objects, one fine scan with a lesion of 3x3x2 voxels."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "raw" / NAME
    for number, spacing in enumerate([(1.0, 1.0, 2.0)] + [(3.0, 3.0, 6.0)] * 3):
        grid = Geometry((20, 20, 12), np.diag([*spacing, 1.0]))
        label = np.zeros(grid.shape, np.uint8)
        label[(slice(9, 12), slice(9, 12), slice(5, 7)) if number == 0 else (slice(5, 15),) * 2
              + (slice(3, 9),)] = 1  # fmt: skip
        image = rng.normal(0, 20, grid.shape) + 60 * label
        name = f"case_{number}"
        write_volume(folder / "imagesTr" / f"{name}_0000.nii.gz", image.astype(np.int16), grid)
        write_label_array(folder / "labelsTr" / f"{name}.nii.gz", label, grid)
    return prepared(tmp_path)


def planned(root):
    return PlannedTask.load(root / "processed" / NAME)


def test_the_default_plan_keeps_them(mixed):
    done = run(mixed, "plan", "-f", "2", "--preset", "tiny", "--jobs", "1")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "spacing 1x1x2 mm instead of the usual 3x3x6 mm" in said
    assert "warning case_0 has objects that are small for the usual spacing of 3x3x6 mm" in said
    assert planned(mixed).plan.spacing == (1.0, 1.0, 2.0)
    assert min(planned(mixed).coverage.values()) > 0.99
    record = read(mixed / "processed" / NAME / "regions" / "case_0__1.json")
    assert record["volume_ml"] == pytest.approx([0.036, 0.036])
    assert read(mixed / "processed" / NAME / "run.json")["lost"] == {}


def test_what_a_coarser_grid_loses_is_named_counted_and_not_trained_on(mixed):
    coarse = ["-f", "2", "--preset", "tiny", "--jobs", "1", "--spacing", "3", "3", "6"]
    done = run(mixed, "plan", *coarse)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert (
        "label 1 (lesion): nothing is left of 0.036 ml at the planned spacing of 3x3x6 mm" in said
    )
    assert "case_0" in said and "choose a finer --spacing" in said
    assert "the cuts hold 75.000 % of the objects' voxels on average, at least 0.000 %" in said
    folder = mixed / "processed" / NAME
    assert planned(mixed).coverage["case_0__1"] == 0
    assert read(folder / "regions" / "case_0__1.json")["volume_ml"] == pytest.approx([0.036, 0])
    assert read(folder / "run.json")["lost"] == {
        "case_0__1": {"case": "case_0", "object": "label 1 (lesion)",
                      "volume_ml": pytest.approx(0.036), "volume_at_spacing_ml": 0.0},
    }  # fmt: skip
    again = " ".join(run(mixed, "plan", *coarse).output.split())
    assert "nothing is left of 0.036 ml" in again and "4 unchanged" in again
    for number in (0, 1):
        fold = read_fold(planned(mixed), number)
        names = (*fold.training, *fold.validation)
        assert "case_0__1" in names and fold.empty == ("case_0__1",)
        assert "case_0__1" not in (*fold.learnable, *fold.measurable)
        assert len(fold.learnable) + len(fold.measurable) == 3
    words = ["-f", "0", "-e", "1", "--workers", "0", "--device", "cpu", "--no-mlflow"]
    done = run(mixed, "train", *words, "--no-validate")
    assert done.exit_code == 0, done.output
    assert "warning: case_0__1: not trained on" in done.output


def test_more_than_half_lost_is_named_with_both_volumes():
    task = Task("Task001_A", Path(), ("CT",), LabelNames({1: "lesion", 2: "node"}), (), ())
    volumes = {
        "a__1": (0.04, 0.0199),
        "a__1_2": (0.04, 0.02),
        "a__2_3": (0.0123456, 0.0),
        "a__2": (1.0, 1.2),
    }
    prepared = [PreparedCase("a", "written", tuple(volumes), dict.fromkeys(volumes, 1.0), volumes)]
    lost = lost_objects(prepared, task)
    assert [found["object"] for found in lost.values()] == [
        "label 1 (lesion)", "label 2 (node), object 3",
    ]  # fmt: skip
    half, gone = small_objects(lost, make_plan((1.5, 1.5, 5.0)))
    assert half.case == gone.case == "a" and half.level == "warning"
    assert half.message.startswith(
        "label 1 (lesion): 0.0199 ml are left of 0.04 ml at the planned spacing of 1.5x1.5x5 mm: "
    )
    assert "nothing is left of 0.01235 ml" in gone.message and "not trained on" in gone.message
    held = {name: effective_coverage(0.9, volume) for name, volume in volumes.items()}
    assert held == pytest.approx({"a__1": 0.9 * 0.4975, "a__1_2": 0.9, "a__2_3": 0.0, "a__2": 0.9})
    assert effective_coverage(0.0, (0.0, 0.0)) == 0 and effective_coverage(1.0, None) == 1


def test_a_fold_with_nothing_left_is_refused(mixed):
    coarse = ["-f", "4", "--preset", "tiny", "--jobs", "1", "--spacing", "3", "3", "6"]
    assert run(mixed, "plan", *coarse).exit_code == 0
    (number,) = [
        number
        for number, split in enumerate(planned(mixed).splits)
        if split.validation == ("case_0",)
    ]
    done = run(mixed, "train", "-f", number, "-e", "1", "--device", "cpu", "--no-mlflow")
    assert done.exit_code == 2 and "with a finer --spacing" in " ".join(done.output.split())


def test_regions_of_an_earlier_version_keep_their_folds(mixed):
    """Their records lack the volumes: these are measured again, and trained folds stay theirs."""
    words = ["-f", "2", "--preset", "tiny", "--jobs", "1", "--spacing", "3", "3", "6"]
    assert run(mixed, "plan", *words).exit_code == 0
    folder = mixed / "processed" / NAME / "regions"
    digest = read_fold(planned(mixed), 0).digest
    for path in folder.glob("*.json"):
        record, before = read(path), record_digest(path)
        del record[VOLUME]
        write_json(path, record)
        assert record_digest(path) == before
    fold = read_fold(planned(mixed), 0)
    assert fold.digest == digest and fold.empty == ("case_0__1",)  # looked up in the arrays
    again = run(mixed, "plan", *words)
    assert "4 written" in again.output and "nothing is left" in again.output
    assert read_fold(planned(mixed), 0).digest == digest
    assert all(VOLUME in read(path) for path in folder.glob("*.json"))


def test_the_shared_case(shared_cases, tmp_path):
    """a07: two lesions of 18 voxels in fine scans, six coarse scans with large objects."""
    shutil.copytree(shared_cases("a07_small_lesions_lost") / NAME, tmp_path / "raw" / NAME)
    prepared(tmp_path)
    words = ["plan", "-f", "2", "--preset", "tiny", "--jobs", "1"]
    done = run(tmp_path, *words)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "small for the usual spacing of 3x3x6 mm" in said and "(case_0, case_1)" in said
    for number in (0, 1):
        assert not read_fold(planned(tmp_path), number).empty
    assert Plan.load(planned(tmp_path).path).spacing == (1.0, 1.0, 2.0)
    done = run(tmp_path, *words, "--spacing", "3", "3", "6")
    said = " ".join(done.output.split())
    assert "nothing is left of 0.036 ml" in said and "(case_0, case_1)" in said
    assert "at least 0.000 %" in said and "100.000 % of" not in said
