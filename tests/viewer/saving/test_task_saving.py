"""A raw task that is made of what was saved, case by case."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError
from interactivenet.imaging.io import read_image, read_label, write_label_array, write_volume
from interactivenet.pipeline.dataset import check_dataset
from interactivenet.pipeline.simulate import simulate
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames
from interactivenet.viewer.saving.saving import Target, save_annotation
from interactivenet.viewer.saving.task_saving import check_fits
from interactivenet.viewer.worklist.worklist import Worklist
from tests.imaging.written_dicom import write_series
from tests.raw_task import GRID, image_array, read, write_case
from tests.viewer.annotated import entry_of, outlined, positive, prompts_of, provenance

NAME = "Task001_NEW"


@pytest.fixture
def roots(tmp_path):
    return Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")


@pytest.fixture
def task(roots):
    """A folder of images alone: three cases of one modality."""
    for number in range(3):
        write_case(roots.raw / NAME, f"case_{number}", label=False)
    return roots.raw / NAME


def save(task, entry, *objects, made_by=None):
    result = outlined(*(objects or ((1, "tumour"),)))
    made = provenance(*(made_by or ("model",) * len(result.objects)))
    return save_annotation(entry, result, prompts_of(result), made, Target(task=task))


def entries(task):
    return {entry.case: entry for entry in Worklist([], task).entries()}


def test_images_alone_become_a_task(task, roots):
    for name in ("case_0", "case_2"):
        save(task, entries(task)[name], (1, "tumour", positive()))
    content = read(task / "dataset.json")
    assert content["labels"] == {"0": "background", "1": "tumour"}
    assert content["modality"] == {"0": "image"} and content["numTraining"] == 2
    assert content["training"][1] == {
        "case": "case_2", "image": ["./imagesTr/case_2_0000.nii.gz"],
        "label": "./labelsTr/case_2.nii.gz", "interaction": "./interactionsTr/case_2.json",
    }  # fmt: skip
    checked = check_dataset(NAME, roots=roots)
    assert not checked.failures  # case_1 is not outlined yet, which is no fault
    notes = {(each.level, each.case): each.message for each in checked.findings}
    assert notes["note", "case_1"] == "is not outlined yet: left out"
    assert [case.name for case in Task.load(task).training] == ["case_0", "case_2"]
    assert not any(each.level == "error" for each in checked.findings)


def test_without_the_viewer_a_case_without_a_label_stays_an_error(task, roots):
    write_case(task, "case_3")
    labels = LabelNames({1: "tumour"})
    checked = check_dataset(NAME, roots=roots, modalities=["MR"], labels=labels)
    assert checked.failures == dict.fromkeys(
        (f"case_{number}" for number in range(3)), "has no label in labelsTr"
    )


def test_a_name_that_begins_as_anothers_is_free(task, tmp_path):
    write_case(task, "scan_01", label=False)
    path = tmp_path / "scan.nii.gz"
    write_volume(path, image_array(), GRID)
    saved = save(task, entry_of(path))
    assert (task / "labelsTr" / "scan.nii.gz") in saved.files
    assert not any("another scan" in note for note in saved.notes)


def test_labels_have_the_tasks_values(task):
    """Of a model that segments anything, each image counts its labels from 1."""
    save(task, entries(task)["case_0"], (1, "tumour"), (2, "oedema"))
    save(task, entries(task)["case_1"], (1, "Oedema"), (2, "cyst"))
    assert read(task / "dataset.json")["labels"] == {
        "0": "background", "1": "tumour", "2": "oedema", "3": "cyst",
    }  # fmt: skip
    label = read_label(task / "labelsTr" / "case_1.nii.gz").array[0]
    assert np.array_equal(label, np.array([0, 2, 3])[outlined((1, "a"), (2, "b")).instance_map])
    prompts = read_prompts(task / "interactionsTr" / "case_1.json", Task.load(task).labels)
    assert [(prompt.label, prompt.name) for prompt in prompts] == [(2, "oedema"), (3, "cyst")]
    record = read(task / "annotationsTr" / "case_1.json")
    assert [each["label"] for each in record["objects"]] == [2, 3]


def test_the_same_task_spelled_in_two_ways(task, monkeypatch):
    monkeypatch.chdir(task.parent)
    worklist = Worklist([], Path("..", "raw", NAME))
    save(Path(NAME), worklist.entries()[0])
    assert [case.name for case in Task.load(task).training] == ["case_0"]
    assert len(list((task / "imagesTr").iterdir())) == 3
    assert worklist.entries()[-1].status == "outlined"


def test_an_object_without_a_name_has_one_in_the_task(task):
    save(task, entries(task)["case_0"], (1, ""))
    assert read(task / "dataset.json")["labels"] == {"0": "background", "1": "object"}


def test_points_of_a_person_are_never_lost(task, roots):
    save(task, entries(task)["case_0"])
    placed = task / "interactionsTr" / "case_0.json"
    before = placed.read_bytes()
    assert simulate(NAME, roots=roots).counts["kept"] == 1 and placed.read_bytes() == before
    simulate(NAME, roots=roots, overwrite=True)
    assert not placed.exists()
    assert (task / "set_aside" / "interactionsTr" / "case_0.json").read_bytes() == before


def test_simulated_points_make_way(task, roots):
    write_case(task, "case_0")
    simulate(NAME, roots=roots)
    entry = entries(task)["case_0"]
    assert entry.points.name == "case_0.nii.gz" and Worklist([], task).prompts_of(entry) == ()
    notes = " ".join(save(task, entry).notes)
    assert "case_0.nii.gz, which was not saved here, is kept as set_aside/labelsTr" in notes
    assert "simulated points in case_0.nii.gz made way" in notes
    assert [path.name for path in (task / "interactionsTr").iterdir()] == ["case_0.json"]


def test_a_persons_label_and_points_are_set_aside(task, roots):
    write_case(task, "case_0", prompt=True)
    (task / "labelsTr" / "case_0.nii.gz").rename(task / "labelsTr" / "case_0.mine")
    write_label_array(task / "labelsTr" / "case_0.nrrd", outlined((1, "a")).label, GRID)
    saved = save(task, entries(task)["case_0"])
    assert len([note for note in saved.notes if "is kept as set_aside" in note]) == 2
    kept = {str(path.relative_to(task)) for path in (task / "set_aside").rglob("*.*")}
    assert kept == {"set_aside/labelsTr/case_0.nrrd", "set_aside/interactionsTr/case_0.nii.gz"}
    assert check_dataset(NAME, roots=roots).task.training[0].name == "case_0"


def test_an_image_from_elsewhere_is_copied_into_the_task(task, tmp_path):
    scan = tmp_path / "scan.mha"
    write_volume(scan, image_array(9), GRID)
    saved = save(task, entry_of(scan))
    copied = task / "imagesTr" / "scan_0000.mha"
    assert copied in saved.files and copied.read_bytes() == scan.read_bytes()
    assert Task.load(task).training[0].images == (copied,)
    again = save(task, entry_of(scan))
    assert copied in again.files and len(list((task / "imagesTr").glob("scan*"))) == 1


def test_another_scan_of_a_name_that_the_task_has(task, tmp_path):
    scan = tmp_path / "case_0.nii.gz"
    write_volume(scan, image_array(9), GRID)
    saved = save(task, entry_of(scan))
    assert any("case_0 is the name of another scan: saved as case_0-2" in n for n in saved.notes)
    assert [case.name for case in Task.load(task).training] == ["case_0-2"]
    save(task, entries(task)["case_0"])
    assert [case.name for case in Task.load(task).training] == ["case_0", "case_0-2"]


def test_a_task_that_is_not_there_yet(roots, tmp_path):
    scan = tmp_path / "scan.nii.gz"
    write_volume(scan, image_array(1), GRID)
    save(roots.raw / "Task002_MADE", entry_of(scan))
    checked = check_dataset("Task002_MADE", roots=roots)
    assert [case.name for case in checked.task.training] == ["scan"] and not checked.failures


def test_a_dicom_series_becomes_an_image_of_the_task(task, tmp_path):
    write_series(tmp_path / "study" / "ct")
    (entry,) = Worklist([tmp_path / "study"]).entries()
    volume = read_image(entry.images[0], entry.reading)
    small = outlined((1, "tumour"))
    label = np.zeros(volume.shape, np.int16)
    label[1:3, 1:3, 1] = 1
    result = type(small)(label.astype(np.uint16), label, volume.source, small.objects)
    made = provenance("model")
    saved = save_annotation(entry, result, prompts_of(small), made, Target(task=task))
    (case,) = Task.load(task).training
    assert case.images == (task / "imagesTr" / f"{entry.case}_0000.nii.gz",)
    copy = read_image(case.images[0])
    assert np.array_equal(copy.array, volume.array)
    assert np.allclose(copy.source.affine, volume.source.affine, atol=1e-4)
    assert read(task / "dataset.json")["modality"] == {"0": "CT"}
    assert saved.files[1].name == f"{entry.case}.nii.gz"

    write_series(tmp_path / "other" / "mr", Modality="MR", series=2)
    (other,) = Worklist([tmp_path / "other"]).entries()
    with pytest.raises(DataError, match="DICOM tag Modality is MR: expected CT"):
        save_annotation(other, result, prompts_of(small), made, Target(task=task))
    assert len(Task.load(task).training) == 1
    tags = read_image(other.images[0], other.reading).tags
    with pytest.raises(DataError, match="DICOM tag Modality is MR: expected CT"):
        check_fits(task, other, tags)  # said when it is opened
    check_fits(task, entry, volume.tags)
    with pytest.raises(DataError, match="has 2 images, but the cases of"):
        check_fits(task, replace(entry, images=entry.images * 2), volume.tags * 2)


def test_test_cases_are_saved_as_such(task):
    write_case(task, "held_out", subset="Ts", label=False)
    save(task, entries(task)["held_out"])
    content = read(task / "dataset.json")
    assert content["numTest"] == 1 and content["numTraining"] == 0
    assert content["test"][0]["label"] == "./labelsTs/held_out.nii.gz"
    assert (task / "annotationsTs" / "held_out.json").exists()


def test_what_the_list_says_besides_stays(task, roots):
    save(task, entries(task)["case_0"])
    path = task / "dataset.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"name"', '"licence": "CC0",\n"name"'))
    save(task, entries(task)["case_1"])
    assert read(path)["licence"] == "CC0" and read(path)["numTraining"] == 2


def test_a_scan_of_other_modalities_is_refused(task, tmp_path):
    save(task, entries(task)["case_0"])
    paths = tuple(tmp_path / f"pair_{number}.nii.gz" for number in range(2))
    for path in paths:
        write_volume(path, image_array(), GRID)
    entry = entry_of(paths[0])
    with pytest.raises(DataError, match="has 2 images, but the cases of Task001_NEW have 1: image"):
        save(task, replace(entry, images=paths))
    assert len(Task.load(task).training) == 1 and not list((task / "labelsTr").glob("pair*"))


def test_a_list_of_another_program_is_left_alone(task):
    text = '{"name": "d", "modality": {"0": "CT"}, "labels": {"0": "b", "1": "x"},' + (
        ' "training": [{"image": "./imagesTr/case_0_0000.nii.gz"}]}'
    )
    (task / "dataset.json").write_text(text)
    saved = save(task, entries(task)["case_0"])
    assert "written by another program" in saved.notes[0]
    assert (task / "dataset.json").read_text(encoding="utf-8") == text
    assert (task / "labelsTr" / "case_0.nii.gz").exists()
