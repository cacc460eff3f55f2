"""Labels and modalities in the dataset.json of other programs, in the forms that people write."""

import shutil

import numpy as np
import pytest

from interactivenet.imaging.io import read_image
from tests.datasets.listed_dataset import (
    LABELS,
    NAME,
    NAMES,
    convert,
    imported,
    listing,
    write_files,
    write_list,
)
from tests.raw_task import image_array, read

BACKWARDS = {name: int(value) for value, name in LABELS.items()}


@pytest.mark.parametrize("labels", [LABELS, BACKWARDS, {n: str(v) for n, v in BACKWARDS.items()}])
@pytest.mark.parametrize("kind", ["nnU-Net v1", "Decathlon", "nnU-Net v2", "without a list"])
def test_labels_are_read_either_way_round(kind, labels, tmp_path):
    numbered = "" if kind == "Decathlon" else "_0000"
    folder = write_files(tmp_path / "source", f"{numbered}.nii.gz")
    content = {"labels": labels}
    if kind == "nnU-Net v2":
        content |= {"channel_names": {"0": "MRI"}, "file_ending": ".nii.gz"}
    elif kind == "without a list":
        content |= {"modality": {"0": "MRI"}, "training": [], "numTraining": 3}
    else:
        content |= {"modality": {"0": "MRI"}, **listing()}
    task = imported(write_list(folder, **content), tmp_path / "raw")
    assert task["labels"] == LABELS and task["modality"] == {"0": "MRI"}
    assert [entry["case"] for entry in task["training"]] == list(NAMES)
    assert [entry["case"] for entry in task["test"]] == ["hippocampus_006"]
    expected = {"without a list": "nnU-Net"}.get(kind, kind)
    assert read(tmp_path / "raw" / NAME / "import.json")["kind"] == expected


@pytest.mark.parametrize("name", ["channel_names", "modality"])
@pytest.mark.parametrize(
    "given", [{"0": "T1", "1": "CT"}, {"T1": 0, "CT": "1"}, {"1": "CT", "0": "T1"}, ["T1", "CT"]]
)
def test_modalities_are_read_either_way_round(given, name, tmp_path):
    folder = write_files(tmp_path / "source", modalities=2)
    listed = listing() if name == "modality" else {"file_ending": ".nii.gz"}
    write_list(folder, labels=LABELS, **{name: given}, **listed)
    task = imported(folder, tmp_path / "raw")
    assert task["modality"] == {"0": "T1", "1": "CT"}
    for entry in task["training"]:
        for index, image in enumerate(entry["image"]):
            array = read_image(tmp_path / "raw" / NAME / image).array[0]
            np.testing.assert_array_equal(array, image_array(index))


UNCLEAR = {
    "numbers on both sides": (
        {"labels": {"0": "0", "1": "2", "2": "3"}},
        "can be read in two ways: 0='0', 1='2', 2='3'; or 0='0', 2='1', 3='2'",
    ),
    "words on both sides": ({"labels": {"background": "bg", "a": "b"}}, "have 'background': 'bg'"),
    "a mixture": ({"labels": {"0": "background", "tumour": 1}}, "a whole number for every name"),
    "a list": ({"labels": ["background", "tumour"]}, "are not an object"),
    "none": ({"labels": {}}, "are not an object"),
    "only background": ({"labels": {"background": 0}}, "name no value but the background"),
    "background elsewhere": ({"labels": {"0": "a", "1": "background"}}, "has label value 1"),
    "names that are numbers": ({"labels": {"0": "0", "1": "1"}}, "label name '1' cannot be used"),
    "two names of a value": ({"labels": {"background": 0, "a": 1, "b": 1}}, "1 has two names: a"),
    "a negative value": ({"labels": {"background": 0, "a": -1}}, "value -1, expected 1 or more"),
    "a value that is none": ({"labels": {"0": "background", "1": None}}, "name 1 None"),
    "ignore": ({"labels": {"background": 0, "a": 1, "ignore": 2}}, "'ignore' label"),
    "ignore, by value": ({"labels": {"0": "background", "1": "a", "2": "Ignore"}}, "'ignore'"),
    "regions": (
        {"labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3]}},
        "labels 'whole', 'core' are regions of several values",
    ),
    "modalities from 1": ({"modality": {"1": "MR"}}, "are numbered 1: expected 0 to 0"),
    "modalities unclear": ({"modality": {"0": "1", "1": "2", "2": "0"}}, "read in two ways"),
    "modalities of two kinds": ({"channel_names": {"0": "CT"}}, "differently: 'channel_names' CT;"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_can_be_read_in_two_ways_or_none_is_refused_in_a_line(name, tmp_path):
    change, message = UNCLEAR[name]
    folder = write_files(tmp_path / "source", ".nii.gz")
    write_list(folder, **{"labels": LABELS, "modality": {"0": "MR"}, **listing(), **change})
    done = convert(folder, tmp_path / "raw")
    assert done.exit_code == 2
    assert message in done.stderr and "dataset.json" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "raw").exists()


def test_names_that_are_given_are_taken_where_the_list_is_unclear(tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz")
    write_list(folder, labels={"0": "0", "1": "2", "2": "3"}, modality={"0": "MR"}, **listing())
    task = imported(folder, tmp_path / "raw", "-l", "front", "-l", "back")
    assert task["labels"] == {"0": "background", "1": "front", "2": "back"}


def test_a_background_of_another_name_is_said(tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz")
    write_list(folder, labels={"liver": 0, "a": 1, "b": 2}, modality={"0": "MR"}, **listing())
    done = convert(folder, tmp_path / "raw")
    assert done.exit_code == 0
    assert "label value 0 is taken for background, though it is named 'liver'" in done.output


def test_channels_of_nnunet_v1_are_those_of_their_numbers(tmp_path):
    folder = write_files(tmp_path / "source", modalities=3)
    modality = {"0": "FLAIR", "1": "T1", "2": "T2"}
    write_list(folder, labels=LABELS, modality=modality, tensorImageSize="4D", **listing())
    task = imported(folder, tmp_path / "raw")
    assert task["modality"] == modality and len(task["training"]) == 3
    for entry in (*task["training"], *task["test"]):
        for index, image in enumerate(entry["image"]):
            array = read_image(tmp_path / "raw" / NAME / image).array[0]
            np.testing.assert_array_equal(array, image_array(index))
    (folder / "imagesTr/hippocampus_001_0001.nii.gz").unlink()
    shutil.rmtree(tmp_path / "raw")
    imported(folder, tmp_path / "raw", status=1)
    failures = read(tmp_path / "raw" / NAME / "failures.json")["convert"]
    assert list(failures) == ["hippocampus_001"] and "_0001.nii.gz does not exist" in str(failures)
