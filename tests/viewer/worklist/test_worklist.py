"""What can be opened, in which order, and that nothing is dropped without a word."""

import shutil

import numpy as np
import pytest

from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.imaging.io import write_volume
from interactivenet.prompts.prompt import LabelNames
from interactivenet.viewer.saving.saving import Target, save_annotation
from interactivenet.viewer.worklist.strategies import STRATEGIES, First, LowestExpectedDice
from interactivenet.viewer.worklist.worklist import Worklist, WorklistEntry
from tests.imaging.written_dicom import UID, stored, write_series
from tests.raw_task import GRID, POINTS, image_array, write_case, write_points
from tests.viewer.annotated import outlined, prompts_of, provenance


def write(*paths):
    for path in paths:
        write_volume(path, image_array(), GRID)


def listed(worklist):
    return {entry.name: [path.name for path in entry.images] for entry in worklist.entries()
            if not entry.problem}  # fmt: skip


def problems(worklist):
    return {entry.name: entry.problem for entry in worklist.entries() if entry.problem}


def test_a_folder_of_images_of_every_format(tmp_path):
    write(*(tmp_path / name for name in ("a.nii", "b.nii.gz", "c.mha", "d.nrrd")))
    worklist = Worklist([tmp_path])
    assert list(listed(worklist)) == ["a", "b", "c", "d"]
    ids = [entry.id for entry in worklist.entries()]
    assert len(set(ids)) == 4 and ids == [entry.id for entry in worklist.entries()]
    assert worklist.find(ids[2]).name == "c"
    with pytest.raises(RequestError, match="no such case"):
        worklist.find("c")


@pytest.mark.parametrize(
    ("names", "cases"),
    [
        (["a_0000", "a_0001", "b_0000", "b_0001"], {"a": 2, "b": 2}),
        (["a_0000", "b_0000"], {"a": 1, "b": 1}),
        (["a_0000", "a_0001", "b_0000"], {"a_0000": 1, "a_0001": 1, "b": 1}),
        (["scan_0001", "scan_0002"], {"scan_0001": 1, "scan_0002": 1}),
        (["a_CT", "a_MR"], {"a_CT": 1, "a_MR": 1}),
    ],
)
def test_modalities_are_grouped_by_their_numbers_alone(tmp_path, names, cases):
    write(*(tmp_path / f"{name}.nii.gz" for name in names))
    found = {entry.name: len(entry.images) for entry in Worklist([tmp_path]).entries()}
    assert found == cases


def test_a_model_says_how_many_images_there_are(tmp_path):
    write(*(tmp_path / f"{name}.nii.gz" for name in ("a_0000", "a_0001", "b_0000")))
    worklist = Worklist([tmp_path], modalities=("MR", "CT"))
    assert listed(worklist) == {"a": ["a_0000.nii.gz", "a_0001.nii.gz"]}
    assert list(problems(worklist).values()) == ["lacks the image of modality 0001 (CT)"]


@pytest.mark.parametrize("kind", ["folder", "task"])
def test_a_problem_is_its_own_cases_alone(tmp_path, kind):
    folder = tmp_path / ("Task001_A/imagesTr" if kind == "task" else "images")
    write(*(folder / f"{name}.nii.gz" for name in ("case_1_0000", "case_10_0000", "case_10_0001")))
    given = tmp_path / folder.relative_to(tmp_path).parts[0]
    if kind == "task":
        Task("Task001_A", given, ("A", "B"), LabelNames({1: "x"}), (), ()).save()
    worklist = Worklist([given], modalities=("A", "B"))
    found = {tuple(path.name for path in entry.images): entry.problem
             for entry in worklist.entries()}  # fmt: skip
    assert found == {
        ("case_10_0000.nii.gz", "case_10_0001.nii.gz"): "",
        ("case_1_0000.nii.gz",): "lacks the image of modality 0001 (B)",
    }


def test_what_cannot_be_opened_is_listed_with_its_problem(tmp_path):
    write(tmp_path / "good.nii.gz")
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "text.nii").write_text("no image" * 100)
    (tmp_path / "lost.nrrd").symlink_to(tmp_path / "nowhere")
    (tmp_path / "brain.mgz").write_bytes(b"x")
    (tmp_path / "cut.dcm").write_bytes(b"x")
    shutil.copy(tmp_path / "good.nii.gz", tmp_path / "good.nii")
    (tmp_path / "README.md").touch()
    found = problems(Worklist([tmp_path]))
    expected = {
        "empty": "is empty", "text": "is not a NIfTI file", "lost": "leads nowhere",
        "brain": "no readable format", "good": "2 image files", "cut": "no readable format",
    }  # fmt: skip
    for name, problem in expected.items():
        assert any(problem in found[each] for each in found if name in each or name in found[each])
    assert len(found) == len(expected)
    assert not listed(Worklist([tmp_path]))


