"""Label maps as nibabel and 3D Slicer save them, in a task, an evaluation and as points."""

import json

import nibabel as nib
import nrrd
import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.case import read_scan
from interactivenet.datasets.task import Task
from interactivenet.evaluation.matching import Pair
from interactivenet.evaluation.measures import measure_pair
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label, write_label_array
from interactivenet.prompts.prompt import LabelNames
from tests.cli.dataset_command import dataset
from tests.raw_task import GRID, POINTS, SHAPE, label_array, write_case

LPS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture
def task(tmp_path):
    folder = tmp_path / "Task101_TEST"
    write_case(folder, "good", prompt=True)
    return folder


def slicer(path, label, grid, segments, offset=(0, 0, 0)):
    """Write a label map (X, Y, Z) as stored, as 3D Slicer does; segments: (name, value)."""
    header = {"space": "left-posterior-superior", "kinds": ["domain"] * 3,
              "space directions": (grid.affine[:3, :3] * LPS[:, None]).T,
              "space origin": grid.affine[:3, 3] * LPS, "encoding": "gzip",
              "Segmentation_ReferenceImageExtentOffset": " ".join(map(str, offset))}  # fmt: skip
    for number, (name, value) in enumerate(segments):
        header |= {f"Segment{number}_Name": name, f"Segment{number}_LabelValue": str(value),
                   f"Segment{number}_Layer": "0"}  # fmt: skip
    path.parent.mkdir(exist_ok=True, parents=True)
    nrrd.write(str(path), label, header)


def cut(label, margin=1):
    """Cut a label map on GRID (as stored) to its voxels and a margin; return it, grid, offset."""
    places = np.argwhere(label)
    start, stop = places.min(0) - margin, places.max(0) + 1 + margin
    affine = np.array(GRID.affine)
    affine[:3, 3] += affine[:3, :3] @ start
    part = label[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    return part, Geometry(part.shape, affine), start


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd"])
def test_a_task_takes_slicers_segmentation_cut_and_numbered_by_slicer(task, suffix):
    label = GRID.from_ras(label_array())
    part, grid, offset = cut(label)
    write_case(task, "slicer", label=False, prompt=True)
    slicer(task / f"labelsTr/slicer{suffix}", part * np.uint8(7), grid, [("Tumour", 7)], offset)
    result = dataset(task)
    assert result.exit_code == 0, result.output
    assert f"slicer{suffix}: covers another part of the image's lattice" in result.output
    content = json.loads((task / "dataset.json").read_text())
    assert content["training"][1]["label"] == f"./labelsTr/slicer{suffix}"
    good, mine = (
        read_scan(case, 1, LabelNames({1: "tumour"})) for case in Task.load(task).training
    )
    np.testing.assert_array_equal(mine.label.array, good.label.array)


def test_points_and_predictions_of_another_extent_are_taken(task):
    label = GRID.from_ras(label_array())
    points = np.zeros(SHAPE, np.uint8)
    points[tuple(np.array(POINTS).T)] = 1
    part, grid, _ = cut(GRID.from_ras(points))
    write_case(task, "slicer")
    (task / "interactionsTr").mkdir(exist_ok=True)
    write_label_array(task / "interactionsTr/slicer.nii.gz", grid.to_ras(part), grid)
    assert dataset(task).exit_code == 0
    good, mine = (
        read_scan(case, 1, LabelNames({1: "tumour"})) for case in Task.load(task).training
    )
    np.testing.assert_allclose(mine.prompts[0].points, good.prompts[0].points, atol=1e-4)
    part, grid, _ = cut(label)
    slicer(task / "cut.seg.nrrd", part, grid, [("tumour", 1)])
    whole = task / "labelsTr/good.nii.gz"
    for pair in (Pair("a", whole, task / "cut.seg.nrrd"), Pair("a", task / "cut.seg.nrrd", whole)):
        (row,) = measure_pair(pair)
        assert row["dice"] == 1 and row["volume_label_ml"] == pytest.approx(640 * 1.98e-3)


def test_simulated_points_of_a_cut_segmentation_are_those_of_the_whole(task):
    part, grid, offset = cut(GRID.from_ras(label_array()), margin=0)
    write_case(task, "good", subset="Ts", label=False)
    slicer(task / "labelsTr/good.seg.nrrd", part * np.uint8(3), grid, [("tumour", 3)], offset)
    whole = task / "labelsTr/good.nii.gz"
    found = []
    for unwanted in (task / "labelsTr/good.seg.nrrd", whole):
        kept = unwanted.read_bytes()
        unwanted.unlink()
        (task / "interactionsTr/good.nii.gz").unlink(missing_ok=True)
        (task / "imagesTs/good_0000.nii.gz").unlink(missing_ok=True)
        assert dataset(task).exit_code == 0
        words = ["simulate", "-t", task.name, "--raw", str(task.parent), "--overwrite"]
        assert CliRunner().invoke(main, words).exit_code == 0
        scan = read_scan(Task.load(task).training[0], 1, LabelNames({1: "tumour"}))
        found.append((scan.prompts[0].label, scan.prompts[0].points))
        unwanted.write_bytes(kept)
    assert found[0][0] == found[1][0] == 1
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-4)


