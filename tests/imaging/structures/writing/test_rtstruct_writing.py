"""RTSTRUCT: the centres inside of what is written are what was outlined, on the real slices."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.nifti import read_nifti
from interactivenet.imaging.structures.writing import dicom_writing, rtstruct_writing
from interactivenet.imaging.structures.writing.rtstruct_writing import write_rtstruct
from tests.imaging.structures.writing.outlined import (
    RING,
    complaints,
    grid_of,
    outlines,
    ring_and_more,
    structure,
)
from tests.imaging.structures.writing.plain_readers import check_places, read_rtstruct
from tests.imaging.structures.writing.source_series import (
    REAL,
    SEVERAL,
    SOURCES,
    VOXELS,
    write_source,
)


def check(path, structures, series, tolerance=0.01):
    found = read_rtstruct(path, {one.file.path for one in series.slices})
    assert list(found) == [one.name for one in structures.structures]
    for one in structures.structures:
        check_places(found[one.name], structures, one.number, tolerance)


@pytest.mark.parametrize("source", [*SOURCES, *SEVERAL])
def test_centres_inside_are_what_was_outlined(source, tmp_path):
    series = write_source(tmp_path / "scan", source)
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    written = write_rtstruct(tmp_path / "a.dcm", structures, series)
    assert (written.is_written, written.notes) == (True, ())
    check(tmp_path / "a.dcm", structures, series, 0.05 if source.startswith("round") else 0.01)


@pytest.fixture(scope="module")
def oblique(tmp_path_factory):
    """A series, and where files of it are written."""
    folder = tmp_path_factory.mktemp("oblique")
    return write_source(folder / "scan", "turned about all axes"), folder / "a.dcm"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(arrays(np.uint8, VOXELS.transpose(2, 1, 0).shape, elements=st.sampled_from([0, 1, 2])))
def test_any_mask(oblique, stored):
    series, path = oblique
    structures = outlines(stored, grid_of(series), structure(1, "a"), structure(2, "b"))
    written = write_rtstruct(path, structures, series)
    assert written.is_written == bool(stored.any())
    if not written.is_written:
        return
    found = read_rtstruct(path, {one.file.path for one in series.slices})
    assert set(found) == {name for number, name in ((1, "a"), (2, "b")) if (stored == number).any()}
    for number, name in ((1, "a"), (2, "b")):
        if name in found:
            check_places(found[name], structures, number)


@pytest.mark.parametrize("folder", REAL)
def test_real_series(folder, shared_data, tmp_path):
    series = find_series(shared_data(f"dicom/{folder}"))
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    write_rtstruct(tmp_path / "a.dcm", structures, series)
    assert complaints(tmp_path / "a.dcm") == []
    check(tmp_path / "a.dcm", structures, series)


@pytest.mark.parametrize("folder", [folder for folder, mask in REAL.items() if mask])
def test_real_tumours(folder, shared_data, tmp_path):
    series = find_series(shared_data(f"dicom/{folder}"))
    path = shared_data(f"dicom/sarcoma_STS_008/nifti_mask/{REAL[folder]}_mask.nii.gz")
    array, grid, _ = read_nifti(path)
    structures = outlines(array.reshape(grid.shape).astype(np.uint8), grid)
    write_rtstruct(tmp_path / "a.dcm", structures, series)
    check(tmp_path / "a.dcm", structures, series)


@pytest.mark.parametrize("source", ["axial", "enhanced CT", "enhanced MR"])
def test_the_standards_checker_finds_no_error(source, tmp_path):
    series = write_source(tmp_path / "scan", source)
    grid = grid_of(series)
    names = ["Ödem", "肿瘤", "liver_tumour", "stent", "PTV", "x" * 80, "thing\\else"]
    stored = np.zeros(grid.shape, np.uint8)
    for number in range(1, len(names) + 1):
        stored[number % 4, number // 4, number % 5] = number
    known = [structure(number, name) for number, name in enumerate(names, 1)]
    write_rtstruct(tmp_path / "a.dcm", outlines(stored, grid, *known), series)
    assert complaints(tmp_path / "a.dcm") == []
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert [one.ROIName for one in dataset.StructureSetROISequence] == [
        *names[:5], "x" * 64, "thing/else"
    ]  # fmt: skip


def test_what_the_file_says_of_itself(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    write_rtstruct(tmp_path / "a.dcm", structures, series)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    first = pydicom.dcmread(series.slices[0].file.path)
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert dataset[keyword].value == first[keyword].value
    assert dataset.SeriesInstanceUID != first.SeriesInstanceUID
    assert dataset.Modality == "RTSTRUCT" and dataset.StructureSetLabel == "InteractiveNet"
    assert dataset.SeriesDescription == "InteractiveNet Task101_SARCOMA, expected Dice 0.84"
    rois = dataset.StructureSetROISequence
    assert [(int(one.ROINumber), one.ROIName) for one in rois] == [
        (1, "tumour"), (2, "edema"), (3, "kidney_left"),
    ]  # fmt: skip
    assert [one.ROIGenerationAlgorithm for one in rois] == [
        "SEMIAUTOMATIC", "SEMIAUTOMATIC", "MANUAL",
    ]  # fmt: skip
    assert rois[0].ROIGenerationDescription == "expected Dice 0.84"
    kinds = [one.RTROIInterpretedType for one in dataset.RTROIObservationsSequence]
    assert kinds == ["GTV", "ORGAN", "ORGAN"]
    assert list(dataset.ROIContourSequence[0].ROIDisplayColor) == list(RING[0].codes.colour)
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == first.FrameOfReferenceUID
    study = frame.RTReferencedStudySequence[0]
    assert study.ReferencedSOPInstanceUID == first.StudyInstanceUID
    of_series = study.RTReferencedSeriesSequence[0]
    assert of_series.SeriesInstanceUID == first.SeriesInstanceUID
    assert {one.ReferencedSOPInstanceUID for one in of_series.ContourImageSequence} == {
        one.file.uid for one in series.slices
    }


def test_numbers_have_at_most_16_characters_and_contours_no_end(tmp_path):
    """Of a contour of more than 64 KiB, too: an explicit transfer syntax would spoil it."""
    series = write_source(tmp_path / "scan", "turned about all axes", np.zeros((2, 90, 80), "i2"))
    grid = grid_of(series)
    stored = np.ones(grid.shape, np.uint8)
    stored[1:-1:2, 1:-1:2] = 0
    write_rtstruct(tmp_path / "a.dcm", outlines(stored, grid), series)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    contours = dataset.ROIContourSequence[0].ContourSequence
    texts = [str(one) for contour in contours for one in contour.ContourData]
    assert max(map(len, texts)) <= 16
    assert len("\\".join(texts)) / len(contours) > 2**16
    assert complaints(tmp_path / "a.dcm") == []
    check(tmp_path / "a.dcm", outlines(stored, grid), series)


def test_nothing_outlined_is_no_file_and_said(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    empty = outlines(np.zeros(grid.shape, np.uint8), grid)
    written = write_rtstruct(tmp_path / "a.dcm", empty, series)
    assert not written.is_written and "Nothing is outlined of 'tumour'" in written.notes[0]
    assert not (tmp_path / "a.dcm").exists()


def test_a_voxel_alone_is_a_contour(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    stored = np.zeros(grid.shape, np.uint8)
    stored[0, 0, 0] = stored[3, 4, 2] = stored[4, 5, 2] = 1
    structures = outlines(stored, grid)
    assert write_rtstruct(tmp_path / "a.dcm", structures, series).notes == ()
    check(tmp_path / "a.dcm", structures, series)
    (roi,) = pydicom.dcmread(tmp_path / "a.dcm").ROIContourSequence
    assert len(roi.ContourSequence) == 3


def test_a_failure_leaves_no_file(tmp_path, monkeypatch):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)

    def fail(*_, **__):
        raise ValueError("it does not please, Doe^Jane")

    monkeypatch.setattr("pydicom.dataset.Dataset.save_as", fail)
    with pytest.raises(DataError, match="no RTSTRUCT can be made of its headers") as refused:
        write_rtstruct(tmp_path / "out" / "a.dcm", structures, series)
    assert "Doe" not in str(refused.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "fault",
    [
        lambda polygon: polygon + np.array([1.0, 0.0]),
        lambda polygon: polygon[:, ::-1],
        lambda polygon: polygon[:-1],
    ],
)
def test_other_contours_than_were_outlined_are_not_written(fault, tmp_path, monkeypatch):
    """As a fault of this program, or of a library, would make them."""
    right = rtstruct_writing.contours_of
    monkeypatch.setattr(
        rtstruct_writing, "contours_of", lambda mask: [fault(polygon) for polygon in right(mask)]
    )
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    with pytest.raises(DataError, match=r"scan: the RTSTRUCT that was made has another outline on"):
        write_rtstruct(tmp_path / "a.dcm", structures, series)
    assert not (tmp_path / "a.dcm").exists()


def test_contours_that_name_another_slice_are_not_written(tmp_path, monkeypatch):
    right = dicom_writing.read_source_headers

    def turned(series):
        headers = right(series)
        return replace(headers, of_slices=headers.of_slices[::-1])

    monkeypatch.setattr(dicom_writing, "read_source_headers", turned)
    series = write_source(tmp_path / "scan", "axial")
    structures = outlines(ring_and_more(grid_of(series).shape), grid_of(series), *RING)
    with pytest.raises(DataError, match="a contour that does not lie on the slice that it names"):
        write_rtstruct(tmp_path / "a.dcm", structures, series)
    assert not (tmp_path / "a.dcm").exists()
