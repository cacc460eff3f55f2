"""``infer`` with a DICOM tree of many patients."""

import json
import shutil

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.dicom_tree.inference import TreeQuery, find_tree_cases
from interactivenet.datasets.modalities import ANY
from interactivenet.errors import RequestError
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.io import AS_IT_IS, ReadOptions, read_image, write_label_array
from interactivenet.planning.plan import Normalisation
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.datasets.dicom_tree.written_trees import (
    FRAME,
    box_contours,
    uid_of,
    write_rtstruct,
    write_scan,
)
from tests.random_model import make_bundle
from tests.sample_cases import make_plan

SCALED = Normalisation("zscore")
PLAN = make_plan((1.5, 2.0, 2.5), task="Task001_A", modalities=("CT", "MR"),
                 normalisation=(SCALED, SCALED))  # fmt: skip
SHAPE = (12, 24, 26)
WORDS = ("--modality", "MR=T1*", "--modality", "CT", "--resample-to", "MR")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), PLAN, folds=(0,))


@pytest.fixture
def tree(tmp_path):
    """Three patients: CT and a coarser MR, in folders of their own, or all files side by side."""
    root = tmp_path / "tree"
    for study, (patient, ct, mr) in enumerate((("A", "a1", "a2"), ("B", "b", "b"), ("C", "c", "c")),
                                              1):  # fmt: skip
        write_scan(root / ct, patient=patient, study=study, name="ct{}", shape=SHAPE)
        write_scan(root / mr, patient=patient, study=study, series=2, name="mr{}", modality="MR",
                   description="T1 post", spacing=(2.5, 2.0), shape=(12, 20, 18))  # fmt: skip
    return root


def mark(path, folder, series):
    """Write six points around the middle of a series."""
    grid = read_image(folder, ReadOptions(series=series)).grid
    offsets = np.concatenate([np.diag([4, 4, 3]), -np.diag([4, 4, 3])])
    points = grid.voxel_to_world(np.rint(np.array(grid.shape) / 2 + offsets))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_prompts(path, [Prompt(1, points, "a")])


@pytest.fixture
def points(tree, tmp_path):
    """A file of points per patient: named as the case, as the patient, as the series."""
    folder = tmp_path / "points"
    mark(folder / f"A_{uid_of(1, 2)}.json", tree / "a2", uid_of(1, 2))
    mark(folder / "B.mrk.json", tree / "b", uid_of(2, 2))
    mark(folder / f"{uid_of(3, 2)}.json", tree / "c", uid_of(3, 2))
    return folder


def infer(bundle, *words):
    line = ["infer", "-t", "Task001_A", "--model", bundle, "--no-tta", "--device", "cpu", *words]
    return CliRunner().invoke(main, [str(word) for word in line])


def names():
    return {f"{patient}_{uid_of(study, 2)}" for study, patient in enumerate("ABC", 1)}


def test_many_patients(bundle, tree, points, tmp_path):
    out = tmp_path / "out"
    done = infer(bundle, "-i", tree, "-in", points, "-o", out, *WORDS)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.glob("*.nii.gz")} == {f"{name}.nii.gz" for name in names()}
    record = json.loads((out / f"B_{uid_of(2, 2)}.json").read_text(encoding="utf-8"))
    assert record["sources"]["series"] == [uid_of(2, 1), uid_of(2, 2)]  # in the model's order
    assert record["sources"]["reference"] == 1
    assert record["sources"]["images"] == [str(tree / "b")] * 2
    assert record["made_from"]["reading"] == {
        "channel_series": [uid_of(2, 1), uid_of(2, 2)], "resample_to": 1,
    }  # fmt: skip
    (note,) = [note for note in record["notes"] if "resampled" in note]
    assert "resampled linearly from 26x24x12 voxels of 1.5x2x2.5 mm to 18x20x12 voxels" in note
    assert note.startswith("CT, series 1: ") and "resampled linearly" in done.output
    # on the grid of the MR, to the bit
    mask = sitk.ReadImage(str(out / f"B_{uid_of(2, 2)}.nii.gz"))
    mr = read_image(tree / "b", ReadOptions(series=uid_of(2, 2)))
    assert mask.GetSize() == mr.source.shape
    assert np.allclose(mask.GetSpacing(), mr.source.spacing)
    assert "Doe" not in done.output
    for path in out.rglob("*.json"):
        assert "Doe" not in path.read_text(encoding="utf-8")
    again = infer(bundle, "-i", tree, "-in", points, "-o", out, *WORDS)
    assert again.exit_code == 0 and "3 cases already done" in again.output
    write_scan(tree / "b", patient="Z", study=9, name="other{}")  # beside B's files, but not of B
    again = infer(bundle, "-i", tree, "-in", points, "-o", out, *WORDS)
    assert again.exit_code == 1 and "3 cases already done" in again.output
    failures = json.loads((out / "failures.json").read_text(encoding="utf-8"))["infer"]
    assert set(failures) == {"Z"} and "has no series that matches" in failures["Z"]
    write_scan(tree / "b", patient="B", study=2, name="ct{}", shape=SHAPE, seed=99)
    again = infer(bundle, "-i", tree, "-in", points, "-o", out, *WORDS)
    assert "2 cases already done" in again.output


