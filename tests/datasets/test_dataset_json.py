"""The dataset.json of other programs in the forms that people write it."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.formats import find_source
from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_image, write_label_array, write_volume
from tests.raw_task import GRID, image_array, label_array, read

NAME = "Task517_LIVER"
NAMES = ("hippocampus_001", "hippocampus_003", "hippocampus_004")
LABELS = {"0": "background", "1": "Anterior", "2": "Posterior"}


def convert(source, raw, *options):
    words = ["dataset", "convert", str(source), "-t", NAME, "--raw", str(raw), *options]
    return CliRunner().invoke(main, words)


def imported(source, raw, *options, status=0):
    """Import, and return the task's dataset.json."""
    done = convert(source, raw, *options)
    assert done.exit_code == status, done.output
    return read(raw / NAME / "dataset.json")


def two_labels():
    label = label_array()
    label[10:] *= 2
    return label


def write_files(
    folder, ending="_0000.nii.gz", names=NAMES, test=("hippocampus_006",), modalities=1
):
    for index in range(modalities):
        for name in (*names, *test):
            subset = "Ts" if name in test else "Tr"
            suffix = ending.replace("0000", f"{index:04d}")
            write_volume(folder / f"images{subset}" / f"{name}{suffix}", image_array(index), GRID)
    for name in names:
        write_label_array(folder / "labelsTr" / f"{name}.nii.gz", two_labels(), GRID)
    return folder


def write_list(folder, **content):
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def listing(names=NAMES, test=("hippocampus_006",), ending=".nii.gz"):
    """As Decathlon and nnU-Net v1 list files."""
    return {
        "training": [{"image": f"./imagesTr/{name}{ending}", "label": f"./labelsTr/{name}.nii.gz"}
                     for name in names],
        "test": [f"./imagesTs/{name}{ending}" for name in test],
    }  # fmt: skip


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


@pytest.mark.parametrize("labels_too", [False, True])
def test_a_list_may_name_the_files_with_their_number(labels_too, tmp_path):
    """As people write it beside nnU-Net v1; v2 does not look at the list."""
    folder = write_files(tmp_path / "source")
    listed = listing(ending="_0000.nii.gz")
    if labels_too:
        for entry in listed["training"]:
            path = folder / entry["label"]
            entry["label"] = entry["label"].replace(".nii", "_0000.nii")
            path.rename(folder / entry["label"])
    write_list(folder, labels=LABELS, modality={"0": "MR"}, **listed)
    task = imported(folder, tmp_path / "raw")
    ending = "_0000" if labels_too else ""
    assert [entry["case"] for entry in task["training"]] == [f"{name}{ending}" for name in NAMES]
    assert all("label" in entry for entry in task["training"])


def test_images_of_a_case_may_be_listed_one_by_one(tmp_path):
    folder = tmp_path / "source"
    entries = []
    for name in NAMES:
        for index, kind in enumerate(("ct", "pt")):
            write_volume(folder / name / f"{name}_{kind}.nii.gz", image_array(index), GRID)
        write_label_array(folder / name / "seg.nii.gz", two_labels(), GRID)
        images = [f"{name}/{name}_{kind}.nii.gz" for kind in ("pt", "ct")]
        entries.append({"image": images, "label": f"{name}/seg.nii.gz", "fold": 0})
    write_list(folder, labels=LABELS, modality={"0": "PT", "1": "CT"}, training=entries)
    task = imported(folder, tmp_path / "raw")
    first = [read_image(tmp_path / "raw" / NAME / path) for path in task["training"][0]["image"]]
    np.testing.assert_array_equal(first[0].array[0], image_array(1))
    np.testing.assert_array_equal(first[1].array[0], image_array(0))
    entries[0]["image"] = entries[0]["image"][:1]
    write_list(folder, labels=LABELS, modality={"0": "PT", "1": "CT"}, training=entries)
    done = convert(folder, tmp_path / "other")
    assert done.exit_code == 2 and "has 1 images for 2 modalities" in done.stderr


