"""Small datasets as other programs have them, and importing them."""

import json

import nibabel as nib
import numpy as np
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import write_label_array, write_volume
from tests.raw_task import GRID, image_array, label_array

NAME = "Task104_IMPORT"


def convert(source, raw, *options):
    arguments = ["dataset", "convert", str(source), "-t", NAME, "--raw", str(raw), *options]
    return CliRunner().invoke(main, arguments)


def decathlon(folder, channels):
    """Two training cases and a test case; channels = 0 for 3D images."""
    for subset, name in (("Tr", "brain_01"), ("Tr", "brain_02"), ("Ts", "brain_03")):
        array = np.stack([image_array(i) for i in range(max(channels, 1))], -1)
        path = folder / f"images{subset}" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array if channels else array[..., 0], GRID.affine), path)
        if subset == "Tr":
            write_label_array(folder / "labelsTr" / path.name, label_array(), GRID)
        (path.parent / f"._{path.name}").write_bytes(b"macOS")
    names = ["FLAIR", "T1w", "T2w"][: max(channels, 1)]
    content = {
        "name": "BRATS",
        "tensorImageSize": "4D",
        "modality": {str(i): name for i, name in enumerate(names)},
        "labels": {"0": "background", "1": "edema", "2": "enhancing"},
        "training": [
            {"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"}
            for n in ("brain_01", "brain_02")
        ],
        "test": ["./imagesTs/brain_03.nii.gz"],
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def nnunet(folder, labels=None):
    for subset, name in (("Tr", "case_1"), ("Tr", "case_2"), ("Ts", "case_3")):
        for index in range(2):
            path = folder / f"images{subset}" / f"{name}_{index:04d}.mha"
            write_volume(path, image_array(index), GRID)
        if subset == "Tr":
            write_label_array(folder / "labelsTr" / f"{name}.mha", label_array(), GRID)
    content = {
        "channel_names": {"0": "T1", "1": "CT"},
        "labels": labels or {"background": 0, "tumour": 1},
        "numTraining": 2,
        "file_ending": ".mha",
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def snapshot(folder):
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def plain(folder, count):
    for number in range(count):
        write_volume(folder / "images" / f"c{number}.nii.gz", image_array(0), GRID)
        write_label_array(folder / "labels" / f"c{number}.nii.gz", label_array(), GRID)
    return folder
