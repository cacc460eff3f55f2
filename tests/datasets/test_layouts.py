"""Layouts of well-known datasets: imported with the right pairs, or refused in one line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import read_image, read_label, write_label_array, write_volume
from tests.raw_task import GRID, image_array, label_array, read

NAME = "Task300_LAYOUT"

#: files of each, images and labels by their numbers; what is said
REFUSED = {
    "BIDS": (
        ["sub-01/anat/sub-01_T1w.nii.gz", "dataset_description.json",
         "derivatives/manual/sub-01/anat/sub-01_T1w_dseg.nii.gz"],
        "it looks like BIDS, which is not imported",
    ),
    "KiTS": (
        ["case_00000/imaging.nii.gz", "case_00000/segmentation.nii.gz", "kits.json"],
        "it has images in its folders, such as case_00000/imaging.nii.gz",
    ),
    "BraTS": (
        ["BraTS_1/BraTS_1_flair.nii.gz", "BraTS_1/BraTS_1_seg.nii.gz"],
        "it has images in its folders, such as BraTS_1/BraTS_1_flair.nii.gz",
    ),
    "TotalSegmentator": (
        ["s0000/ct.nii.gz", "s0000/segmentations/liver.nii.gz", "meta.csv"],
        "it has images in its folders, such as s0000/ct.nii.gz",
    ),
    "HECKTOR": (
        ["imagesTr/C-1__CT.nii.gz", "imagesTr/C-1__PT.nii.gz", "labelsTr/C-1.nii.gz"],
        "it has imagesTr and labelsTr, but no dataset.json",
    ),
    "HECKTOR as images and labels": (
        ["images/C-1__CT.nii.gz", "images/C-1__PT.nii.gz", "labels/C-1.nii.gz"],
        "no case of this plain dataset can be imported: C-1__CT has no label",
    ),
    "LiTS": (["volume-0.nii", "segmentation-0.nii"], "it has images and no folders, such as seg"),
    "a folder above": (["Task01/dataset.json"], "Task01 in it has a dataset.json, and may be"),
    "train and val": (["train/images/a.nii", "train/labels/a.nii"], "train in it has images and"),
    "images of train and val": (
        ["images/train/a.nii.gz", "images/val/b.nii.gz", "labels/train/a.nii.gz",
         "labels/val/b.nii.gz"],
        "train is a folder of images (a.nii.gz ...), expected an image or a DICOM series",
    ),
    "masks": (["images/a.nii.gz", "masks/a.nii.gz"], "2 folders (images, masks)"),
    "two readers": (
        ["images/a.nii.gz", "labels/a_1.nii.gz", "labels/a_2.nii.gz"], "a has no label",
    ),
    "numbered from 1": (
        ["images/a_0001.nii.gz", "images/a_0002.nii.gz", "labels/a.nii.gz"],
        "its images are numbered from _0001: expected _0000 for the first modality",
    ),
    "nothing": ([".hidden"], "it holds nothing"),
}  # fmt: skip


def convert(folder, tmp_path, *options):
    words = ["dataset", "convert", str(folder), "-t", NAME, "--raw", str(tmp_path / "raw")]
    return CliRunner().invoke(main, [*words, *options])


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_is_not_supported_is_refused_in_one_line(name, tmp_path):
    files, message = REFUSED[name]
    for file in files:
        path = tmp_path / "source" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
    done = convert(tmp_path / "source", tmp_path, "-m", "CT", "-l", "tumour")
    assert done.exit_code == 2, done.output
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    if "no dataset found" in done.stderr:
        assert "expected dataset.json (Decathlon, nnU-Net)" in done.stderr
        assert "or the folders images and labels" in done.stderr
    assert not (tmp_path / "raw").exists()


def write_numbered(folder, images, labels):
    """Images and labels that differ, so that pairs and channels can be told apart."""
    for number, file in enumerate(images):
        write_volume(folder / file, image_array(number), GRID)
    for number, file in enumerate(labels):
        label = label_array()
        label[5:6, 5:6, 4 : 5 + number] = 0
        write_label_array(folder / file, label, GRID)


def check_pairs(folder, task, pairs):
    """pairs: case -> its images and its label in the source."""
    content = read(task / "dataset.json")
    entries = {entry["case"]: entry for entry in (*content["training"], *content["test"])}
    assert set(entries) == set(pairs)
    for case, (images, label) in pairs.items():
        assert len(entries[case]["image"]) == len(images)
        for mine, original in zip(entries[case]["image"], images, strict=True):
            np.testing.assert_array_equal(
                read_image(task / mine).array, read_image(folder / original).array
            )
        np.testing.assert_array_equal(
            read_label(task / entries[case]["label"]).array, read_label(folder / label).array
        )


IMPORTED = {
    "FLARE": {
        f"FLARE_{n}": ([f"images/FLARE_{n}_0000.nii.gz"], f"labels/FLARE_{n}.nii.gz")
        for n in ("0001", "0002")
    },
    "names that end in four digits": {
        f"vol_{n}": ([f"images/vol_{n}.nii.gz"], f"labels/vol_{n}.nii.gz")
        for n in ("0000", "0001", "0002")
    },
    "two channels": {
        n: ([f"images/{n}_000{i}.mha" for i in range(2)], f"labels/{n}.nrrd") for n in "abc"
    },
    "AMOS": {
        f"amos_{n}": ([f"images{s}/amos_{n}.nii.gz"], f"labels{s}/amos_{n}.nii.gz")
        for n, s in (("0001", "Tr"), ("0004", "Tr"), ("0008", "Va"))
    },
    "BTCV": {
        f"img{n}": ([f"imagesTr/img{n}.nii.gz"], f"labelsTr/label{n}.nii.gz") for n in ("1", "2")
    },
}


@pytest.mark.parametrize("name", IMPORTED)
def test_images_channels_and_labels_are_those_that_belong_together(name, tmp_path):
    pairs, folder = IMPORTED[name], tmp_path / "source"
    images = [image for files, _ in pairs.values() for image in files]
    write_numbered(folder, images, [label for _, label in pairs.values()])
    options = ["-l", "tumour"]
    if name in ("AMOS", "BTCV"):
        entries = [{"image": f"./{files[0]}", "label": f"./{label}"}
                   for files, label in pairs.values()]  # fmt: skip
        listed = {"training": [e for e in entries if "Tr/" in e["image"]],
                  "validation": [e for e in entries if "Va/" in e["image"]]}  # fmt: skip
        content = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "x"}, **listed}
        (folder / "dataset.json").write_text(json.dumps(content))
    else:
        options += ["-m", "CT"] + (["-m", "PT"] if name == "two channels" else [])
    done = convert(folder, tmp_path, *options)
    assert done.exit_code == 0, done.output
    check_pairs(folder, tmp_path / "raw" / NAME, pairs)