def test_cases_for_validation_and_images_that_are_not_listed_are_mentioned(tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz")
    listed = listing(names=NAMES[:2], test=())
    write_volume(folder / "imagesVa/v.nii.gz", image_array(), GRID)
    write_label_array(folder / "labelsVa/v.nii.gz", two_labels(), GRID)
    write_volume(folder / "imagesOther/x.nii.gz", image_array(), GRID)
    listed["validation"] = [{"image": "imagesVa/v.nii.gz", "label": "labelsVa/v.nii.gz"}]
    write_list(folder, labels=LABELS, modality={"0": "MR"}, **listed)
    done = convert(folder, tmp_path / "raw")
    assert done.exit_code == 0, done.output
    output = " ".join(done.output.split())
    assert "the cases for validation (1) become test cases" in output
    assert "an image of imagesTr, not imported: hippocampus_004.nii.gz" in output
    assert "an image of imagesTs, not imported: hippocampus_006.nii.gz" in output
    assert "nothing was taken from folder imagesOther" in output
    (entry,) = read(tmp_path / "raw" / NAME / "dataset.json")["test"]
    assert entry["case"] == "v" and entry["label"] == "./labelsTs/v.nii.gz"


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".nrrd"])
def test_files_of_another_ending_than_the_one_that_is_named_are_not_left_out_in_silence(
    ending, tmp_path
):
    folder = tmp_path / "source"
    for name in ("a", "b"):
        write_volume(folder / f"imagesTr/{name}_0000{ending}", image_array(), GRID)
        write_label_array(folder / f"labelsTr/{name}{ending}", two_labels(), GRID)
    other = ".mha" if ending != ".mha" else ".nii.gz"
    write_volume(folder / f"imagesTr/c_0000{other}", image_array(), GRID)
    write_label_array(folder / f"labelsTr/c{other}", two_labels(), GRID)
    (folder / "imagesTr/d.xyz").write_bytes(b"x")
    (folder / "imagesTr/README.md").write_bytes(b"x")
    write_list(folder, labels=LABELS, channel_names={"0": "CT"}, file_ending=ending)
    task = imported(folder, tmp_path / "raw", status=1)
    assert [entry["case"] for entry in task["training"]] == ["a", "b"]
    failures = read(tmp_path / "raw" / NAME / "failures.json")["convert"]
    assert set(failures) == {"c", "d"}
    assert f"does not end in {ending}" in failures["c"]
    assert "no readable format" in failures["d"]


def test_two_images_that_would_become_one_are_refused(tmp_path):
    """A name with and one without the number of the modality."""
    for name, keys in (("v2", {"channel_names": {"0": "CT"}, "file_ending": ".nii.gz"}), ("", {})):
        folder = tmp_path / (name or "plain")
        images, labels = ("imagesTr", "labelsTr") if keys else ("images", "labels")
        for stem in ("a", "a_0000", "b"):
            write_volume(folder / images / f"{stem}.nii.gz", image_array(), GRID)
        for stem in ("a", "b"):
            write_label_array(folder / labels / f"{stem}.nii.gz", two_labels(), GRID)
        if keys:
            write_list(folder, labels=LABELS, **keys)
        source = find_source(folder)
        assert [case.name for case in source.cases] == ["b"]
        assert source.left_out == {"a": "has 2 image files, expected one: a.nii.gz, a_0000.nii.gz"}


def test_dangling_links_and_misspelt_labels_of_a_source_are_named(tmp_path):
    folder = tmp_path / "source"
    for name in ("a_1", "b_1", "good"):
        write_volume(folder / f"images/{name}.nii.gz", image_array(), GRID)
        write_label_array(folder / f"labels/{name}.nii.gz", two_labels(), GRID)
    (folder / "labels/a_1.nii.gz").rename(folder / "labels/A1.nii.gz")
    (folder / "labels/b_1.nii.gz").unlink()
    (folder / "labels/b_1.nii.gz").symlink_to("gone.nii.gz")
    (folder / "images/c").symlink_to("gone")
    left_out = find_source(folder).left_out
    assert left_out["a_1"] == "has no label (nearest: labels/A1.nii.gz)"
    assert left_out["A1"] == "has a label but no image (nearest: images/a_1.nii.gz)"
    assert "b_1.nii.gz is a link to gone.nii.gz, which leads nowhere" in left_out["b_1"]
    assert left_out["c"] == "images/c is a link to gone, which leads nowhere"


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b", ".hidden", "", "a\nb", "x" * 250])
def test_a_case_whose_name_would_leave_the_task_is_left_out(name, tmp_path):
    folder = write_files(tmp_path / "source", test=())
    entry = {"images": ["imagesTr/hippocampus_001_0000.nii.gz"],
             "label": "labelsTr/hippocampus_001.nii.gz"}  # fmt: skip
    write_list(folder, labels=LABELS, channel_names={"0": "MR"}, file_ending=".nii.gz",
               dataset={name: entry, "good": entry})  # fmt: skip
    imported(folder, tmp_path / "raw", status=1)
    ((left_out, reason),) = read(tmp_path / "raw" / NAME / "failures.json")["convert"].items()
    assert left_out == name and reason.startswith("its name cannot be used: it ")
    assert {path.name for path in tmp_path.iterdir()} == {"source", "raw"}


ODD = [5, "x", {"a": 1}, [5], [[]], [None], [{}], [{"image": 5, "label": 5}], [{"image": {}}],
       ["a"], [{"image": [5], "label": "a"}], [{"image": "a", "label": ["a"]}]]  # fmt: skip


