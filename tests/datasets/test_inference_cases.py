"""New cases: every image and every file of points is a case, or said not to be one."""

import os

import numpy as np
import pytest

from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.inference_cases import check_scan, find_new_cases
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_volume
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt

CT = ("CT",)


@pytest.fixture
def folders(tmp_path):
    """Image and points of one good case."""
    for folder in ("images", "points", "labels"):
        (tmp_path / folder).mkdir()
    return fill(tmp_path, "images/good.nii.gz", "points/good.json")


def fill(root, *names):
    for name in names:
        (root / name).write_text("-")
    return root


def found(root, labels=False, modalities=CT):
    given = [root / "images"], [root / "points"], root / "labels" if labels else None
    return find_new_cases(*given, modalities)


def test_what_fits_together_is_no_failure(folders):
    fill(folders, "images/b_0000.nii.gz", "points/b.mrk.json")
    new = found(folders)
    assert [case.name for case in new.cases] == ["b", "good"]
    assert not new.failures and not new.notes


def test_points_without_an_image_are_a_failed_case(folders):
    fill(folders, "points/lost.fcsv")
    new = found(folders)
    assert [case.name for case in new.cases] == ["good"]
    assert list(new.failures) == ["lost"]
    assert "has no image in" in new.failures["lost"] and "lost.fcsv belongs" in new.failures["lost"]


def test_an_image_without_points_is_a_failed_case(folders):
    fill(folders, "images/lost_0000.nii.gz")
    reason = found(folders).failures["lost"]
    assert "has no points in" in reason and "expected lost.json" in reason


@pytest.mark.parametrize(
    ("image", "points", "case"),
    [
        ("case_1.nii.gz", "case_01.mrk.json", "case_1"),
        ("Patient7_0000.nii.gz", "patient7.json", "Patient7"),
        ("anna-left.mha", "anna_left.csv", "anna-left"),
    ],
)
def test_misspelt_names_are_two_failures_that_name_each_other(folders, image, points, case):
    fill(folders, f"images/{image}", f"points/{points}")
    failures = found(folders).failures
    wrong = points.partition(".")[0]
    assert set(failures) == {case, wrong}
    assert f"(nearest: points/{points})" in failures[case]
    assert f"(nearest: images/{image})" in failures[wrong]


@pytest.mark.parametrize("name", ["scan.xyz", "scan.mgz", "scan.zip", "scan.png", "scan"])
def test_an_image_of_no_readable_format_is_named(folders, name):
    fill(folders, f"images/{name}", "points/scan.json")
    failures = found(folders).failures
    assert list(failures) == ["scan"]
    assert f"images/{name} has no readable format: expected .nii.gz" in failures["scan"]


def test_an_unreadable_image_without_points_is_a_failed_case_too(folders):
    fill(folders, "images/scan_0000.xyz")
    assert list(found(folders).failures) == ["scan"]


def test_points_of_no_readable_format_are_named(folders):
    fill(folders, "images/scan.nii.gz", "points/scan.acsv", "points/other.acsv")
    failures = found(folders).failures
    assert list(failures) == ["other", "scan"]
    assert "has no points in" in failures["scan"] and "points/scan.acsv has" in failures["scan"]
    assert "points/other.acsv has no readable format" in failures["other"]


@pytest.mark.parametrize("name", ["images/a.nii.gz", "images/a", "points/a.json"])
def test_a_link_that_leads_nowhere_is_named(folders, name):
    fill(folders, "points/a.json", "images/a.nii.gz")
    if name == "images/a":
        (folders / "images/a.nii.gz").unlink()
    else:
        (folders / name).unlink()
    (folders / name).symlink_to("/mnt/pacs/gone")
    failures = found(folders).failures
    assert list(failures) == ["a"]
    assert f"{name} is a link to /mnt/pacs/gone, which leads nowhere" in failures["a"]


def test_companions_are_no_cases(folders):
    fill(
        folders, "images/.DS_Store", "images/README", "images/dataset.json", "images/notes.txt",
        "images/participants.tsv", "images/good.json", "points/.DS_Store", "points/README.md",
        "points/dataset.json", "points/list.txt", "images/._good.nii.gz", "images/LICENSE",
    )  # fmt: skip
    new = found(folders)
    assert not new.failures and [case.name for case in new.cases] == ["good"]


def test_without_any_pair_each_is_a_failure(folders):
    for path in (folders / "images/good.nii.gz", folders / "points/good.json"):
        path.rename(path.with_name("x" + path.name if path.suffix == ".json" else path.name))
    new = found(folders)
    assert not new.cases and set(new.failures) == {"good", "xgood"}


def test_labels_that_lack_or_are_spare_are_said(folders):
    fill(folders, "images/b.nii.gz", "points/b.json", "labels/b.nii.gz", "labels/z.nii.gz",
         "labels/good.xyz")  # fmt: skip
    new = found(folders, labels=True)
    assert len(new.cases) == 2 and not new.failures
    text = "\n".join(new.notes)
    assert "holds no label map for good: not compared" in text
    assert "z belongs to no case: not used" in text and "labels/good.xyz has no readable" in text


