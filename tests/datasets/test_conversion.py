"""Datasets of other programs as raw tasks; the source stays as it is."""

import json
import os

import nibabel as nib
import numpy as np
import pytest

from interactivenet.imaging.io import read_image, read_label, write_label_array, write_volume
from tests.datasets.other_datasets import NAME, convert, decathlon, nnunet, snapshot
from tests.raw_task import GRID, SHAPE, image_array, label_array, read


def test_a_decathlon_task_of_4d_images_becomes_a_file_per_modality(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=3)
    before = snapshot(source)
    result = convert(source, tmp_path / "raw")
    assert result.exit_code == 0, result.output
    content = read(tmp_path / "raw" / NAME / "dataset.json")
    assert content["modality"] == {"0": "FLAIR", "1": "T1w", "2": "T2w"}
    assert content["labels"] == {"0": "background", "1": "edema", "2": "enhancing"}
    assert len(content["training"][0]["image"]) == 3 and content["numTest"] == 1
    whole = nib.load(source / "imagesTr/brain_01.nii.gz")
    for index, image in enumerate(content["training"][0]["image"]):
        part = nib.load(tmp_path / "raw" / NAME / image)
        np.testing.assert_array_equal(part.get_fdata(), whole.get_fdata()[..., index])
        np.testing.assert_array_equal(part.affine, whole.affine)
        assert part.get_data_dtype() == whole.get_data_dtype()
    assert snapshot(source) == before


def test_a_decathlon_task_of_3d_images_is_hard_linked(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=0)
    assert convert(source, tmp_path / "raw").exit_code == 0
    target = tmp_path / "raw" / NAME / "imagesTr/brain_01_0000.nii.gz"
    assert target.samefile(source / "imagesTr/brain_01.nii.gz")


def test_copies_are_made_on_request(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=0)
    assert convert(source, tmp_path / "raw", "--copy").exit_code == 0
    target = tmp_path / "raw" / NAME / "imagesTr/brain_01_0000.nii.gz"
    assert not target.samefile(source / "imagesTr/brain_01.nii.gz")
    assert target.read_bytes() == (source / "imagesTr/brain_01.nii.gz").read_bytes()