@pytest.mark.parametrize("entries", ODD)
@pytest.mark.parametrize("key", ["training", "test", "validation", "dataset"])
def test_a_list_of_anything_else_is_refused_in_a_line(key, entries, tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz", test=())
    named = {"channel_names": {"0": "MR"}, "file_ending": ".nii.gz"} if key == "dataset" else {}
    write_list(folder, labels=LABELS, **{"modality": {"0": "MR"}, **listing(test=()), **named,
                                         key: entries})  # fmt: skip
    done = convert(folder, tmp_path / "raw")
    assert done.exit_code in (1, 2), done.output  # 1: a file that is not there is a failed case
    assert "unexpected" not in done.output and "Traceback" not in done.output
    if done.exit_code == 2:
        assert len(done.stderr.strip().splitlines()) == 1 and str(folder) in done.stderr


@pytest.mark.parametrize("path", ["x" * 5000, "a\x00b", "x/y.nii.gz", "../../gone.nii.gz"])
def test_a_path_that_leads_nowhere_costs_its_case(path, tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz", test=())
    listed = listing(test=())
    for key in ("image", "label"):
        listed["training"].append({"image": "imagesTr/a.nii.gz", "label": "a", key: path})
    write_list(folder, labels=LABELS, modality={"0": "MR"}, **listed)
    done = convert(folder, tmp_path / "raw")
    assert done.exit_code == 1 and "unexpected" not in done.output, done.output
    training = read(tmp_path / "raw" / NAME / "dataset.json")["training"]
    assert [entry["case"] for entry in training] == list(NAMES)


@pytest.mark.parametrize("key", ["training", "dataset"])
def test_links_in_a_circle_cost_their_case(key, tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz", test=())
    (folder / "imagesTr/circle.nii.gz").symlink_to("circle.nii.gz")
    (folder / "circle").symlink_to("circle")
    names = (*NAMES, "circle")
    entries = {name: {"images": [f"imagesTr/{name}.nii.gz"],
                      "label": f"labelsTr/{name}.nii.gz"} for name in names}  # fmt: skip
    if key == "dataset":
        write_list(folder, labels=LABELS, channel_names={"0": "MR"}, file_ending=".nii.gz",
                   dataset=entries)  # fmt: skip
    else:
        write_list(folder, labels=LABELS, modality={"0": "MR"}, **listing(names=names, test=()))
    task = imported(folder, tmp_path / "raw", status=1)
    assert [entry["case"] for entry in task["training"]] == list(NAMES)
    assert list(read(tmp_path / "raw" / NAME / "failures.json")["convert"]) == ["circle"]


def test_a_case_that_is_listed_without_a_label_costs_itself(tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz", test=())
    listed = listing(test=())
    del listed["training"][1]["label"]
    write_list(folder, labels=LABELS, modality={"0": "MR"}, **listed)
    task = imported(folder, tmp_path / "raw", status=1)
    assert [entry["case"] for entry in task["training"]] == [NAMES[0], NAMES[2]]
    failures = read(tmp_path / "raw" / NAME / "failures.json")["convert"]
    assert failures == {NAMES[1]: "has no label"}


def test_a_task_of_this_program_is_not_imported_without_its_points(tmp_path):
    folder = write_files(tmp_path / "source", ".nii.gz")
    raw = tmp_path / "raw"
    imported(write_list(folder, labels=LABELS, modality={"0": "MR"}, **listing()), raw)
    with pytest.raises(RequestError, match="is a task of InteractiveNet already: copy it"):
        find_source(raw / NAME)


def test_a_dataset_of_nnunet_v1(shared_cases, tmp_path):
    source = shared_cases("a14_nnunet_v1/Task017_LIVER")
    task = imported(source, tmp_path / "raw")
    assert [entry["case"] for entry in task["training"]] == ["liver_0", "liver_1", "liver_2"]
    assert task["labels"] == {"0": "background", "1": "tumour"}
    assert task["modality"] == {"0": "CT"}
    for number in range(3):
        copy = nib.load(tmp_path / "raw" / NAME / f"imagesTr/liver_{number}_0000.nii.gz")
        original = nib.load(source / f"imagesTr/liver_{number}_0000.nii.gz")
        np.testing.assert_array_equal(copy.get_fdata(), original.get_fdata())


@pytest.mark.parametrize("ending", [".nii.gz", "_0000.nii.gz"])
@pytest.mark.parametrize(
    "name", ["d02_nnunet_v1", "d06_v2_labels_int_to_name", "d10_msd_labels_name_to_int"]
)
def test_lists_that_were_found_are_imported(name, ending, shared_cases, tmp_path):
    folder = write_files(tmp_path / "source", ending)
    shutil.copy(shared_cases(f"b09_dataset_json/{name}/dataset.json"), folder)
    task = imported(folder, tmp_path / "raw")
    assert task["labels"] == LABELS and task["modality"] == {"0": "MRI"}
    assert [entry["case"] for entry in task["training"]] == list(NAMES)
    assert [entry["case"] for entry in task["test"]] == ["hippocampus_006"]
