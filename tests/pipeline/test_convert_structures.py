"""Outlines of every kind as the labels of a task, and real ones."""

import json
import shutil

import numpy as np
import pytest

from interactivenet.imaging.grid_resampling import resample_nearest
from interactivenet.imaging.io import read_image, read_label, write_volume
from tests.datasets.dicom_tree.written_trees import (
    BOX,
    FRAME,
    SPACING,
    box_contours,
    box_mask,
    uid_of,
    voxels,
    write_rtstruct,
)
from tests.imaging.structures.reading.written_structures import GRIDS, write_seg
from tests.imaging.written_dicom import place, values_of, write_frames, write_slice
from tests.pipeline.tree_task import MR_BOX, NAME, WORDS, convert, left_out, make_tree, record


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


def test_plain_folders_with_structure_sets(tree, tmp_path):
    source = tmp_path / "plain"
    for number in (1, 2):
        shutil.copytree(tree / f"patient{number}" / f"SE{number}", source / "images" / f"c{number}")
    (source / "labels" / "c1").mkdir(parents=True)
    shutil.copy(tree / "patient1" / "RS", source / "labels" / "c1" / "outlines")
    shutil.copy(tree / "patient2" / "RS", source / "labels" / "c2.dcm")
    done = convert(source, tmp_path / "raw", "-m", "scan", "--roi", "GTV*=tumour")
    assert done.exit_code == 0, done.output
    for number, shape, box in ((1, (6, 10, 12), BOX), (2, (6, 7, 7), MR_BOX)):
        label = read_label(tmp_path / "raw" / NAME / "labelsTr" / f"c{number}.nii.gz")
        scan = read_image(source / "images" / f"c{number}")
        np.testing.assert_array_equal(label.array[0], scan.source.to_ras(box_mask(shape, box)))
    said = record(tmp_path / "raw")["cases"]["c1"]
    assert said["structure_set"]["rois"] == {"GTV 1": "tumour"}
    assert any("Lung" in note for note in said["notes"])


def test_segments_of_any_name_are_merged(tmp_path):
    """Nobody names them: all of them become one label."""
    source, image = tmp_path / "plain", GRIDS["oblique"]
    one, other = np.zeros((2, *image.shape), bool)
    one[2:5, 2:5, 2:4] = other[6:8, 6:8, 1:3] = True
    (source / "images").mkdir(parents=True)
    write_volume(source / "images" / "a.nii.gz", np.zeros(image.shape, np.uint8), image)
    write_seg(source / "labels" / "a.dcm", {"x": one, "y": other}, image)
    done = convert(source, tmp_path / "raw", "-m", "scan", "--merge-labels", "thing")
    assert done.exit_code == 0, done.output
    label = read_label(tmp_path / "raw" / NAME / "labelsTr" / "a.nii.gz")
    np.testing.assert_array_equal(label.stored[0], one | other)
    said = record(tmp_path / "raw")["cases"]["a"]
    assert said["structure_set"]["rois"] == {"x": "1", "y": "1"}


@pytest.mark.parametrize(("grid", "mask"), [("CT", "CT"), ("MR", "MR_T1"), ("PET", "PET")])
def test_a_real_patient(shared_data, tmp_path, grid, mask):
    """Labels are the voxel masks that the outlines were published with, whichever grid counts."""
    folder = shared_data("dicom/sarcoma_STS_008")
    words = ["-m", "CT", "-m", "MR=*T1*", "-m", "PET", "--roi", "GTV_Mass*=tumour"]
    done = convert(folder, tmp_path, *words, "--resample-to", grid)
    assert done.exit_code == 0, done.output
    label = read_label(tmp_path / NAME / "labelsTr" / "STS_008.nii.gz")
    expected = read_label(folder / "nifti_mask" / f"{mask}_mask.nii.gz")
    assert label.source.is_same_lattice(expected.source)
    np.testing.assert_array_equal(label.array, expected.array)
    assert record(tmp_path)["cases"]["STS_008"]["structure_set"]["drawn_on"] == grid
    images = sorted((tmp_path / NAME / "imagesTr").iterdir())
    assert [path.is_dir() for path in images] == [name == grid for name in ("CT", "MR", "PET")]


def test_a_real_patient_outlined_on_another_modality(shared_data, tmp_path):
    folder = shared_data("dicom/sarcoma_STS_008")
    words = ["-m", "CT", "-m", "MR=*T1*", "--structures", "*MR_T1*", "--resample-to", "CT"]
    done = convert(folder, tmp_path, *words, "--roi", "GTV*=tumour")
    assert done.exit_code == 0, done.output
    assert "drawn_on" in json.dumps(record(tmp_path))
    label = read_label(tmp_path / NAME / "labelsTr" / "STS_008.nii.gz")
    mr, ct = (read_label(folder / "nifti_mask" / f"{name}_mask.nii.gz") for name in ("MR_T1", "CT"))
    np.testing.assert_array_equal(
        label.stored[0], resample_nearest(mr.stored[0], mr.source, ct.source)
    )
    volumes = [np.count_nonzero(each.array) * np.prod(each.spacing) for each in (label, mr)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.02)


