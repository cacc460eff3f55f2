"""What is saved, where, and what it never replaces."""

import io
import zipfile

import nibabel as nib
import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import read_image, read_label, write_label_array, write_volume
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import sha256
from interactivenet.viewer.annotations import annotation_record
from interactivenet.viewer.saving.saving import Target, packed, save_annotation
from tests.raw_task import GRID, image_array, read
from tests.viewer.annotated import entry_of, outlined, positive, prompts_of, provenance


@pytest.fixture
def image(tmp_path):
    """A scan on an oblique grid stored from left to right, and a place to save to."""
    path = tmp_path / "scans" / "scan.nii.gz"
    write_volume(path, image_array(), GRID)
    return path


def save(path, target, *made_by, objects=((1, "tumour"),), over=None, **what):
    result = outlined(*objects)
    made = provenance(*(made_by or ("model",) * len(result.objects)))
    return save_annotation(entry_of(path, **what), result, prompts_of(result), made, target, over)


def folder_of(path):
    return Target(path.parent.parent / "out")


def test_the_files_of_a_case(image):
    target = folder_of(image)
    saved = save(image, target, "corrections", objects=((3, "tumour", positive()),))
    names = [path.relative_to(target.folder).as_posix() for path in saved.files]
    assert names == ["points/scan.json", "scan.nii.gz", "scan.json"] and not saved.notes
    label, scan = nib.load(saved.files[1]), nib.load(image)
    assert label.shape == scan.shape and np.array_equal(label.affine, scan.affine)
    for field in ("qform_code", "sform_code", "pixdim", "quatern_b", "qoffset_x", "srow_x"):
        assert np.array_equal(label.header[field], scan.header[field]), field
    (prompt,) = read_prompts(saved.files[0], LabelNames({3: "tumour"}))
    assert prompt.label == 3 and len(prompt.points) == 6
    assert [each.positive for each in prompt.corrections] == [True]
    assert prompt.corrections[0].position == pytest.approx(positive().position)
    result = outlined((3, "tumour", positive()))
    assert np.array_equal(read_label(saved.files[1]).array[0], result.label)


def test_the_record_says_who_or_what_made_each_outline(image):
    objects = ((1, "a"), (2, "b"))
    saved = save(image, folder_of(image), "corrections", "brush", objects=objects)
    record = read(saved.files[-1])
    assert [(each["name"], each["made_by"]) for each in record["objects"]] == [
        ("a", "corrections"), ("b", "brush"),
    ]  # fmt: skip
    assert record["annotation"] == {
        "scan": "scan", "by": "viewer", "version": record["made_from"]["version"],
        "date": "2026-01-02T03:04:05+00:00", "model": {"name": "a model", "digest": "0f" * 32},
    }  # fmt: skip
    inputs = record["made_from"]["inputs"]
    assert inputs == {"image 0": sha256(image), "points": sha256(saved.files[0])}
    assert record["made_from"]["drawn"] == 1
    assert record["sources"]["images"] == [str(image)]


def test_what_was_saved_before_is_replaced(image):
    first = save(image, folder_of(image), objects=((1, "a"), (1, "a")))
    assert any("objects" in path.parts for path in first.files)
    second = save(image, folder_of(image), objects=((1, "a"),))
    assert not second.notes
    there = {path for path in folder_of(image).folder.rglob("*") if path.is_file()}
    assert there == set(second.files)


def test_a_persons_files_are_kept_beside(image):
    folder = folder_of(image).folder
    saved = save(image, folder_of(image))
    write_label_array(saved.files[1], outlined((7, "x")).label, GRID)  # edited elsewhere
    edited = saved.files[1].read_bytes()
    notes = save(image, folder_of(image)).notes
    assert (folder / "scan.1.nii.gz").read_bytes() == edited
    assert len(notes) == 1 and "is kept as scan.1.nii.gz" in notes[0]
    (folder / "points" / "scan.json").write_text("{}")
    assert "points/scan.1.json" in save(image, folder_of(image)).notes[0]
    assert (folder / "points" / "scan.1.json").read_text(encoding="utf-8") == "{}"


def test_files_without_a_record_are_a_persons(image):
    folder = folder_of(image).folder
    folder.mkdir()
    (folder / "scan.nii.gz").write_text("mine")
    (folder / "scan.json").write_text('{"mine": 1}')
    notes = save(image, folder_of(image)).notes
    assert len(notes) == 2
    assert (folder / "scan.1.nii.gz").read_text(encoding="utf-8") == "mine"
    assert (folder / "scan.1.json").read_text(encoding="utf-8") == '{"mine": 1}'


