"""New cases that are DICOM: which folder is a case, and what it is called."""

import shutil

import pytest

from interactivenet.datasets.inference_cases import find_new_cases
from interactivenet.errors import RequestError
from interactivenet.imaging.io import ReadOptions
from tests.imaging.written_dicom import UID, stored, write_frames, write_series


@pytest.fixture
def folders(tmp_path):
    """Folders of images and of points; points by name."""
    images, points = tmp_path / "images", tmp_path / "points"
    images.mkdir()
    points.mkdir()

    def mark(*names):
        for name in names:
            (points / f"{name}.json").write_text("{}")

    return images, points, mark


def find(images, points, **how):
    paths = images if isinstance(images, list) else [images]
    return find_new_cases(paths, [points], None, ("CT",) * len(paths), **how)


def names(cases):
    return {case.name: [path.name for path in case.images] for case in cases}


def test_a_folder_of_series_and_trees(folders):
    images, points, mark = folders
    write_series(images / "a")
    write_series(images / "b", name="ST1/SE1/IM{}")
    mark("a", "b")
    new = find(images, points)
    assert names(new.cases) == {"a": ["a"], "b": ["b"]} and not new.failures


@pytest.mark.parametrize("sign", ["one file", "the name of the tree", "a list of files"])
def test_one_tree(folders, sign):
    """What shows that a folder is one case's, and not a folder of cases."""
    images, points, mark = folders
    write_series(images, name="ST1/SE1/IM{}")
    mark("images")
    if sign == "a list of files":
        write_series(images, series=2, name="DICOMDIR")
        mark("ST1")  # a name of a folder in it
    prompts = points / "images.json" if sign == "one file" else points
    new = find(images, prompts)
    assert names(new.cases) == {"images": ["images"]} and not new.failures
    assert new.cases[0].interaction == points / "images.json"


def test_a_folder_of_cases_that_has_points_of_its_own_name(folders):
    images, points, mark = folders
    write_series(images / "a")
    mark("images", "a")
    assert names(find(images, points).cases) == {"a": ["a"]}


def test_one_multi_frame_file(folders):
    images, points, mark = folders
    path = write_frames(images / "scan.dcm", stored())
    mark("scan")
    assert names(find(path, points).cases) == {"scan": ["scan.dcm"]}


def test_a_folder_without_dicom_is_no_tree(folders):
    images, points, mark = folders
    (images / "a").mkdir()
    (images / "a" / "scan.txt").write_text("x")
    mark("images")
    with pytest.raises(RequestError, match=r"images.json: is one file, but .* folder of cases"):
        find(images, points / "images.json")


def test_the_series_goes_with_the_case(folders):
    images, points, mark = folders
    write_series(images / "a")
    mark("a")
    reading = ReadOptions(series="3")
    assert find(images, points, reading=reading).cases[0].reading == reading
    assert find(images / "a", points, reading=reading).cases[0].reading == reading


def test_a_series_of_what_is_not_dicom(folders, tmp_path):
    _, points, mark = folders
    mark("scan")
    (tmp_path / "scan.nii.gz").write_bytes(b"x")
    with pytest.raises(RequestError) as caught:
        find(tmp_path / "scan.nii.gz", points, reading=ReadOptions(series="3"))
    assert "`series='3'`" in str(caught.value) and "is not DICOM" in str(caught.value)


BY = {
    "patient": "P1",
    "study": f"P1_{UID}.7",
    "series": f"P1_{UID}.7.4",
}


@pytest.mark.parametrize("name_by", BY)
@pytest.mark.parametrize("marked", ["its folder", "its name"])
@pytest.mark.parametrize("single", [False, True])
def test_names_from_the_headers(folders, name_by, marked, single):
    """Points may be called by the folder or by the name that the case gets."""
    images, points, mark = folders
    write_series(images / "SE1", study=7, series=4)
    mark("SE1" if marked == "its folder" else BY[name_by])
    new = find(images / "SE1" if single else images, points, name_by=name_by)
    assert names(new.cases) == {BY[name_by]: ["SE1"]} and not new.failures
    assert new.cases[0].interaction.parent == points


def test_names_of_several_modalities(folders):
    images, points, mark = folders
    for index in range(2):
        write_series(images / f"SE1_000{index}", series=1 + index)
    mark("P1")
    new = find_new_cases([images], [points], None, ("CT", "PET"), name_by="patient")
    assert names(new.cases) == {"P1": ["SE1_0000", "SE1_0001"]} and not new.failures


def test_two_cases_of_one_patient_are_refused(folders):
    images, points, mark = folders
    write_series(images / "A", study=1)
    write_series(images / "B", study=2)
    mark("A", "B")
    new = find(images, points, name_by="patient")
    assert not new.cases
    assert new.failures["P1"] == (
        f"2 cases have this name ({images / 'A'}, {images / 'B'}): name them otherwise"
    )
    assert len(find(images, points, name_by="study").cases) == 2


@pytest.mark.parametrize(
    ("patient", "name"),
    [
        ("../../etc", "etc"),
        ("/abs/x", "abs_x"),
        (".hidden", "hidden"),
        ("12 34#5\x1b[1m", "12_34_5_1m"),
        ("x" * 64, "x" * 64),
    ],
)
def test_names_are_safe(folders, patient, name):
    images, points, mark = folders
    write_series(images / "A", patient=patient)
    mark("A")
    assert list(names(find(images, points, name_by="patient").cases)) == [name]


@pytest.mark.parametrize("patient", ["", "..", "///", "  "])
@pytest.mark.parametrize("single", [False, True])
def test_a_case_that_has_no_such_name_fails(folders, patient, single):
    images, points, mark = folders
    write_series(images / "A", patient=patient)
    mark("A")
    new = find(images / "A" if single else images, points, name_by="patient")
    assert not new.cases
    assert new.failures == {"A": f"{images / 'A'}: has no PatientID to name the case by"}


def test_what_is_not_dicom_has_no_such_name(folders):
    images, points, mark = folders
    (images / "scan.nii.gz").write_bytes(b"x")
    write_series(images / "A")
    write_series(images / "broken")[2].unlink()
    mark("scan", "A", "broken")
    new = find(images, points, name_by="patient")
    assert list(names(new.cases)) == ["P1"]
    assert "is not DICOM, but cases are named by `name_by='patient'`" in new.failures["scan"]
    assert "1 missing" in new.failures["broken"]


def test_a_name_with_the_number_of_a_modality(folders):
    """A patient's ID may end in four digits."""
    images, points, mark = folders
    write_series(images / "A", patient="STS_0008")
    mark("STS_0008")
    assert list(names(find(images, points, name_by="patient").cases)) == ["STS_0008"]
    shutil.rmtree(images / "A")
    write_series(images / "A_0000", patient="STS_0008")
    assert list(names(find(images, points, name_by="patient").cases)) == ["STS_0008"]