def test_copies_are_made_where_links_are_refused(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = decathlon(tmp_path / "Task01", channels=0)
    assert convert(source, tmp_path / "raw").exit_code == 0
    target = tmp_path / "raw" / NAME / "labelsTr/brain_01.nii.gz"
    assert target.read_bytes() == (source / "labelsTr/brain_01.nii.gz").read_bytes()


def test_an_nnunet_dataset_is_imported(tmp_path):
    source = nnunet(tmp_path / "Dataset001_X")
    before = snapshot(source)
    result = convert(source, tmp_path / "raw")
    assert result.exit_code == 0, result.output
    content = read(tmp_path / "raw" / NAME / "dataset.json")
    assert content["modality"] == {"0": "T1", "1": "CT"}
    assert [case["case"] for case in content["training"]] == ["case_1", "case_2"]
    assert content["test"][0]["image"][1] == "./imagesTs/case_3_0001.mha"
    assert snapshot(source) == before


def test_an_nnunet_dataset_may_list_its_files(tmp_path):
    source = nnunet(tmp_path / "Dataset001_X")
    content = read(source / "dataset.json")
    content["dataset"] = {
        "only": {
            "images": [f"imagesTr/case_2_{i:04d}.mha" for i in range(2)],
            "label": "labelsTr/case_2.mha",
        }
    }
    (source / "dataset.json").write_text(json.dumps(content))
    assert convert(source, tmp_path / "raw").exit_code == 0
    content = read(tmp_path / "raw" / NAME / "dataset.json")
    assert [case["case"] for case in content["training"]] == ["only"]


def test_regions_need_names_for_the_values(tmp_path):
    source = nnunet(tmp_path / "D", labels={"background": 0, "whole": [1, 2], "core": 2})
    result = convert(source, tmp_path / "raw")
    assert result.exit_code == 2
    assert "'whole' are regions of several values" in result.stderr
    assert convert(source, tmp_path / "raw", "-l", "1=edema", "-l", "2=core").exit_code == 0


def test_labels_can_be_merged_into_one(tmp_path):
    source = tmp_path / "plain"
    both = label_array()
    both[8:] *= 2
    write_volume(source / "images/a.nii.gz", image_array(), GRID)
    write_label_array(source / "labels/a.nii.gz", both, GRID)
    result = convert(source, tmp_path / "raw", "-m", "MR", "--merge-labels", "organ")
    assert result.exit_code == 0, result.output
    merged = read_label(tmp_path / "raw" / NAME / "labelsTr/a.nii.gz")
    np.testing.assert_array_equal(merged.array[0], both > 0)
    assert read_label(source / "labels/a.nii.gz").array.max() == 2
    image = read_image(tmp_path / "raw" / NAME / "imagesTr/a_0000.nii.gz")
    assert image.shape == SHAPE


def test_a_damaged_case_costs_only_itself(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=3)
    path = source / "imagesTr/brain_01.nii.gz"
    path.write_bytes(path.read_bytes()[:500])
    result = convert(source, tmp_path / "raw")
    assert result.exit_code == 1
    failures = read(tmp_path / "raw" / NAME / "failures.json")["convert"]
    assert list(failures) == ["brain_01"] and "damaged or truncated" in failures["brain_01"]
    training = read(tmp_path / "raw" / NAME / "dataset.json")["training"]
    assert [case["case"] for case in training] == ["brain_02"]


def broken(tmp_path, change):
    source = nnunet(tmp_path / "source")
    content = read(source / "dataset.json")
    change(source, content)
    (source / "dataset.json").write_text(json.dumps(content))
    return source


REFUSED = {
    "an ignore label": (lambda s, c: c["labels"].update(ignore=2), "'ignore' label"),
    "2D files": (lambda s, c: c.update(file_ending=".png"), "file ending '.png'"),
    "no channel names": (
        lambda s, c: c.pop("channel_names"),
        "lacks 'modality' and 'channel_names'",
    ),
    "no labels": (lambda s, c: c.pop("labels"), "lacks 'labels'"),
    "a value with two names": (
        lambda s, c: c.update(labels={"background": 0, "a": 1, "b": 1}),
        "label value 1 has two names",
    ),
    "a case without a label": (
        lambda s, c: c.update(dataset={"x": {"images": []}}),
        "is not an nnU-Net v2 dataset",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_source_that_is_not_understood_is_refused(tmp_path, name):
    change, message = REFUSED[name]
    result = convert(broken(tmp_path, change), tmp_path / "raw")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "raw").exists()


def test_a_folder_that_is_no_dataset_and_a_name_that_is_taken_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no dataset found" in convert(tmp_path / "empty", tmp_path / "raw").stderr
    source = decathlon(tmp_path / "Task01", channels=0)
    assert convert(source, tmp_path / "raw").exit_code == 0
    second = convert(nnunet(tmp_path / "other"), tmp_path / "raw")
    assert second.exit_code == 2 and "exists, imported from other files" in second.stderr


def test_cases_with_files_missing_are_named_and_cost_only_themselves(tmp_path):
    source = nnunet(tmp_path / "D")
    (source / "imagesTr/case_1_0001.mha").unlink()
    (source / "labelsTr/orphan.mha").write_bytes((source / "labelsTr/case_1.mha").read_bytes())
    write_volume(source / "imagesTr/unlabelled_0000.mha", image_array(), GRID)
    result = convert(source, tmp_path / "raw")
    assert result.exit_code == 1
    failures = read(tmp_path / "raw" / NAME / "failures.json")
    assert failures["dataset"] == {"case_1": "lacks the image of modality 0001 (CT)"}
    assert failures["convert"] == {
        "orphan": "has a label but no image",
        "unlabelled": "has no label",
    }
    training = read(tmp_path / "raw" / NAME / "dataset.json")["training"]
    assert [case["case"] for case in training] == ["case_2"]


def test_the_numbers_of_a_plain_folder_say_the_modality(tmp_path):
    source = tmp_path / "plain"
    for name, indices in (("a", (0, 1)), ("b", (0, 2))):
        for index in indices:
            write_volume(source / f"images/{name}_{index:04d}.nii.gz", image_array(index), GRID)
        write_label_array(source / f"labels/{name}.nii.gz", label_array(), GRID)
    three = ("-m", "A", "-m", "B", "-m", "C", "-l", "tumour")
    assert convert(source, tmp_path / "raw", *three[:4], "-l", "tumour").exit_code == 2
    assert convert(source, tmp_path / "raw", *three).exit_code == 1
    failures = read(tmp_path / "raw" / NAME / "failures.json")["dataset"]
    assert failures["a"] == "lacks the image of modality 0002 (C)"
    assert failures["b"] == "lacks the image of modality 0001 (B)"


def test_voxels_in_a_file_of_their_own_are_not_lost(tmp_path):
    import SimpleITK as sitk

    source = tmp_path / "plain"
    write_volume(source / "images/a.mha", image_array(), GRID)
    sitk.WriteImage(sitk.ReadImage(str(source / "images/a.mha")), str(source / "images/a.mhd"))
    (source / "images/a.mha").unlink()
    write_label_array(source / "labels/a.nii.gz", label_array(), GRID)
    assert convert(source, tmp_path / "raw", "-m", "MR", "-l", "tumour").exit_code == 0
    image = read_image(tmp_path / "raw" / NAME / "imagesTr/a_0000.mha")
    np.testing.assert_array_equal(image.array[0], image_array())
    np.testing.assert_allclose(image.source.affine, GRID.affine, atol=1e-12)


def test_cases_that_share_a_name_never_become_one(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=0)
    content = read(source / "dataset.json")
    for patient in ("p1", "p2"):
        write_volume(source / patient / "image.nii.gz", image_array(), GRID)
        write_label_array(source / patient / "label.nii.gz", label_array(), GRID)
        entry = {"image": f"{patient}/image.nii.gz", "label": f"{patient}/label.nii.gz"}
        content["training"].append(entry)
    (source / "dataset.json").write_text(json.dumps(content))
    assert convert(source, tmp_path / "raw").exit_code == 1
    failures = read(tmp_path / "raw" / NAME / "failures.json")["convert"]
    assert failures == {"image": "2 cases have this name"}


def test_a_case_that_is_left_out_takes_no_other_with_it(tmp_path):
    source = tmp_path / "plain"
    for name in ("scan", "scan_2019"):
        write_volume(source / f"images/{name}.nii.gz", image_array(), GRID)
        write_label_array(source / f"labels/{name}.nii.gz", label_array(), GRID)
    write_volume(source / "images/scan.mha", image_array(), GRID)
    (source / "images/scan.nii.gz").unlink()
    (source / "images/scan.mha").rename(source / "images/scan.mhd")  # its voxels are not beside it
    path = source / "images/scan.mhd"
    path.write_bytes(path.read_bytes().replace(b"= LOCAL", b"= gone.raw"))
    assert convert(source, tmp_path / "raw", "-m", "MR", "-l", "tumour").exit_code == 1
    assert list(read(tmp_path / "raw" / NAME / "failures.json")["convert"]) == ["scan"]
    training = read(tmp_path / "raw" / NAME / "dataset.json")["training"]
    assert [case["case"] for case in training] == ["scan_2019"]