def test_what_another_has_saved_meanwhile_is_kept_beside(image):
    folder = folder_of(image).folder
    first = save(image, folder_of(image), over="")
    theirs = [path.read_bytes() for path in first.files[:2]]
    assert first.mark and not first.notes
    second = save(image, folder_of(image), objects=((1, "a"), (2, "b")), over="")
    assert len(second.notes) == 2 and "another has saved meanwhile" in second.notes[0]
    assert (folder / "points" / "scan.1.json").read_bytes() == theirs[0]
    assert (folder / "scan.1.nii.gz").read_bytes() == theirs[1]
    assert not save(image, folder_of(image), over=second.mark).notes
    assert not save(image, folder_of(image)).notes  # nobody can tell


def test_what_a_save_that_was_broken_off_has_left_is_kept_beside(image, monkeypatch):
    def refuse(*_):
        raise DataError("the disk is full")

    folder = folder_of(image).folder
    saved = save(image, folder_of(image), over="")
    outlines = saved.files[1].read_bytes()
    with monkeypatch.context() as patched, pytest.raises(DataError, match="disk"):
        patched.setattr(annotation_record, "write_label_array", refuse)
        save(image, folder_of(image), objects=((1, "a"), (2, "b")), over=saved.mark)
    notes = save(image, folder_of(image), objects=((1, "a"), (2, "b")), over="").notes
    assert "of a save that was broken off, is kept as scan.1.nii.gz" in " ".join(notes)
    assert (folder / "scan.1.nii.gz").read_bytes() == outlines


def test_what_was_drawn_by_hand_is_kept_beside(image):
    folder = folder_of(image).folder
    drawn = save(image, folder_of(image), "brush").files[1].read_bytes()
    assert not save(image, folder_of(image), "brush").notes  # drawn on
    (note,) = save(image, folder_of(image), "model").notes
    assert "drawn by hand" in note and (folder / "scan.1.nii.gz").read_bytes() == drawn
    assert not save(image, folder_of(image), "model").notes


def test_two_scans_of_one_name(image, tmp_path):
    other = tmp_path / "others" / "scan.nii.gz"
    write_volume(other, image_array(5), GRID)
    save(image, folder_of(image))
    saved = save(other, folder_of(image))
    assert [path.name for path in saved.files] == ["scan-2.json", "scan-2.nii.gz", "scan-2.json"]
    assert saved.notes == ("scan is the name of another scan: saved as scan-2",)
    assert save(other, folder_of(image)).files == saved.files
    moved = tmp_path / "moved" / "scan.nii.gz"
    write_volume(moved, image_array(), GRID)
    assert save(moved, folder_of(image)).files[1].name == "scan.nii.gz"  # the same scan


def test_never_into_the_folder_of_the_scans(image):
    before = image.read_bytes()
    with pytest.raises(RequestError, match="input files"):
        save(image, Target(image.parent))
    assert image.read_bytes() == before


def test_never_into_a_raw_task_as_into_a_folder(image, tmp_path):
    (tmp_path / "raw" / "imagesTr").mkdir(parents=True)
    with pytest.raises(RequestError, match="raw task"):
        save(image, Target(tmp_path / "raw" / "labelsTr"))


def test_where_a_scan_is_saved(image, tmp_path):
    task, other, out = tmp_path / "Task001_A", tmp_path / "Task002_B", tmp_path / "out"
    case = entry_of(image, task=task, subset="Tr")
    assert Target().of(case) == Target(task=task) and Target().of(entry_of(image)) == Target()
    for target in (Target(out), Target(task=other)):
        assert target.of(case) == target.of(entry_of(image)) == target
    assert [Target().kind, Target(out).kind, Target(out, task).kind] == [
        "download", "folder", "task",
    ]  # fmt: skip


def test_nothing_is_outlined(image):
    result = outlined((1, "a"))
    empty = type(result)(result.label * 0, result.instance_map * 0, result.source, result.objects)
    for target in (folder_of(image), Target(task=image.parent.parent / "Task001_A")):
        with pytest.raises(RequestError, match="nothing is outlined"):
            save_annotation(entry_of(image), empty, prompts_of(result), provenance("model"), target)
    assert not folder_of(image).folder.exists()


def test_a_zip_has_the_same_files(image):
    saved = save(image, folder_of(image))
    result = outlined((1, "tumour"))
    data, _ = packed(entry_of(image), result, prompts_of(result), provenance("model"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files == {
        f"scan/{path.relative_to(folder_of(image).folder)}": path.read_bytes()
        for path in saved.files
    }


def test_a_save_that_fails_leaves_what_was_there(image, monkeypatch):
    before = {path: path.read_bytes() for path in save(image, folder_of(image)).files}

    def full(*_):
        raise DataError("the disk is full")

    monkeypatch.setattr(annotation_record, "write_label_array", full)
    with pytest.raises(DataError, match="full"):
        save(image, folder_of(image), objects=((2, "other"),))
    label = folder_of(image).folder / "scan.nii.gz"
    assert label.read_bytes() == before[label]
    monkeypatch.undo()
    assert not save(image, folder_of(image), objects=((2, "other"),)).notes  # all of it is ours
    assert read_image(label).array.max() == 2
