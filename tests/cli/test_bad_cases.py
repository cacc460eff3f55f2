"""What ``interactivenet dataset`` says of bad cases: each is named, and costs only itself."""

import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest

from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from tests.cli.dataset_command import NAME, dataset
from tests.raw_task import (
    GRID,
    POINTS,
    SHAPE,
    image_array,
    label_array,
    read,
    write_case,
    write_points,
)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def shifted(task):
    write_label_array(task / LABEL, label_array(), Geometry(SHAPE, _moved(GRID.affine)))


def _moved(affine):
    moved = affine.copy()
    moved[0, 3] += 0.5
    return moved


def _wider(affine):
    return affine @ np.diag([1, 1, 1.1, 1])


def set_voxel(task, value):
    array = image_array().astype(np.float32)
    array[3, 3, 3] = value
    write_volume(task / "imagesTr/bad_0000.nii.gz", array, GRID)


def set_pixdim(task, value):
    path = task / "imagesTr/bad_0000.nii.gz"
    image = nib.load(path)
    data = bytearray(image.to_bytes())
    data[84:88] = np.float32(value).tobytes()  # pixdim[2]
    path.write_bytes(gzip.compress(bytes(data)))


def save(path, array, affine=GRID.affine):
    nib.save(nib.Nifti1Image(array, affine), path)


def shear(task):
    affine = GRID.affine.copy()
    affine[0, 1] = 0.4
    save(task / "imagesTr/bad_0000.nii.gz", image_array(), affine)


