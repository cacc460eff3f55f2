"""DICOM SEG files as label maps."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import RLELossless

from interactivenet.errors import DataError
from interactivenet.imaging.channels import read_grid
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import ReadOptions, read_label
from interactivenet.imaging.structures.reading.structure_files import Roi, read_structure_header
from tests.imaging.structures.reading.written_structures import GRIDS, SHAPE, blobs, grid, write_seg

AXIAL = GRIDS["axial"]
IMAGE = Path("the image")
NAMES = {1: "liver", 2: "tumour"}


def two(seed=0):
    """Two segments that share no voxel."""
    first, second = blobs(seed), blobs(seed + 100)
    return {"Liver": first & ~second, "tumour": second}


def label_of(masks):
    label = np.zeros(next(iter(masks.values())).shape, np.uint8)
    for value, mask in enumerate(masks.values(), 1):
        label[mask] = value
    return label


def on(where, path, *rois, names=NAMES):
    return read_label(path, ReadOptions(rois=rois), names=names, image=(IMAGE, where))


def shuffled(count):
    return np.random.default_rng(1).permutation(count)


@pytest.mark.parametrize("where", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP", "FRACTIONAL"])
def test_voxels_are_where_they_were(tmp_path, where, kind):
    masks = two()
    values = {name: mask * 255 for name, mask in masks.items()} if kind == "FRACTIONAL" else None
    path = write_seg(tmp_path / "a.dcm", masks, where, kind=kind, order=shuffled, values=values)
    label = on(where, path)
    assert label.source is where
    assert np.array_equal(label.stored[0], label_of(masks))
    assert [note for note in label.notes if "fractional" not in note] == []
    alone = read_label(path)
    assert alone.source.is_same_lattice(where)
    assert np.array_equal(alone.array, label.array)
    assert alone.notes[0] == "its segments are read by their numbers: 1='Liver', 2='tumour'"


def test_values_of_a_label_map_that_it_does_not_list_are_named(tmp_path):
    masks, where = two(), next(iter(GRIDS.values()))
    path = write_seg(tmp_path / "a.dcm", masks, where, kind="LABELMAP")
    dataset = pydicom.dcmread(path)
    del dataset.SegmentSequence[1]
    dataset.save_as(path)
    label = on(where, path)
    assert "left out voxels of segments that it does not list: 2" in label.notes
    assert np.array_equal(label.stored[0] > 0, masks["Liver"] & ~masks["tumour"])


@given(st.integers(0, 2**30), st.tuples(*[st.integers(1, 9)] * 2, st.integers(2, 5)))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_size_whose_frames_end_within_a_byte(tmp_path, seed, shape):
    where = grid(shape=shape)
    masks = {"tumour": blobs(seed, shape)}
    path = write_seg(tmp_path / f"{seed}.dcm", masks, where)
    assert np.array_equal(on(where, path).stored[0] == 2, masks["tumour"])


def flipped(where, axis):
    """The same lattice, stored the other way round along an axis."""
    affine = np.array(where.affine)
    affine[:3, 3] += affine[:3, axis] * (where.shape[axis] - 1)
    affine[:3, axis] *= -1
    return Geometry(where.shape, affine)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_image_whose_axes_run_the_other_way(tmp_path, axis):
    where = GRIDS["oblique"]
    masks = two()
    path = write_seg(tmp_path / "a.dcm", masks, where)
    label = on(flipped(where, axis), path)
    assert np.array_equal(label.stored[0], np.flip(label_of(masks), axis))


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0)])
def test_frames_in_other_planes_than_the_slices(tmp_path, order):
    where = GRIDS["oblique"]
    turned = Geometry(tuple(where.shape[axis] for axis in order), where.affine[:, [*order, 3]])
    masks = two()
    path = write_seg(
        tmp_path / "a.dcm", {name: mask.transpose(order) for name, mask in masks.items()}, turned
    )
    assert np.array_equal(on(where, path).stored[0], label_of(masks))


@pytest.mark.parametrize("spacing", [True, False])
def test_empty_frames_that_were_left_out_are_background(tmp_path, spacing):
    mask = np.zeros(SHAPE, bool)
    mask[2:5, 2:5, [1, 2, 4]] = True
    path = write_seg(tmp_path / "a.dcm", {"tumour": mask}, AXIAL, omit_empty=True, spacing=spacing)
    label = on(AXIAL, path)
    assert np.array_equal(label.stored[0] == 2, mask)
    assert label.notes == ("it has no ROI of the labels liver",)
    alone = read_label(path)
    assert alone.shape == (*SHAPE[:2], 4)
    assert np.array_equal(alone.stored[0] == 1, mask[:, :, 1:5])
    assert alone.source.is_same_lattice(Geometry(alone.source.shape, shifted(AXIAL, 0, 0, 1)))


def shifted(where, *voxels):
    """The affine of a grid that begins so many voxels later."""
    affine = np.array(where.affine)
    affine[:3, 3] = where.voxel_to_world([voxels])[0]
    return affine


def test_every_second_frame_lies_on_the_slices_of_the_image(tmp_path):
    mask = np.zeros(SHAPE, bool)
    mask[2:5, 2:5, [0, 2, 4]] = True
    path = write_seg(tmp_path / "a.dcm", {"tumour": mask}, AXIAL, omit_empty=True, spacing=False)
    assert np.array_equal(on(AXIAL, path).stored[0] == 2, mask)


def test_a_single_frame(tmp_path):
    mask = np.zeros(SHAPE, bool)
    mask[2:5, 2:5, 3] = True
    path = write_seg(tmp_path / "a.dcm", {"tumour": mask}, AXIAL, omit_empty=True)
    assert np.array_equal(on(AXIAL, path).stored[0] == 2, mask)
    assert read_label(path).spacing[2] == pytest.approx(2.5)


def test_a_part_of_the_image_and_what_lies_outside_of_it(tmp_path):
    masks = {"tumour": blobs()}
    path = write_seg(tmp_path / "a.dcm", masks, AXIAL)
    larger = Geometry((SHAPE[0] + 5, SHAPE[1] + 3, SHAPE[2] + 2), shifted(AXIAL, -2, -1, -1))
    found = on(larger, path).stored[0]
    assert np.array_equal(found[2:-3, 1:-2, 1:-1] == 2, masks["tumour"])
    assert np.count_nonzero(found) == masks["tumour"].sum()
    smaller = Geometry((SHAPE[0] - 2, SHAPE[1], SHAPE[2]), shifted(AXIAL, 1, 0, 0))
    lost = masks["tumour"][[0, -1]].sum()
    with pytest.raises(DataError, match=f"has {lost} voxels of segments outside of the image"):
        on(smaller, path)
    masks["tumour"][[0, -1]] = False
    path = write_seg(tmp_path / "b.dcm", masks, AXIAL)
    assert np.array_equal(on(smaller, path).stored[0] == 2, masks["tumour"][1:-1])


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (grid(first=(-11.3, 7, 3)), "it is shifted by"),
        (grid(first=(-11, 7, 4)), "it is shifted by"),
        (grid(spacing=(0.8, 0.7, 2.6)), "spacing 2.5 against 2.6 mm"),
        (grid(spacing=(0.81, 0.7, 2.5)), "spacing 0.8 against 0.81 mm"),
        (GRIDS["oblique"], "directions differ by"),
    ],
)
def test_another_lattice_is_refused_and_the_difference_said(tmp_path, where, why):
    path = write_seg(tmp_path / "a.dcm", two(), AXIAL)
    with pytest.raises(DataError, match=why):
        on(where, path)


def test_a_little_off_is_said(tmp_path):
    path = write_seg(tmp_path / "a.dcm", {"tumour": blobs()}, AXIAL)
    label = on(grid(first=(-11.05, 7, 3)), path)
    assert label.notes[-1] == "its frames lie up to 0.05 mm from the voxels of the image"
    assert np.array_equal(label.stored[0] == 2, blobs())


def test_fractions_from_one_half(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
    path = write_seg(
        tmp_path / "a.dcm", {"tumour": values > 0}, AXIAL, kind="FRACTIONAL",
        values={"tumour": values},
    )  # fmt: skip
    label = on(AXIAL, path, names={1: "tumour"})
    assert np.array_equal(label.stored[0] == 1, values >= 127.5)
    assert label.notes == ("it is fractional (probability): voxels of 0.5 and more are inside",)
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    assert np.array_equal(on(AXIAL, path, names={1: "tumour"}).array, label.array)


def test_segments_that_overlap(tmp_path):
    first, second = blobs(1), blobs(2)
    path = write_seg(tmp_path / "a.dcm", {"Liver": first, "tumour": second}, AXIAL)
    both = np.count_nonzero(first & second)
    label = on(AXIAL, path)
    assert np.array_equal(label.stored[0], np.where(second, 2, first))
    assert label.notes == (
        f"{both} voxels of label 1=liver are in label 2=tumour, too: they are read as the latter",
    )
    label = on(AXIAL, path, "tumour=tumour", "Liv*=liver")
    assert np.array_equal(label.stored[0], np.where(first, 1, second * 2))


def test_patterns_and_what_is_left_out(tmp_path):
    path = write_seg(tmp_path / "a.dcm", {"a": blobs(1), "b": blobs(2), "c": blobs(3)}, AXIAL)
    label = on(AXIAL, path, "a=tumour", "B=tumour")
    assert np.array_equal(label.stored[0] == 2, blobs(1) | blobs(2))
    assert label.notes == ("left out its ROIs of no label: 'c'",)


def test_the_header(tmp_path):
    path = write_seg(tmp_path / "a.dcm", two(), AXIAL, ContentLabel="SEGS", ContentDate="20200304")
    file = read_structure_header(path)
    assert (file.kind, file.label, file.date) == ("SEG", "SEGS", "20200304")
    assert file.rois == (Roi(1, "Liver", 6), Roi(2, "tumour", 6))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: setattr(data, "SegmentationType", "OTHER"), "a segmentation of type 'OTHER'"),
        (lambda data: setattr(data, "NumberOfFrames", 11), "describes 12 of its 11 frames"),
        (lambda data: setattr(data, "PixelData", data.PixelData[:100]), "frames that cannot be"),
        (lambda data: delattr(data, "PixelData"), "frames that cannot be read"),
        (lambda data: position(data, 1, [5, 5, 5.1]), "frames that are not evenly spaced"),
        (lambda data: position(data, 1, place_of(data, 0)), "2 frames of one place, of segment 1"),
        (lambda data: delattr(data.PerFrameFunctionalGroupsSequence[3],
                              "SegmentIdentificationSequence"), "of which segment its frame 4 is"),
        (lambda data: delattr(data.PerFrameFunctionalGroupsSequence[3], "PlanePositionSequence"),
         "has no ImagePositionPatient"),
        (lambda data: delattr(data, "PerFrameFunctionalGroupsSequence"), "without positions"),
        (lambda data: delattr(data, "SegmentSequence"), "holds no ROI"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_refused(tmp_path, change, why):
    path = write_seg(tmp_path / "a.dcm", two(), AXIAL)
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    with pytest.raises(DataError, match=why) as refused:
        on(AXIAL, path)
    assert str(refused.value).startswith(f"{path}: ")


def position(data, frame, place):
    group = data.PerFrameFunctionalGroupsSequence[frame]
    group.PlanePositionSequence[0].ImagePositionPatient = list(place)


def place_of(data, frame):
    group = data.PerFrameFunctionalGroupsSequence[frame]
    return group.PlanePositionSequence[0].ImagePositionPatient


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    path = write_seg(tmp_path / "a.dcm", two(), AXIAL)
    data = path.read_bytes()
    for length in range(400, len(data), 37):
        path.write_bytes(data[:length])
        with pytest.raises(DataError):
            on(AXIAL, path)


def test_the_real_one_equals_the_nrrd_beside_it(shared_data):
    folder = shared_data("dicom/dicom_seg")
    expected = read_label(folder / "liver_seg.nrrd")
    scan = folder / "ct", read_grid([folder / "ct"])
    label = read_label(folder / "liver_seg.dcm", names={1: "liver"}, image=scan)
    assert np.array_equal(label.array, expected.array)
    assert np.count_nonzero(label.array) == 107098
    assert label.source.is_same_lattice(expected.source)
    assert label.notes == ()
    alone = read_label(folder / "liver_seg.dcm")
    assert np.array_equal(alone.array, expected.array)
    assert alone.source.is_same_lattice(expected.source)


def test_dcmqi_reads_the_same(shared_data, tmp_path):
    program = Path(sys.executable).with_name("segimage2itkimage")
    if not program.exists() and not (program := shutil.which("segimage2itkimage")):
        pytest.skip("needs dcmqi")
    path = shared_data("dicom/dicom_seg") / "liver_seg.dcm"
    command = [os.fspath(program), "--inputDICOM", os.fspath(path), "--outputDirectory",
               os.fspath(tmp_path), "--outputType", "nrrd"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (written,) = tmp_path.glob("*.nrrd")
    theirs = read_label(written)
    ours = read_label(path, image=(written, theirs.source))
    assert np.array_equal(ours.array, theirs.array)
    assert ours.array.any()
