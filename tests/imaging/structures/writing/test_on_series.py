"""Outlines on other parts and orders of a series' voxels, and on voxels that are none of its."""

import numpy as np
import pydicom
import pytest

from interactivenet.imaging.dicom.series import contents_of
from interactivenet.imaging.geometry import Geometry
from tests.imaging.structures.writing.both_writers import both, refused
from tests.imaging.structures.writing.outlined import (
    RING,
    grid_of,
    outlines,
    ring_and_more,
    structure,
)
from tests.imaging.structures.writing.source_series import OBLIQUE, write_source

SOURCES = ["axial", "oblique", "sagittal"]


def turned(stored, grid, axes, flips):
    """The same voxels, stored in another order."""
    affine = np.array(grid.affine)
    moved = affine[:, [*axes, 3]].copy()
    array = stored.transpose(axes)
    for axis, flip in enumerate(flips):
        if flip:
            moved[:3, 3] += moved[:3, axis] * (array.shape[axis] - 1)
            moved[:3, axis] *= -1
            array = np.flip(array, axis)
    return array, Geometry(array.shape, moved)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("axes", "flips"), [((0, 1, 2), (1, 1, 0)), ((2, 0, 1), (0, 1, 1)), ((1, 2, 0), (0, 0, 0))]
)
def test_any_order_of_the_same_voxels(source, axes, flips, tmp_path):
    series = write_source(tmp_path / "scan", source)
    grid = grid_of(series)
    array, other = turned(ring_and_more(grid.shape), grid, axes, flips)
    assert both(tmp_path, outlines(array, other, *RING), series) == ()


@pytest.mark.parametrize("source", SOURCES)
def test_a_part_of_the_series(source, tmp_path):
    series = write_source(tmp_path / "scan", source)
    grid = grid_of(series)
    start, size = np.array([2, 3, 1]), (8, 7, 3)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.voxel_to_world(start[None])[0]
    structures = outlines(np.ones(size, np.uint8), Geometry(size, affine))
    (note,) = both(tmp_path, structures, series)
    assert note.startswith("The map of the structures covers another part of the image's lattice")


def beyond(series, value):
    """A map that begins two voxels before a series, with a value there."""
    grid = grid_of(series)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.voxel_to_world(np.array([[-2.0, 0, 0]]))[0]
    shape = (grid.shape[0], grid.shape[1] + 3, grid.shape[2])
    stored = np.zeros(shape, np.uint8)
    stored[4:7, 2:5, 1:3] = 1
    stored[0, 0, 0] = value
    return outlines(stored, Geometry(shape, affine), structure(1, "tumour"))


def test_what_is_beyond_the_series(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    assert len(both(tmp_path, beyond(series, 0), series)) == 1
    (tmp_path / "other").mkdir()
    message = refused(tmp_path / "other", beyond(series, 1), series)
    assert "has 1 labelled voxels outside of" in message and "the outlined structures" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": OBLIQUE}, "directions differ by 20 degrees"),
        ({"origin": (-20.0, 10.0, 31.0)}, "it is shifted by (0, 0, -1) mm (RAS)"),
        ({"step": 2.6}, "spacing 2.5 against 2.6 mm along z"),
        ({"spacing": (0.8, 0.8)}, "spacing 0.7 against 0.8 mm along x"),
    ],
)
def test_another_lattice_is_refused(change, message, tmp_path):
    grid = grid_of(write_source(tmp_path / "outlined", "axial"))
    series = write_source(tmp_path / "scan", "axial", **change)
    text = refused(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
    assert "the outlined structures: grid differs" in text and message in text
    assert str(tmp_path / "scan") in text


def test_a_series_whose_slice_is_missing_is_refused(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    series.slices[2].file.path.unlink()
    (broken,) = contents_of(tmp_path / "scan").series
    message = refused(tmp_path, structures, broken)
    assert message.startswith(f"{tmp_path / 'scan'}: has 4 DICOM slices that are not evenly spaced")
    assert "1 missing, 1 between 001.dcm and 003.dcm" in message
    assert "cannot be read" in refused(tmp_path, structures, series)  # gone since it was read


def test_a_series_without_its_last_slice_is_another_part(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    stored = ring_and_more(grid.shape)
    series.slices[-1].file.path.unlink()
    (shorter,) = contents_of(tmp_path / "scan").series
    message = refused(tmp_path, outlines(stored, grid, *RING), shorter)
    assert "labelled voxels outside of" in message
    stored[:, :, -1] = 0
    assert len(both(tmp_path, outlines(stored, grid, *RING), shorter)) == 1


@pytest.mark.parametrize(
    ("keyword", "values", "message"),
    [
        ("FrameOfReferenceUID", [None] * 5, "has no FrameOfReferenceUID"),
        ("FrameOfReferenceUID", ["1.2.3"] * 3 + ["1.2.4"] * 2, "slices of 2 FrameOfReferenceUIDs"),
        ("StudyInstanceUID", ["1.2.3"] * 3 + ["1.2.4"] * 2, "slices of 2 StudyInstanceUIDs"),
        (
            "PatientID",
            ["A"] * 3 + ["B"] * 2,
            "slices of 2 PatientIDs, A and B: they are not of one",
        ),
        ("PatientID", [""] * 3 + ["B"] * 2, "slices of 2 PatientIDs, B and none"),
    ],
)
def test_a_series_of_no_one_place_is_refused(keyword, values, message, tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    for one, value in zip(series.slices, values, strict=True):
        dataset = pydicom.dcmread(one.file.path)
        setattr(dataset, keyword, value)
        dataset.save_as(one.file.path)
    assert message in refused(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)


def test_a_file_that_was_replaced_is_refused(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    files = [one.file.path for one in series.slices]
    files[0].rename(tmp_path / "kept")
    files[1].rename(files[0])
    (tmp_path / "kept").rename(files[1])
    message = refused(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
    assert "is another file than it was when the series was read" in message


def test_voxels_of_no_structure_are_refused(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING[:2])
    assert "have voxels of 4, which is none of them: expected numbers among 1, 2" in refused(
        tmp_path, structures, series
    )
