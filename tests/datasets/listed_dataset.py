"""Datasets with a list of their files, as Decathlon and nnU-Net have, and importing them."""

import json

from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import write_label_array, write_volume
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
