"""Exports go to the series that was segmented, or to none: moved, cut or converted ones."""

import shutil

import numpy as np
import pydicom
import pytest

from interactivenet.errors import DataError
from interactivenet.inference.outputs import Output
from tests.imaging.written_dicom import UID, write_series
from tests.inference.exporting.exported_results import (
    FRAME,
    VOXELS,
    export,
    make_series,
    masks_of_seg,
    stored_mask,
)


def test_a_changed_source_is_refused(results, scan):
    write_series(scan, VOXELS + 1, FrameOfReferenceUID=FRAME)
    exported = export(results)
    assert set(exported.failures) == {"dcm-seg", "rtstruct"}
    assert f"{scan}: has changed since it was segmented: 000.dcm" in exported.failures["dcm-seg"]
    assert [path.name for path in exported.written] == ["a.seg.nrrd"]


@pytest.mark.parametrize(
    ("number", "reason"), [(6, "lie on another grid"), (3, "one is missing|missing")]
)
def test_a_lost_slice_is_refused(results, scan, number, reason):
    (scan / f"{number:03d}.dcm").unlink()
    exported = export(results, "dcm-seg")
    assert not exported.written and "\n" not in exported.failures["dcm-seg"]
    assert str(scan) in exported.failures["dcm-seg"]


def test_a_series_that_has_moved_is_found_by_its_uid(results, scan, tmp_path):
    shutil.move(scan, tmp_path / "archive" / "p" / "s")
    make_series(tmp_path / "archive" / "q", series=2)
    gone = export(results, "dcm-seg")
    assert "does not exist any more" in gone.failures["dcm-seg"]
    exported = export(results, "dcm-seg", images=[tmp_path / "archive"])
    assert not exported.failures
    assert any("was found in" in note for note in exported.notes)
    seg = pydicom.dcmread(exported.written[0])
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.1"
    other = export(results, "rtstruct", images=[tmp_path / "archive" / "q"])
    assert f"has no series {UID}.1.1" in other.failures["rtstruct"]


def test_slices_that_were_lost_at_an_end_are_said(results, scan, tmp_path):
    """Nothing is outlined there, and the other slices are those that were segmented."""
    moved = tmp_path / "elsewhere"
    shutil.move(scan, moved)
    (moved / "006.dcm").unlink()
    exported = export(results, "dcm-seg", "rtstruct", images=[moved])
    assert len(exported.written) == 2
    assert any(
        "has 14x12x6 voxels, and the outlines have 14x12x7: slices were lost or added" in note
        for note in exported.notes
    )
    masks = masks_of_seg(results.folder / "a.seg.dcm", (6, *VOXELS.shape[1:]))
    assert np.array_equal(masks["tumour"], stored_mask(results, 1)[:6])


def test_files_of_the_same_uid_that_differ_are_said(results, scan, tmp_path):
    shutil.rmtree(scan)
    make_series(tmp_path / "archive", VOXELS + 5)
    exported = export(results, "dcm-seg", images=[tmp_path / "archive"])
    assert exported.written
    assert any("7 of the 7 files" in note and "are not those" in note for note in exported.notes)


def test_a_case_of_nifti_needs_its_series(converted, scan):
    exported = export(converted, "dcm-seg", "seg.nrrd")
    assert "a.nii.gz: is no DICOM series" in exported.failures["dcm-seg"]
    assert [path.name for path in exported.written] == ["a.seg.nrrd"]
    # two series lie on its grid; the values tell which it was
    exported = export(converted, "dcm-seg", images=[scan.parent])
    assert not exported.failures
    assert any("by its grid and its values" in note for note in exported.notes)
    seg = pydicom.dcmread(exported.written[0])
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.1"
    masks = masks_of_seg(exported.written[0], VOXELS.shape)
    assert np.array_equal(masks["tumour"], stored_mask(converted, 1))


def test_other_values_on_the_same_grid_are_another_scan(converted, scan):
    exported = export(converted, "dcm-seg", images=[scan.parent / "other"])
    assert "with other values than" in exported.failures["dcm-seg"]


def test_by_grid_alone_it_must_be_the_only_one(converted, scan, tmp_path):
    (tmp_path / "a.nii.gz").unlink()
    exported = export(converted, "dcm-seg", images=[scan.parent])
    assert "2 series that it could have been" in exported.failures["dcm-seg"]
    exported = export(converted, "dcm-seg", images=[scan])
    assert any("by its grid alone: look whether" in note for note in exported.notes)
    elsewhere = make_series(tmp_path / "elsewhere", origin=(0.0, 0.0, 0.0))
    exported = export(converted, "rtstruct", images=[elsewhere])
    assert "holds no series on the grid" in exported.failures["rtstruct"]


def test_nothing_is_written_among_the_slices(results, scan):
    before = sorted(scan.iterdir())
    for formats in (("dcm-seg",), ("seg.nrrd",)):
        with pytest.raises(DataError, match="holds the series itself"):
            export(results, *formats, target=Output(scan, ()))
    assert sorted(scan.iterdir()) == before