def test_the_shared_case_names_both_patients(shared_cases):
    folder = shared_cases("a04_points_without_image")
    new = find_new_cases([folder / "images"], [folder / "points"], None, CT)
    assert [case.name for case in new.cases] == ["patient_1"]
    assert set(new.failures) == {"patient_2", "patient_3"}


def test_several_files_of_points_are_for_a_single_case(folders):
    points = [folders / f"points/{name}.mrk.json" for name in ("left", "right")]
    fill(folders, *(path.relative_to(folders) for path in points))
    (case,) = find_new_cases([folders / "images/good.nii.gz"], points, None, CT).cases
    assert (case.interaction, case.more_interactions) == (points[0], (points[1],))
    with pytest.raises(RequestError, match=r"1 more: are points of one case, but .* is a folder"):
        find_new_cases([folders / "images"], points, None, CT)
    with pytest.raises(RequestError, match="is given twice"):
        find_new_cases([folders / "images/good.nii.gz"], [points[0]] * 2, None, CT)
    with pytest.raises(RequestError, match="is a folder, expected the files"):
        find_new_cases([folders / "images/good.nii.gz"], [points[0], folders / "points"], None, CT)


def test_a_single_case_names_the_nearest_points(folders):
    fill(folders, "images/case_1.nii.gz", "points/case_01.json")
    with pytest.raises(RequestError, match=r"no points of case_1: .*nearest: points/case_01\.json"):
        find_new_cases([folders / "images/case_1.nii.gz"], [folders / "points"], None, CT)


GRID = Geometry((30, 30, 20), np.diag([1.0, 1, 2, 1]))
POINTS = np.array(
    [[5, 15, 20], [25, 15, 20], [15, 5, 20], [15, 25, 20], [15, 15, 6], [15, 15, 34.0]]
)


def scan(points, **more):
    names = tuple(f"F-{number + 1}" for number in range(len(points)))
    image = Volume.from_stored(np.zeros((1, *GRID.shape), np.float32), GRID)
    return Scan("case", image, prompts=(Prompt(1, points, "a", names, **more),))


def test_what_is_doubtful_is_returned():
    assert check_scan(scan(POINTS), any_points=False) == ()
    doubled = POINTS.copy()
    doubled[3] = doubled[0]
    clicks = [Correction(POINTS[0] + 3, False)] * 2
    notes = check_scan(scan(doubled, corrections=clicks, notes=("F-7 was left out",)), False)
    assert len(notes) == 3 and notes[0] == "F-7 was left out"
    assert "correction -1 and correction -2 lie in one voxel" in notes[1]
    assert "F-1 and F-4" in notes[2]


@pytest.mark.parametrize(
    ("clicks", "message"),
    [
        (
            [(True, (5, 5, 6)), (False, (5.3, 4.8, 6.9))],
            r"\+1 and correction -2 lie in one voxel, ",
        ),
        ([(False, (5, 5, -9))], r"correction -1 at \(5, 5, -9\) mm \(RAS\) lies 8.0 mm outside"),
    ],
)
def test_corrections_that_cannot_be_used_are_named(clicks, message):
    corrections = [Correction(position, positive) for positive, position in clicks]
    with pytest.raises(DataError, match=f"^case: prompt of label 1: .*{message}"):
        check_scan(scan(POINTS, corrections=corrections), any_points=True)


def test_where_points_are_missing_what_was_left_out_is_said():
    with pytest.raises(DataError, match=r"5 points, expected 6.*`any_points=True`.*; F-6 was left"):
        check_scan(scan(POINTS[:5], notes=("F-6 was left out",)), False)


@pytest.mark.parametrize(
    "points", [POINTS[:5], np.vstack([POINTS, POINTS[:1] + 2]), POINTS * [1, 1, 0] + [0, 0, 20]]
)
def test_messages_name_any_points_where_it_helps(points):
    with pytest.raises(DataError, match=r"`any_points=True` takes them as they are$"):
        check_scan(scan(points), False)
    check_scan(scan(points), True)


def test_the_points_of_several_files_are_read_and_hashed(tmp_path):
    from interactivenet.inference.case_keys import input_hashes

    image = tmp_path / "scan.nii.gz"
    write_volume(image, np.zeros(GRID.shape, np.int16), GRID)
    files = [tmp_path / f"{name}.json" for name in ("left", "right")]
    for number, path in enumerate(files):
        write_prompts(path, [Prompt(1, POINTS + number, "tumour")])
    (case,) = find_new_cases([image], files, None, CT).cases
    read = read_scan(case, 1, LabelNames({1: "tumour"}))
    assert [prompt.points[0, 0] for prompt in read.prompts] == [5, 6]
    assert len(input_hashes(case)) == 3
    write_prompts(files[1], [Prompt(1, POINTS + np.array([0, 0, 100]), "tumour")])
    with pytest.raises(DataError, match=r"scan: point 1 at .* lie up to .* mm outside the image"):
        read_scan(case, 1, LabelNames({1: "tumour"}))


def test_a_link_that_leads_somewhere_is_a_file(tmp_path):
    for folder in ("images", "points", "store"):
        (tmp_path / folder).mkdir()
    fill(tmp_path, "store/a.nii.gz", "points/a.json")
    os.symlink(tmp_path / "store/a.nii.gz", tmp_path / "images/a.nii.gz")  # noqa: PTH211
    assert not found(tmp_path).failures