def test_the_same_voxels_as_a_task(tree, points, tmp_path):
    """What a model sees of a new case is what it would have been trained on."""
    write_rtstruct(
        tree / "rs", {"GTV": box_contours(spacing=(2.5, 2.0))}, refers_to=[uid_of(2, 2)],
        patient="B", study=2,
    )  # fmt: skip
    line = ["dataset", "convert", str(tree), "-t", "Task009_T", "--raw", str(tmp_path / "raw"),
            "-m", "CT", "-m", "MR=T1*", "--resample-to", "MR", "--roi", "GTV=a"]  # fmt: skip
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 1, done.output  # A and C have no outlines
    folder = tmp_path / "raw" / "Task009_T" / "imagesTr"
    task = read_channels([folder / "B_0000.nii.gz", folder / "B_0001"])
    new = find_tree_cases([tree], [points], None, ("CT", "MR"), TreeQuery(("CT", "MR"), "MR"),
                          reading=AS_IT_IS)  # fmt: skip
    case = next(case for case in new.cases if case.name.startswith("B_"))
    image = read_channels(case.images, case.reading)
    assert image.source.is_same_lattice(task.source)
    np.testing.assert_array_equal(image.array, task.array)


def test_labels_to_compare_with(bundle, tree, points, tmp_path):
    labels = tmp_path / "labels"
    mr = read_image(tree / "b", ReadOptions(series=uid_of(2, 2)))
    label = np.zeros(mr.shape, np.uint8)
    label[6:12, 6:12, 4:8] = 1
    write_label_array(labels / "B.nii.gz", label, mr.source)
    contours = box_contours(spacing=(2.5, 2.0))
    write_rtstruct(labels / f"A_{uid_of(1, 2)}.dcm", {"GTV": contours}, refers_to=[uid_of(1, 2)],
                   patient="A")  # fmt: skip
    out = tmp_path / "out"
    done = infer(bundle, "-i", tree, "-in", points, "-o", out, "-l", labels, "--roi", "GTV=a",
                 *WORDS)  # fmt: skip
    assert done.exit_code == 0, done.output
    metrics = json.loads((out / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    assert "2 objects of 2 cases" in done.output, metrics
    assert f"holds no label map for C_{uid_of(3, 2)}: not compared" in done.output


def test_what_has_no_partner_has_failed(bundle, tree, points, tmp_path):
    (points / "B.mrk.json").rename(points / "X.mrk.json")
    write_scan(tree / "d1", patient="D", study=4)
    write_scan(tree / "d2", patient="D", study=4, series=2, modality="MR", description="T1",
               frame=f"{FRAME}.9")  # fmt: skip
    write_scan(tree / "e", patient="E", study=5, description="only CT")
    out = tmp_path / "out"
    done = infer(bundle, "-i", tree, "-in", points, "-o", out, *WORDS)
    assert done.exit_code == 1
    failures = json.loads((out / "failures.json").read_text(encoding="utf-8"))["infer"]
    assert set(failures) == {"X", f"B_{uid_of(2, 2)}", "D", "E"}
    assert "belongs to none" in failures["X"]
    assert f"expected B_{uid_of(2, 2)}.json" in failures[f"B_{uid_of(2, 2)}"]
    assert "several frames of reference" in failures["D"] and "--across-frames" in failures["D"]
    assert "has no series that matches MR=T1*" in failures["E"]
    assert len(list(out.glob("*.nii.gz"))) == 2
    assert "only CT" in done.output


def test_points_name_the_series_of_several(tree, points):
    """Points named after one of two series that match say which is meant."""
    query = TreeQuery(("MR",))
    write_scan(tree / "a3", patient="A", study=1, series=3, modality="MR", description="T2")
    new = find_tree_cases([tree], [points], None, ("MR",), query, reading=AS_IT_IS)
    assert {case.name for case in new.cases} == names()
    (points / f"A_{uid_of(1, 2)}.json").rename(points / "A.json")
    new = find_tree_cases([tree], [points], None, ("MR",), query, reading=AS_IT_IS)
    assert "has 2 series that match MR" in new.failures["A"]
    assert {case.name for case in new.cases} == names() - {f"A_{uid_of(1, 2)}"}


def test_names_by_patient(tree, points):
    new = find_tree_cases([tree], [points], None, ("MR",), TreeQuery(("MR",)), reading=AS_IT_IS,
                          name_by="patient")  # fmt: skip
    assert {case.name for case in new.cases} == {"A", "B", "C"} and not new.failures


def test_a_patient_with_several_studies_is_no_name_of_points(tree, points):
    write_scan(tree / "later", patient="B", study=8, modality="MR", date="20210101")
    new = find_tree_cases([tree], [points], None, ("MR",), TreeQuery(("MR",)), reading=AS_IT_IS)
    assert {case.name for case in new.cases} == names() - {f"B_{uid_of(2, 2)}"}
    assert set(new.failures) == {"B", f"B_{uid_of(2, 2)}", f"B_{uid_of(8, 1)}"}
    # nor where one of the studies is left out for another reason
    (tree / "later" / "003.dcm").unlink()
    new = find_tree_cases([tree], [points], None, ("MR",), TreeQuery(("MR",)), reading=AS_IT_IS)
    assert set(new.failures) == {"B", f"B_{uid_of(2, 2)}", "B_2"}


def test_a_single_file_of_points_for_a_single_case(tree, points):
    for folder in ("a1", "a2", "c"):
        shutil.rmtree(tree / folder)
    (file,) = [path for path in points.iterdir() if path.name.startswith("B")]
    query = TreeQuery(("any=T1*",))
    new = find_tree_cases([tree], [file], None, (ANY,), query, reading=AS_IT_IS)
    assert [(case.name, case.interaction) for case in new.cases] == [(f"B_{uid_of(2, 2)}", file)]
    write_scan(tree / "a", patient="A", modality="MR", description="T1")
    with pytest.raises(RequestError, match=r"is one file, but the tree has 2 cases \(A_"):
        find_tree_cases([tree], [file], None, (ANY,), query, reading=AS_IT_IS)


def test_requests_that_cannot_be(bundle, tree, points, tmp_path):
    base = ["-i", tree, "-in", points, "-o", tmp_path / "out"]
    for words, refusal in (
        (["--modality", "CT"], "CT are given: expected the modalities of the model, CT, MR"),
        ([*WORDS[:4], "--resample-to", "PET"], "--resample-to PET: expected one of"),
        ([*WORDS, "--series", "3"], "--series"),
        (["--resample-to", "CT"], "is for a DICOM tree alone"),
        (["--across-frames"], "is for a DICOM tree alone"),
        ([*WORDS, "-i", tree], "2 paths are given"),
    ):
        done = infer(bundle, *base, *words)
        assert done.exit_code == 2 and refusal in done.output, done.output
    assert not (tmp_path / "out").exists()
    done = infer(bundle, *base, *WORDS[:4])  # without a grid that counts
    assert done.exit_code == 1 and "different grids" in done.output
    assert "has no case in the tree" not in done.output  # it has one, which failed


def test_patients_without_a_name_are_named_as_a_task_names_them(tree, points):
    for path in sorted((tree / "c").iterdir()):
        dataset = pydicom.dcmread(path)
        del dataset.PatientID
        dataset.save_as(path)
    new = find_tree_cases([tree], [points], None, [ANY], TreeQuery(("T1=T1*",)), reading=AS_IT_IS)
    study = uid_of(3, 2).rpartition(".")[0]
    assert f"{study}_{uid_of(3, 2)}" in [case.name for case in new.cases]
    assert any("has no PatientID: named by its StudyInstanceUID" in note for note in new.notes)