IMAGE = "imagesTr/bad_0000.nii.gz"
LABEL = "labelsTr/bad.nii.gz"
PROMPT = "interactionsTr/bad.nii.gz"
BAD = {
    "a truncated image": (
        lambda t: truncate(t / IMAGE),
        f"{IMAGE}: is a damaged or truncated gzip",
    ),
    "no image file": (
        lambda t: (t / IMAGE).write_text("hello" * 100),
        f"{IMAGE}: is not a NIfTI file",
    ),
    "2D": (
        lambda t: save(t / IMAGE, image_array()[:, :, 0]),
        "has 2 axes 20x18, expected 3",
    ),
    "4D": (
        lambda t: save(t / IMAGE, np.stack([image_array()] * 2, -1)),
        "has 4 axes 20x18x16x2, expected 3 (one file per modality)",
    ),
    "NaN": (lambda t: set_voxel(t, np.nan), "has 1 voxels that are NaN or infinite"),
    "infinite": (lambda t: set_voxel(t, np.inf), "has 1 voxels that are NaN or infinite"),
    "zero spacing": (lambda t: set_pixdim(t, 0), "voxel spacing must be positive, got (0.9, 0, 2)"),
    "negative spacing": (lambda t: set_pixdim(t, -1), "positive, got (0.9, -1, 2) mm"),
    "sheared": (shear, "the affine is sheared"),
    "label moved": (shifted, f"{LABEL}: grid differs: it is shifted by (0.5, 0, 0) mm (RAS)"),
    "label of another shape": (
        lambda t: save(t / LABEL, np.ones((20, 18, 15), np.uint8), affine=_wider(GRID.affine)),
        f"{LABEL}: grid differs: shape 20x18x15 against 20x18x16, spacing 2.2 against 2 mm along z",
    ),
    "empty label": (
        lambda t: save(t / LABEL, np.zeros(SHAPE, np.uint8)),
        f"{LABEL}: is empty, expected voxels of 1=tumour",
    ),
    "unlisted label": (
        lambda t: write_label_array(t / LABEL, label_array(3), GRID),
        f"{LABEL}: holds label value 3, expected 1=tumour",
    ),
    "fractional label": (
        lambda t: save(t / LABEL, np.full(SHAPE, 0.5, np.float32)),
        f"{LABEL}: holds label values that are not whole numbers, such as 0.5",
    ),
    "negative label": (
        lambda t: save(t / LABEL, np.full(SHAPE, -1, np.int16)),
        f"{LABEL}: holds the negative label value -1",
    ),
    "no label": (lambda t: (t / LABEL).unlink(), "has no label in labelsTr"),
    "two images": (
        lambda t: write_volume(t / "imagesTr/bad_0000.mha", image_array(), GRID),
        "has 2 image files, expected one: bad_0000.mha, bad_0000.nii.gz",
    ),
    "two prompt files": (
        lambda t: write_points(t / "interactionsTr/bad.json", POINTS),
        "has 2 prompt files, expected one: bad.json, bad.nii.gz",
    ),
    "an extra modality": (
        lambda t: write_volume(t / "imagesTr/bad_0001.nii.gz", image_array(), GRID),
        "has an image of modality 0001, but 1 were named: MR",
    ),
    "in training and test": (
        lambda t: write_case(t, "bad", subset="Ts"),
        "is in both imagesTr and imagesTs",
    ),
    "few points": (
        lambda t: write_points(t / PROMPT, POINTS[:5]),
        "prompt of label 1: has 5 points, expected 6",
    ),
    "points in one plane": (
        lambda t: write_points(
            t / PROMPT, [*([x, y, 8] for x, y, _ in POINTS[:4]), [7, 7, 8], [8, 9, 8]]
        ),
        "prompt of label 1: all 6 points lie in one plane",
    ),
    "an unlisted prompt": (
        lambda t: write_points(t / PROMPT, POINTS, label=2),
        f"{PROMPT}: holds points of label 2, expected one of 1=tumour",
    ),
    "a prompt on another grid": (
        lambda t: write_points(t / PROMPT, POINTS, grid=Geometry(SHAPE, _moved(GRID.affine))),
        f"{PROMPT}: grid differs",
    ),
    "points outside the image": (
        lambda t: (
            (t / PROMPT).unlink(),
            write_points(t / "interactionsTr/bad.json", [[*p[:2], 99] for p in POINTS]),
        ),
        "mm outside the image",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_case_is_named_and_costs_only_itself(task, name):
    spoil, message = BAD[name]
    write_case(task, "bad", prompt=True)
    spoil(task)
    result = dataset(task)
    assert result.exit_code == 1, result.output
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("error")]
    assert "bad" in line and message in line
    assert message in read(task / "failures.json")["dataset"]["bad"]
    kept = [case["case"] for case in read(task / "dataset.json")["training"]]
    assert kept == ["good_1", "good_2"]


def test_failures_are_forgotten_when_mended(task):
    write_case(task, "bad")
    (task / LABEL).unlink()
    assert dataset(task).exit_code == 1
    write_case(task, "bad")
    assert dataset(task).exit_code == 0
    assert not (task / "failures.json").exists()


def test_a_missing_modality_and_differing_channels_are_refused(tmp_path):
    task = tmp_path / NAME
    write_case(task, "good", modalities=2)
    write_case(task, "lacks")
    write_case(task, "differs", modalities=2)
    moved = Geometry(SHAPE, _moved(GRID.affine))
    write_volume(task / "imagesTr/differs_0001.nii.gz", image_array(), moved)
    result = dataset(task, "-m", "MR", "-m", "CT")
    assert result.exit_code == 1
    failures = read(task / "failures.json")["dataset"]
    assert failures["lacks"] == "lacks the image of modality 0001 (CT)"
    assert failures["differs"].count("orientation LPS") == 2  # both geometries


def test_what_looks_wrong_but_can_be_used_is_a_warning(task):
    save(task / "labelsTr/good_1.nii.gz", label_array().astype(np.float32))
    write_points(task / "interactionsTr/good_1.nii.gz", [[0, 0, 0], *POINTS[1:]])
    write_volume(task / "imagesTr/good_2_0000.nii.gz", np.full(SHAPE, 7, np.int16), GRID)
    result = dataset(task, "-l", "tumour", "-l", "oedema")
    assert result.exit_code == 0, result.output
    for message in (
        "labels are stored as float32, read as whole numbers",
        "1 of 6 points lie outside the object",
        "every voxel is 7",
        "no case has label 2 (oedema)",
    ):
        assert message in result.output


def test_no_usable_case_writes_no_dataset_json(task):
    shutil.rmtree(task / "labelsTr")
    result = dataset(task)
    assert result.exit_code == 1
    assert "no training case can be used" in result.output
    assert not (task / "dataset.json").exists()


def test_a_label_map_in_place_of_points_is_refused(task):
    shutil.copy(task / "labelsTr/good_2.nii.gz", task / "interactionsTr/good_2.nii.gz")
    result = dataset(task)
    assert result.exit_code == 1
    assert "a label map given as points?" in result.output


def test_points_that_all_lie_outside_the_object_are_refused(task):
    moved = [[x - 5, y - 5, z - 4] for x, y, z in [[5, 5, 4], [0, 9, 9], [1, 16, 3], [17, 1, 9],
                                                   [17, 15, 5], [18, 2, 16]]]  # fmt: skip
    write_points(task / "interactionsTr/good_2.nii.gz", [[max(v, 0) for v in p] for p in moved])
    assert "points lie outside the object" in dataset(task).output


def test_an_unexpected_failure_costs_only_its_case(task, monkeypatch):
    from interactivenet.datasets import integrity

    real = integrity.read_image

    def broken(path, *options):
        if "good_1" in path.name:
            raise KeyError("surprise")
        return real(path, *options)

    monkeypatch.setattr(integrity, "read_image", broken)
    result = dataset(task)
    assert result.exit_code == 1
    assert "unexpected KeyError: 'surprise'" in result.output
    assert [case["case"] for case in read(task / "dataset.json")["training"]] == ["good_2"]
