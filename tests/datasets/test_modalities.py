"""How many images a case has: one of each modality, or any number where any will do."""

import pytest

from interactivenet.datasets.inference_cases import find_new_cases
from interactivenet.datasets.modalities import modalities_of, numbered_modalities
from interactivenet.datasets.task_files import find_cases
from interactivenet.errors import RequestError


def test_of_any_modality_there_are_as_many_as_there_are():
    assert modalities_of(("MR", "CT"), 3) == ("MR", "CT")
    assert modalities_of(("any",), 3) == ("any",) * 3 and modalities_of(("any",), 0) == ("any",)
    assert numbered_modalities(("any",), {3, 1}) == {1: "any", 3: "any"}
    assert numbered_modalities(("CT",), {3, 1}) == {0: "CT"}
    assert numbered_modalities(("any", "CT"), {3}) == {0: "any", 1: "CT"}


@pytest.fixture
def folders(tmp_path):
    """Cases of one, two and one images, the last without a number."""
    for name in ("a_0000", "b_0000", "b_0002", "c"):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{name}.nii.gz").touch()
    (tmp_path / "points").mkdir()
    for name in "abc":
        (tmp_path / "points" / f"{name}.json").touch()
    return tmp_path / "images", tmp_path / "points"


def images_of(new):
    return {case.name: [path.name for path in case.images] for case in new.cases}


def test_a_folder_of_cases(folders):
    images, points = folders
    new = find_new_cases([images], [points], None, ("any",))
    assert new.failures == {} and images_of(new) == {
        "a": ["a_0000.nii.gz"], "b": ["b_0000.nii.gz", "b_0002.nii.gz"], "c": ["c.nii.gz"],
    }  # fmt: skip
    new = find_new_cases([images], [points], None, ("CT",))
    assert list(images_of(new)) == ["a", "c"]
    assert "has an image of modality 0002, but 1 were named: CT" in new.failures["b"]


def test_two_files_for_one_image(folders):
    images, points = folders
    (images / "b_0002.mha").touch()
    new = find_new_cases([images], [points], None, ("any",))
    assert "has 2 image files, expected one: b_0002.mha, b_0002.nii.gz" in new.failures["b"]


def test_one_case(folders):
    images, points = folders
    paths = [images / "b_0000.nii.gz", images / "b_0002.nii.gz"]
    for count in (1, 2):
        new = find_new_cases(paths[:count], [points / "b.json"], None, ("any",))
        assert images_of(new) == {"b": [path.name for path in paths[:count]]}
    with pytest.raises(RequestError, match="2 given for one case: expected 1, in the order CT"):
        find_new_cases(paths, [points / "b.json"], None, ("CT",))


def test_a_task_has_one_image_of_each_modality_whatever_it_is_called(tmp_path):
    for name in ("a_0000", "b_0000", "b_0001"):
        (tmp_path / "imagesTr").mkdir(exist_ok=True)
        (tmp_path / "imagesTr" / f"{name}.nii.gz").touch()
    (tmp_path / "labelsTr").mkdir()
    for name in "ab":
        (tmp_path / "labelsTr" / f"{name}.nii.gz").touch()
    found = find_cases(tmp_path, "Tr", ("any",))
    assert [case.name for case in found.cases] == ["a"]
    assert any("modality 0001, but 1 were named" in one.message for one in found.findings)
