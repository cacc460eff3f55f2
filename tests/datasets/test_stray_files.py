"""No file of a raw task is left out with status 0: strays are failed cases, companions are none."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.stray_files import nearest, nearest_file
from interactivenet.imaging.io import write_label_array
from tests.raw_task import GRID, POINTS, label_array, read, write_case, write_points


@pytest.fixture
def task(tmp_path):
    """Two good training cases and a test case."""
    folder = tmp_path / "Task101_TEST"
    for name in ("patient_1", "patient_2"):
        write_case(folder, name, prompt=True)
    write_case(folder, "patient_9", subset="Ts", prompt=True)
    return folder


def check(task):
    words = ["dataset", "-t", task.name, "-m", "MR", "-l", "tumour", "--raw", str(task.parent)]
    return CliRunner(env={"COLUMNS": "300"}).invoke(main, words)


def failures(task):
    """Check the task, and return what failed: case -> why, as table and file both say."""
    done = check(task)
    assert done.exit_code == 1, done.output
    found = read(task / "failures.json")["dataset"]
    for case, reason in found.items():
        assert case in done.output
        for part in reason.split("; "):
            assert part[:60] in " ".join(done.output.split())
    return found


def listed(task):
    content = read(task / "dataset.json")
    return [entry["case"] for entry in (*content["training"], *content["test"])]


@pytest.mark.parametrize("subset", ["Tr", "Ts"])
@pytest.mark.parametrize("kind", ["label", "points", "both"])
def test_a_label_or_points_without_an_image_are_a_failed_case(kind, subset, task):
    if kind != "points":
        write_label_array(task / f"labels{subset}/gone.nii.gz", label_array(), GRID)
    if kind != "label":
        write_points(task / f"interactions{subset}/gone.json", POINTS)
    reasons = {
        "label": f"labels{subset}/gone.nii.gz belongs to no image",
        "points": f"interactions{subset}/gone.json belongs to no image",
    }
    expected = "; ".join(reasons.values()) if kind == "both" else reasons[kind]
    assert failures(task) == {"gone": expected}
    assert listed(task) == ["patient_1", "patient_2", "patient_9"]


def test_a_misspelt_name_is_named_with_the_nearest(task):
    (task / "labelsTr/patient_2.nii.gz").rename(task / "labelsTr/Patient2.nii.gz")
    (task / "interactionsTr/patient_1.nii.gz").rename(task / "interactionsTr/patent_1.nii.gz")
    assert failures(task) == {
        "patient_2": "has no label in labelsTr (nearest: labelsTr/Patient2.nii.gz)",
        "Patient2": "labelsTr/Patient2.nii.gz belongs to no image (nearest:"
        " imagesTr/patient_2_0000.nii.gz)",
        "patent_1": "interactionsTr/patent_1.nii.gz belongs to no image (nearest:"
        " imagesTr/patient_1_0000.nii.gz)",
    }


def test_links_that_lead_nowhere_and_formats_that_are_not_read_are_failed_cases(task):
    (task / "imagesTr/patient_3").symlink_to("gone")  # as to a folder of DICOM files
    (task / "imagesTr/patient_4_0000.nii.gz").symlink_to("gone.nii.gz")
    (task / "imagesTr/patient_5.xyz").write_bytes(b"x")
    (task / "imagesTr/circle").symlink_to("circle")
    for name in ("patient_3", "patient_4", "patient_5"):
        write_label_array(task / f"labelsTr/{name}.nii.gz", label_array(), GRID)
    (task / "labelsTs/patient_9.nii.gz").rename(task / "labelsTs/patient_9.xyz")
    (task / "interactionsTs/patient_9.nii.gz").rename(task / "interactionsTs/patient_9.xlsm")
    found = failures(task)
    assert set(found) == {"patient_3", "patient_4", "patient_5", "patient_9", "circle"}
    assert "imagesTr/patient_3 is a link to gone, which leads nowhere" in found["patient_3"]
    assert "labelsTr/patient_3.nii.gz belongs to no image" in found["patient_3"]
    assert "does not exist" in found["patient_4"]
    assert "imagesTr/patient_5.xyz has no readable format" in found["patient_5"]
    assert "labelsTs/patient_9.xyz has no readable format" in found["patient_9"]
    assert "interactionsTs/patient_9.xlsm has no readable format" in found["patient_9"]
    assert listed(task) == ["patient_1", "patient_2"]


def test_a_second_file_that_is_not_read_costs_nothing_but_is_said(task):
    (task / "imagesTr/patient_1.zip").write_bytes(b"x")
    done = check(task)
    assert done.exit_code == 0, done.output
    assert "imagesTr/patient_1.zip has no readable format" in done.output
    assert listed(task) == ["patient_1", "patient_2", "patient_9"]


def test_loose_dicom_files_are_one_finding(task):
    for number in range(40):
        (task / f"imagesTr/IM{number:04d}").write_bytes(b"x")
        (task / f"imagesTr/1.2.840.{number}.dcm").write_bytes(b"x")
    found = failures(task)
    assert list(found) == ["imagesTr"]
    assert "holds 80 files of no readable format (1.2.840.0.dcm, " in found["imagesTr"]
    assert "each DICOM series in a folder of its own" in found["imagesTr"]


def test_companions_are_no_cases(task):
    for name in (".DS_Store", "._patient_1_0000.nii.gz", "Thumbs.db", "README", "README.md",
                 "LICENSE", "patient_1_0000.json", "list.csv", "SHA256SUMS"):  # fmt: skip
        for folder in ("imagesTr", "labelsTr", "imagesTs"):
            (task / folder / name).write_bytes(b"x")
    for name in (".DS_Store", "readme.txt", "scene.mrml", "dataset.json", "participants.csv"):
        (task / "interactionsTr" / name).write_bytes(b"x")
    for name in ("__MACOSX", "@eaDir"):
        (task / "imagesTr" / name).mkdir()
    done = check(task)
    assert done.exit_code == 0, done.output
    assert listed(task) == ["patient_1", "patient_2", "patient_9"]
    assert not (task / "failures.json").exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("labelsTr", "labelTr"), ("interactionsTr", "interactionTr"), ("imagesTs", "imagesTS"),
     ("interactionsTs", "Interactions_Ts"), ("labelsTs", "labelsTest")],
)  # fmt: skip
def test_a_folder_whose_name_is_almost_right_is_asked_about(folder, name, task):
    (task / folder).rename(task / name)
    done = check(task)
    assert done.exit_code == 2
    assert f"{name}: no such folder is read: expected {folder}; rename it" in done.stderr
    (task / name).rename(task / "notes")
    assert check(task).exit_code == (1 if folder == "labelsTr" or name == "imagesTS" else 0)


def test_the_nearest_name_is_the_likely_one():
    names = ["case_01", "other"]
    assert nearest("Case_01", names) == "case_01"
    assert nearest("case01", names) == "case_01"
    assert nearest("patient_7", names) == ""
    files = {name: [Path("imagesTr", f"{name}.nii.gz")] for name in names}
    for meant in ("Case-01", "case_1", "case1_0000"):
        assert nearest_file(meant, files) == " (nearest: imagesTr/case_01.nii.gz)"
    assert nearest_file("case_02", files) == ""  # another patient
