"""The files that the dataset.json of other programs lists: found, mentioned, or refused."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from interactivenet.datasets.formats import find_source
from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_image, write_label_array, write_volume
from tests.datasets.listed_dataset import (
    LABELS,
    NAME,
    NAMES,
    convert,
    imported,
    listing,
    two_labels,
    write_files,
    write_list,
)
from tests.raw_task import GRID, image_array, read


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