def test_echoes_and_frames(tmp_path):
    """A part of a series, in files of its own or not; a series that is one file."""
    tree, words = tmp_path / "tree", ("--roi", "GTV=tumour")
    for number, echo in enumerate(("4.6", "9.2")):
        for slice_, pixels in enumerate(voxels(number)):
            write_slice(
                tree / "echoes" / f"{number}_{slice_}", pixels, slice_, Modality="MR",
                EchoTime=echo, SOPInstanceUID=f"{uid_of(1, 1)}.{number + 1}.{slice_}",
                spacing=SPACING, intercept=0, FrameOfReferenceUID=FRAME,
            )  # fmt: skip
    write_rtstruct(tree / "RS", {"GTV": box_contours()}, refers_to=[uid_of(1, 1)])
    done = convert(tree, tmp_path / "raw", "-m", "MR", *words)
    assert done.exit_code == 2 and "has 2 series that match MR" in done.output
    done = convert(tree, tmp_path / "raw", "-m", "MR=1:EchoTime=9.2", *words)
    assert done.exit_code == 0, done.output
    image = read_image(tmp_path / "raw" / NAME / "imagesTr" / "P1_0000")
    np.testing.assert_array_equal(values_of(image), voxels(1))
    shutil.rmtree(tree)
    traits = [{"MREchoSequence": {"EffectiveEchoTime": echo}} for echo in (4.6, 9.2)
              for _ in range(6)]  # fmt: skip
    both = np.concatenate([voxels(0), voxels(1)])
    write_frames(
        tree / "one" / "MR", both, modality="MR", traits=traits, spacing=SPACING,
        positions=[place(number) for number in (*range(6), *range(6))], scales=[(1, 0)] * 12,
        FrameOfReferenceUID=FRAME,
    )  # fmt: skip
    write_frames(tree / "two" / "MR", voxels(2), modality="MR", series=2, study=2, patient="P2",
                 spacing=SPACING, scales=[(1, 0)] * 6, FrameOfReferenceUID=FRAME)  # fmt: skip
    write_rtstruct(tree / "RS", {"GTV": box_contours()}, refers_to=[uid_of(1, 1)])
    write_rtstruct(tree / "RS2", {"GTV": box_contours()}, refers_to=[uid_of(2, 2)], study=2,
                   patient="P2")  # fmt: skip
    done = convert(tree, tmp_path / "raw2", "-m", "MR=1:EffectiveEchoTime=9.2", *words)
    assert "P2" in left_out(tmp_path / "raw2")
    assert "was written as NIfTI: results cannot go back to DICOM" in done.output
    image = read_image(tmp_path / "raw2" / NAME / "imagesTr" / "P1_0000.nii.gz")
    np.testing.assert_array_equal(values_of(image), voxels(1))
    done = convert(tree, tmp_path / "raw3", "-m", "MR=2", *words)
    folder = tmp_path / "raw3" / NAME
    assert [path.name for path in (folder / "imagesTr" / "P2_0000").iterdir()] == ["0001.dcm"]
    label = read_label(folder / "labelsTr" / "P2.nii.gz")
    np.testing.assert_array_equal(label.stored[0], box_mask())


def test_what_lies_beside_slices_is_said(tree, tmp_path):
    shutil.copy(tree / "patient1" / "SE1" / "002.dcm", tree / "patient1" / "SE1" / "copy.dcm")
    done = convert(tree, tmp_path, *WORDS)
    assert done.exit_code == 0
    assert "CT: 1 of its files are copies of others" in " ".join(done.output.split())
    assert len(list((tmp_path / NAME / "imagesTr" / "P1_0000").iterdir())) == 6


def test_a_real_segmentation(shared_data, tmp_path):
    folder = shared_data("dicom/dicom_seg")
    tree = tmp_path / "tree"
    shutil.copytree(folder / "ct", tree / "ct")
    shutil.copy(folder / "liver_seg.dcm", tree)
    done = convert(tree, tmp_path / "raw", "-m", "CT", "--roi", "Liver=liver")
    assert done.exit_code == 0, done.output
    label = read_label(tmp_path / "raw" / NAME / "labelsTr" / "99000.nii.gz")
    expected = read_label(folder / "liver_seg.nrrd", names={1: "Liver"})
    assert np.count_nonzero(label.array) == 107098
    assert label.grid.is_same_lattice(expected.grid)
    np.testing.assert_array_equal(label.array > 0, expected.array > 0)