def test_a_segment_of_no_label_costs_its_case(task):
    label = GRID.from_ras(label_array())
    write_case(task, "slicer", label=False)
    slicer(task / "labelsTr/slicer.seg.nrrd", label * np.uint8(2), GRID, [("liver", 2)])
    result = dataset(task)
    assert result.exit_code == 1
    assert "has a segment 'liver' (value 2), expected one of the labels 1=tumour" in result.output


def test_real_task_with_scaled_labels(tmp_path, shared_cases):
    folder = shared_cases("a08_labels_scaled_by_nibabel/Task503_SCALED")
    result = dataset(linked(folder, tmp_path), "-m", "CT", "-l", "a", "-l", "b")
    assert result.exit_code == 0, result.output
    assert result.output.count("labels are stored as float32, off by up to") == 2
    assert "2 training cases" in result.output


def test_real_task_of_slicer(tmp_path, shared_cases):
    task = linked(shared_cases("a09_slicer_segmentations/Task504_SLICER"), tmp_path)
    result = dataset(task, "-m", "CT")
    assert result.exit_code == 0, result.output
    assert "covers another part of the image's lattice, 17x15x7 voxels" in result.output
    cropped, whole = Task.load(task).training
    assert (cropped.label.name, whole.label.name) == ("cropped.nrrd", "whole.seg.nrrd")
    scan = read_scan(cropped, 1, LabelNames({1: "tumour"}))
    stored = nrrd.read(str(cropped.label))[0]
    assert np.count_nonzero(scan.label.array) == np.count_nonzero(stored)


def test_real_task_with_another_obliquity(tmp_path, shared_cases):
    task = linked(shared_cases("a10_label_without_the_scans_obliquity/Task510_OBLIQUE"), tmp_path)
    result = dataset(task, "-m", "CT")
    assert result.exit_code == 1
    assert (
        "grid differs: directions differ by 10 degrees; corners lie up to 9.49 mm" in result.output
    )


def test_real_segmentation_of_slicer_as_a_label(tmp_path, shared_cases):
    path = shared_cases("b10_slicer_segmentations/Segmentation.seg.nrrd")
    names = [nrrd.read_header(str(path))[f"Segment{number}_Name"] for number in range(7)]
    task = tmp_path / "Task101_TEST"
    (task / "labelsTr").mkdir(parents=True)
    (task / "labelsTr/case.seg.nrrd").symlink_to(path)
    source = read_label(path).source
    (task / "imagesTr").mkdir()
    image = nib.Nifti1Image(np.arange(np.prod(source.shape), dtype=np.int32).reshape(source.shape),
                            source.affine)  # fmt: skip
    nib.save(image, task / "imagesTr/case.nii.gz")
    result = dataset(task, *(word for name in reversed(names) for word in ("-l", name)))
    assert result.exit_code == 0, result.output
    scan = read_scan(Task.load(task).training[0], 1, Task.load(task).labels)
    stored = nrrd.read(str(path))[0]
    for value, name in enumerate(reversed(names), 1):
        mask = source.from_ras(scan.label.array[0] == value)
        np.testing.assert_array_equal(mask, stored == names.index(name) + 1)


def linked(folder, tmp_path):
    """Link the files of a read-only task into one that can be written."""
    task = tmp_path / folder.name
    for path in folder.rglob("*.*"):
        target = task / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    return task