def test_four_dimensions_are_seen_in_the_header(tmp_path):
    import nibabel as nib

    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 9), np.int16), np.eye(4)), tmp_path / "bold.nii.gz")
    assert "4x4x4x9" in problems(Worklist([tmp_path]))["bold"]


def test_folders_in_folders_and_those_beside_images(tmp_path):
    write(
        tmp_path / "study" / "images" / "x.nii.gz", tmp_path / "study" / "labels" / "x.nii.gz",
        tmp_path / "sub-01" / "anat" / "t1.nii.gz", tmp_path / "sub-02" / "anat" / "t1.nii.gz",
    )  # fmt: skip
    worklist = Worklist([tmp_path])
    assert list(listed(worklist)) == ["study/x", "sub-01/anat/t1", "sub-02/anat/t1"]
    cases = [entry.case for entry in worklist.entries()]
    assert cases == ["x", "sub-01_anat_t1", "sub-02_anat_t1"]
    assert worklist.notes == [
        f"{tmp_path / 'study'}: labels beside images: not looked into for scans"
    ]


def test_names_are_unique(tmp_path):
    for folder in ("one", "two"):
        write(tmp_path / folder / "scan.nii.gz")
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "one"]
    entries = Worklist(folders).entries()
    assert [entry.name for entry in entries] == ["scan", "two/scan"]
    assert [entry.case for entry in entries] == ["scan", "scan-2"]


def test_a_single_file_and_its_points(tmp_path):
    write(tmp_path / "scan_0000.nii.gz", tmp_path / "other.nii.gz")
    write_points(tmp_path / "scan.mrk.json", POINTS)
    worklist = Worklist([tmp_path / "scan_0000.nii.gz"])
    (entry,) = worklist.entries()
    assert (entry.name, entry.status) == ("scan", "points")
    (prompt,) = worklist.prompts_of(entry)
    assert prompt.name == "tumour" and len(prompt.points) == 6


@pytest.mark.parametrize("name", ["nothing", "notes.txt"])
def test_no_scans_at_all(tmp_path, name):
    (tmp_path / "notes.txt").write_text("x")
    if name == "nothing":
        with pytest.raises(RequestError, match="does not exist"):
            Worklist([tmp_path / name])
        worklist = Worklist([tmp_path])
        assert worklist.entries() == [] and worklist.next() is None
        assert worklist.notes == [f"{tmp_path}: holds no scans"]
    else:
        assert "no readable format" in problems(Worklist([tmp_path / name]))[name]


def test_a_dicom_tree(tmp_path):
    write_series(tmp_path / "p1" / "ct")
    write_series(tmp_path / "p1" / "mixed", series=2)
    write_series(tmp_path / "p1" / "mixed", series=3, name="other{}.dcm")
    write_series(tmp_path / "p2" / "scout", stored((1, 4, 6)), series=4)
    worklist = Worklist([tmp_path])
    entries = [entry for entry in worklist.entries() if not entry.problem]
    assert [(entry.images[0].name, entry.series) for entry in entries] == [
        ("ct", f"{UID}.1.1"), ("mixed", f"{UID}.1.2"), ("mixed", f"{UID}.1.3"),
    ]  # fmt: skip
    assert len({entry.name for entry in worklist.entries()}) == len(worklist.entries()) == 4
    (problem,) = problems(worklist).values()
    assert "a single DICOM slice" in problem


def test_a_raw_task(tmp_path):
    task = tmp_path / "Task001_A"
    write_case(task, "new", label=False)
    write_case(task, "marked", label=False, prompt=True)
    write_case(task, "done", prompt=True)
    (task / "imagesTr" / "odd.mgz").touch()
    for worklist in (Worklist([], task), Worklist([task])):
        found = {entry.name: entry.status for entry in worklist.entries()}
        assert found == {"new": "new", "marked": "points", "done": "outlined", "odd": "new"}
    worklist = Worklist([task], task)
    assert [entry.name for entry in worklist.entries()] == ["marked", "new", "done", "odd"]
    marked, new = worklist.entries()[:2]
    (prompt,) = worklist.prompts_of(marked)
    assert prompt.label == 1 and worklist.prompts_of(new) == ()
    assert worklist.next().name == "marked"
    assert worklist.next(after={marked.id}).name == "new"
    assert worklist.next(after={marked.id, new.id}) is None


