"""``interactivenet evaluate``: what it writes, prints, warns of and refuses."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli.evaluate import evaluate
from interactivenet.imaging.io import write_label_array
from tests.imaging.structures.reading.written_structures import in_plane, square, write_rtstruct
from tests.raw_task import GRID, SHAPE, label_array, read, write_case


@pytest.fixture
def task(tmp_path):
    folder = tmp_path / "task"
    for number, name in enumerate(("a", "b", "c")):
        write_case(folder, name, prompt=True)
        found = np.roll(label_array(), number, axis=0)
        write_label_array(tmp_path / "found" / f"{name}.nii.gz", found, GRID)
    return folder


def run(task, *options, found="found", labels="labelsTr"):
    arguments = ["-p", task.parent / found, "-l", task / labels, "--jobs", 1, *options]
    return CliRunner().invoke(evaluate, [str(one) for one in arguments])


def test_folders(task):
    subtypes = task / "subtypes.json"
    subtypes.write_text(json.dumps({"a": "x", "b": "y", "c": "y"}))
    done = run(
        task, "--subtypes", subtypes, "--name", "1=tumour", "-i", task / "imagesTr",
        "-in", task / "interactionsTr",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    out = task.parent / "found" / "evaluation"
    content = read(out / "metrics.json")
    assert [row["dice"] for row in content["rows"]] == pytest.approx([1.0, 0.9, 0.8])
    assert {row["name"] for row in content["rows"]} == {"tumour"}
    assert content["summary"]["subtypes"]["y"]["cases"] == 2
    assert {path.stem for path in (out / "figures" / "cases").iterdir()} == {"a", "b", "c"}
    record = read(out / "run.json")
    assert (record["stage"], record["status"], record["cases"]) == ("evaluate", "done", 3)
    assert not (out / "failures.json").exists() and (out / "report.html").exists()
    assert "0.900 ± 0.100" in done.output and "3 objects of 3 cases" in done.output
    assert str(out / "report.html") in done.output
    again = run(task, "--no-pictures")  # the evaluation's own folder is no prediction
    assert again.exit_code == 0, again.output
    assert "warning" not in again.output and not list((out / "figures" / "cases").iterdir())


def test_missing_ones_and_odd_ones(task):
    (task.parent / "found" / "b.nii.gz").unlink()
    write_label_array(task.parent / "found" / "stranger.nii.gz", label_array(), GRID)
    write_label_array(task.parent / "found" / "c.nii.gz", np.zeros(SHAPE, np.uint8), GRID)
    (task.parent / "found" / "a.nii.gz").write_bytes(b"odd")
    done = run(task, "-o", task.parent / "out")
    assert done.exit_code == 1, done.output
    failures = read(task.parent / "out" / "failures.json")["evaluate"]
    assert set(failures) == {"a", "b"} and "has no prediction" in failures["b"]
    assert "warning" in done.output and "stranger" in done.output
    assert "1 missed" in done.output and "2 cases failed" in done.output


def test_one_file(task):
    shutil.copy(task / "labelsTr" / "b.nii.gz", task / "truth.nii.gz")
    done = run(task, "--tolerance-mm", 0, found="found/b.nii.gz", labels="truth.nii.gz")
    assert done.exit_code == 0, done.output
    content = read(task.parent / "found" / "b_evaluation" / "metrics.json")
    [row] = content["rows"]
    assert row["case"] == "b" and content["tolerance_mm"] == 0 and row["nsd"] < 1


@pytest.mark.parametrize(
    ("options", "found", "why"),
    [
        ((), "nowhere", "does not exist"),
        ((), "task/imagesTr", "nothing to compare"),
        (("--name", "x=tumour"), "found", "expected NAME or VALUE=NAME"),
        (("--subtypes", "nowhere.json"), "found", "nowhere.json"),
    ],
)
def test_refused(task, options, found, why):
    done = run(task, *options, found=found)
    assert done.exit_code == 2 and why in done.output
    assert not (task.parent / found / "evaluation").exists()


def test_structure_sets_with_patterns(task):
    """--roi says which regions are a label, and is a fault of the request where it cannot be."""
    box = square((5, 5), (14, 12))
    contours = [in_plane(box, plane, GRID) for plane in range(4, 12)]
    for name in "abc":
        write_rtstruct(task / "outlined" / f"{name}.dcm", [("GTV_Mass", contours), ("BODY", [])])
    words = ("--roi", "gtv*=tumour", "--name", "1=tumour", "--no-pictures")
    done = run(task, *words, labels="outlined")
    assert done.exit_code == 0, done.output
    content = read(task.parent / "found" / "evaluation" / "metrics.json")
    assert [row["dice"] for row in content["rows"]] == pytest.approx([1.0, 0.9, 0.8])
    assert "left out its ROIs of no label: 'BODY'" in done.output
    assert read(task.parent / "found" / "evaluation" / "run.json")["arguments"]["rois"] == [
        words[1]
    ]
    for roi, why in (
        ("gtv*", "Error: --roi 'gtv*': expected a pattern of ROI names and a label"),
        ("gtv*=node", "Error: --roi 'gtv*=node': expected one of the labels 1=tumour"),
    ):
        done = run(task, "--roi", roi, *words[2:], labels="outlined")
        assert done.exit_code == 2
        assert why in done.output
    done = run(task, "--roi", "CTV=tumour", *words[2:], labels="outlined")
    assert done.exit_code == 1
    assert "has no ROI that fits 'CTV': its ROIs are 'GTV_Mass', 'BODY'" in done.output