def test_what_is_saved_shows(tmp_path):
    write(tmp_path / "in" / "a.nii.gz", tmp_path / "in" / "b.nii.gz")
    out = tmp_path / "out"
    worklist = Worklist([tmp_path / "in"], output=out)
    first = worklist.next()
    result = outlined((1, "tumour"))
    made = provenance("brush")
    save_annotation(first, result, prompts_of(result), made, Target(out))
    assert worklist.find(first.id).status == "outlined"
    assert [entry.name for entry in worklist.entries()] == ["b", "a"]
    (note,) = worklist.notes_of(first)
    assert note.startswith("tumour: drawn by hand") and not worklist.notes_of(worklist.next())
    assert worklist.next().name == "b"
    again = Worklist([tmp_path / "in"], output=out)  # started anew
    record = (out / "a.json").read_text(encoding="utf-8")
    (out / "a.json").write_text(record.replace('"made_from"', '"unfinished": true, "x"'))
    assert {entry.status for entry in again.entries()} == {"new"}  # a save that was killed
    (out / "a.json").write_text(record)
    (entry,) = (entry for entry in again.entries() if entry.name == "a")
    (prompt,) = again.prompts_of(entry)
    assert entry.status == "outlined" and np.allclose(
        prompt.points, result.objects[0].prompt.points
    )


def test_uploads(tmp_path):
    kept = tmp_path / "5f1c.nii.gz"
    write(kept)
    (tmp_path / "bad.nii.gz").write_text("x")
    worklist = Worklist()
    entry = worklist.add_upload("../../etc/passwd\n", kept)
    assert entry.images == (kept,) and entry.case == "upload-1" and "\n" not in entry.name
    assert worklist.add_upload("../../etc/passwd\n", kept).name != entry.name
    assert "is not a NIfTI file" in worklist.add_upload("bad", tmp_path / "bad.nii.gz").problem
    assert [each.source for each in worklist.entries()] == ["upload"] * 3


def entry(name, status="new", dice=None, problem=""):
    return WorklistEntry(name, name, (), "", status=status, expected_dice=dice, problem=problem)


def test_the_order_of_the_largest_gain():
    entries = [
        entry("saved", "outlined", 0.1), entry("broken", problem="x"), entry("new"),
        entry("good", "points", 0.9), entry("unknown", "points"), entry("bad", "points", 0.4),
    ]  # fmt: skip
    order = [each.name for each in LowestExpectedDice().order(entries)]
    assert order == ["bad", "good", "unknown", "new", "saved", "broken"]
    order = [each.name for each in First().order(entries)]
    assert order == ["new", "good", "unknown", "bad", "saved", "broken"]
    assert set(STRATEGIES) == {"lowest_expected_dice", "first"}


def test_what_is_expected_of_a_case(tmp_path):
    task = tmp_path / "Task001_A"
    for name in "abc":
        write_case(task, name, label=False, prompt=True)
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    text = '{"objects": [{"expected_dice": 0.9}, {"expected_dice": %s}, {"expected_dice": null}]}'
    (predictions / "b.json").write_text(text % 0.5)
    (predictions / "c.json").write_text("broken")
    worklist = Worklist([], task, predictions=[predictions])
    assert [(each.name, each.expected_dice) for each in worklist.entries()] == [
        ("b", 0.5), ("a", None), ("c", None),
    ]  # fmt: skip
    c = worklist.entries()[2]
    worklist.note_outlines(c.id, 0.2)
    assert worklist.next().name == "c" and worklist.next(strategy="first").name == "a"
    with pytest.raises(RequestError, match="no strategy 'x'"):
        worklist.next(strategy="x")


def test_what_could_not_be_opened_is_passed_over(tmp_path):
    write(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    worklist = Worklist([tmp_path])
    worklist.note_problem(worklist.next().id, "has NaN")
    assert worklist.next().name == "b" and worklist.entries()[-1].problem == "has NaN"
