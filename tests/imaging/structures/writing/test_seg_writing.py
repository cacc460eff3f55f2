"""DICOM SEG: what is written is read by dcmqi, and by plain arithmetic, where it was outlined."""

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from interactivenet import __version__
from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.structures.writing.seg_writing import write_seg
from tests.imaging.structures.writing.outlined import (
    RING,
    complaints,
    grid_of,
    outlines,
    ring_and_more,
    run_dcmqi,
    structure,
)  # fmt: skip
from tests.imaging.structures.writing.plain_readers import check_places, read_seg
from tests.imaging.structures.writing.source_series import REAL, SOURCES, write_source


def dcmqi(path, folder):
    """Segment's label -> places (N, 3), LPS mm, of its voxels, as dcmqi reads them."""
    run_dcmqi(path, folder, "nrrd")
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    found = {}
    for number, (segment,) in enumerate(meta["segmentAttributes"], 1):
        image = sitk.ReadImage(str(folder / f"{number}.nrrd"))
        array = sitk.GetArrayFromImage(image)
        indices = np.argwhere(array)[:, ::-1]
        direction = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
        found[segment["SegmentLabel"]] = indices @ direction.T + image.GetOrigin()
    return found


def check(path, structures, tmp_path, tolerance=0.01):
    """Both readers find each structure where it was outlined."""
    plain, other = read_seg(path), dcmqi(path, tmp_path / "dcmqi")
    assert list(plain) == [one.name for one in structures.structures]
    assert set(other) == set(plain)
    for one in structures.structures:
        check_places(plain[one.name], structures, one.number, tolerance)
        check_places(other[one.name], structures, one.number, tolerance)


@pytest.mark.parametrize("source", SOURCES)
def test_voxels_are_where_they_were_outlined(source, tmp_path):
    series = write_source(tmp_path / "scan", source)
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    written = write_seg(tmp_path / "a.dcm", structures, series)
    assert (written.is_written, written.notes) == (True, ())
    # the places of slices in tenths of a mm are their own
    check(tmp_path / "a.dcm", structures, tmp_path, 0.05 if source.startswith("round") else 0.01)


@pytest.mark.parametrize("folder", REAL)
def test_real_series(folder, shared_data, tmp_path):
    series = find_series(shared_data(f"dicom/{folder}"))
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    write_seg(tmp_path / "a.dcm", structures, series)
    assert complaints(tmp_path / "a.dcm") == []
    check(tmp_path / "a.dcm", structures, tmp_path)


@pytest.mark.parametrize("source", ["axial", "enhanced CT", "enhanced MR"])
def test_the_standards_checker_finds_no_error(source, tmp_path):
    series = write_source(tmp_path / "scan", source)
    grid = grid_of(series)
    names = ["Ödem", "肿瘤", "liver_tumour", "stent", "PTV", "x" * 80, "thing\\else"]
    stored = np.zeros(grid.shape, np.uint8)
    for number in range(1, len(names) + 1):
        stored[number % 4, number // 4, number % 5] = number
    known = [structure(number, name, is_manual=number == 2)
             for number, name in enumerate(names, 1)]  # fmt: skip
    write_seg(tmp_path / "a.dcm", outlines(stored, grid, *known), series)
    assert complaints(tmp_path / "a.dcm") == []
    segments = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence
    assert [one.SegmentLabel for one in segments] == [
        *names[:5], "x" * 64, "thing/else"
    ]  # fmt: skip


def test_what_the_file_says_of_itself(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    write_seg(tmp_path / "a.dcm", structures, series)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    first = pydicom.dcmread(series.slices[0].file.path)
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert dataset[keyword].value == first[keyword].value
    assert dataset.SeriesInstanceUID != first.SeriesInstanceUID
    assert dataset.SeriesDescription == "InteractiveNet Task101_SARCOMA, expected Dice 0.84"
    assert dataset.SegmentationType == "BINARY" and dataset.Modality == "SEG"
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert int(dataset.NumberOfFrames) == 3 * grid.shape[2]  # empty ones, too
    tumour, _, kidney = dataset.SegmentSequence
    assert [one.SegmentNumber for one in dataset.SegmentSequence] == [1, 2, 3]
    assert (tumour.SegmentAlgorithmType, kidney.SegmentAlgorithmType) == (
        "SEMIAUTOMATIC", "MANUAL",
    )  # fmt: skip
    algorithm = tumour.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "InteractiveNet Task101_SARCOMA"
    assert algorithm.AlgorithmVersion == __version__
    assert "Expected Dice=0.84" in algorithm.AlgorithmParameters
    assert "ab" * 32 in algorithm.AlgorithmParameters
    assert "SegmentationAlgorithmIdentificationSequence" not in kidney
    kind = kidney.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodeMeaning) == ("64033007", "Kidney")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert tumour.TrackingUID == structures.structures[0].tracking_uid
    assert len(tumour.RecommendedDisplayCIELabValue) == 3
    referred = {
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for group in dataset.PerFrameFunctionalGroupsSequence
    }
    assert referred == {one.file.uid for one in series.slices}
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SpacingBetweenSlices) == 2.5


def test_colours_are_those_of_the_codes(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    write_seg(tmp_path / "a.dcm", outlines(ring_and_more(grid.shape), grid, *RING), series)
    for one, known in zip(pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence, RING, strict=True):
        value = one.RecommendedDisplayCIELabValue
        light, a, b = value[0] / 65535 * 100, value[1] / 257 - 128, value[2] / 257 - 128
        assert np.allclose(
            highdicom.color.CIELabColor(light, a, b).to_rgb(), known.codes.colour, atol=2
        )


@pytest.mark.parametrize("thickness", ["-3", "0", "", None])
def test_a_thickness_that_is_none_is_the_distance_of_slices(thickness, tmp_path):
    series = write_source(tmp_path / "scan", "axial", SliceThickness=thickness)
    grid = grid_of(series)
    write_seg(tmp_path / "a.dcm", outlines(ring_and_more(grid.shape), grid, *RING), series)
    shared = pydicom.dcmread(tmp_path / "a.dcm").SharedFunctionalGroupsSequence[0]
    assert float(shared.PixelMeasuresSequence[0].SliceThickness) == 2.5


def test_nothing_outlined_is_no_file_and_said(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    empty = outlines(np.zeros(grid.shape, np.uint8), grid)
    written = write_seg(tmp_path / "a.dcm", empty, series)
    assert not written.is_written and "Nothing is outlined of 'tumour'" in written.notes[0]
    assert not (tmp_path / "a.dcm").exists()


def test_numbers_have_no_gaps_where_a_structure_is_empty(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    stored = np.zeros(grid.shape, np.uint8)
    stored[1, 1, 1], stored[2, 2, 2] = 3, 1
    known = [structure(3, "liver"), structure(2, "lung"), structure(1, "tumour")]
    written = write_seg(tmp_path / "a.dcm", outlines(stored, grid, *known), series)
    segments = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence
    named = [(int(one.SegmentNumber), one.SegmentLabel) for one in segments]
    assert named == [(1, "liver"), (2, "tumour")]
    assert written.notes == ("Nothing is outlined of 'lung': not in the file.",)


@pytest.mark.parametrize("name", ["Doe", "Doe^Jane", "Doe\\Jane", "D" * 70, ""])
def test_nobodys_name_is_told(name, tmp_path, recwarn, capfd):
    """Not in a warning of a library's, and not in a note; it is in the file as it was."""
    series = write_source(tmp_path / "scan", "axial", PatientName=name, ReferringPhysicianName=name)
    grid = grid_of(series)
    recwarn.clear()
    written = write_seg(
        tmp_path / "a.dcm", outlines(ring_and_more(grid.shape), grid, *RING), series
    )
    told = [str(one.message) for one in recwarn if "pydicom" not in one.filename]
    told += [*written.notes, *capfd.readouterr()]
    assert not any("Do" in text or "DDD" in text or "Nobody" in text for text in told)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    first = pydicom.dcmread(series.slices[0].file.path)
    assert dataset.PatientName == first.PatientName
    is_allowed = len(name) <= 64 and "\\" not in name
    assert dataset.ReferringPhysicianName == (first.ReferringPhysicianName if is_allowed else "")


def test_a_failure_leaves_no_file(tmp_path, monkeypatch):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    path = tmp_path / "out" / "a.dcm"
    path.parent.mkdir()
    path.write_bytes(b"before")

    def fail(*_, **__):
        raise ValueError("the disk is odd")

    monkeypatch.setattr("pydicom.dataset.Dataset.save_as", fail)
    with pytest.raises(DataError, match="no DICOM SEG can be made"):
        write_seg(path, structures, series)
    assert [file.name for file in path.parent.iterdir()] == ["a.dcm"]
    assert path.read_bytes() == b"before"


def test_pixels_on_a_wrong_slice_are_never_written(tmp_path, monkeypatch):
    """Whatever the library that makes the file does with it."""
    highdicom = pytest.importorskip("highdicom")
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    structures = outlines(ring_and_more(grid.shape), grid, *RING)
    right = highdicom.seg.Segmentation

    def mirrored(**settings):
        return right(**{**settings, "pixel_array": settings["pixel_array"][::-1]})

    monkeypatch.setattr(highdicom.seg, "Segmentation", mirrored)
    with pytest.raises(DataError, match=r"another outline on 00[0-9]\.dcm than was given"):
        write_seg(tmp_path / "a.dcm", structures, series)
    assert not (tmp_path / "a.dcm").exists()


@pytest.mark.parametrize(("source", "count"), [("frames of two files", 2), ("a frame a file", 5)])
def test_frames_of_several_files_are_refused(source, count, tmp_path):
    series = write_source(tmp_path / "scan", source)
    grid = grid_of(series)
    with pytest.raises(DataError, match=f"has its slices in {count} multi-frame files"):
        write_seg(tmp_path / "a.dcm", outlines(ring_and_more(grid.shape), grid, *RING), series)


def test_of_two_echoes_the_frames_of_the_outlined_one_are_referred_to(tmp_path):
    series = write_source(tmp_path / "scan", "two echoes")
    grid = grid_of(series)
    write_seg(tmp_path / "a.dcm", outlines(ring_and_more(grid.shape), grid, *RING), series)
    frames = {
        int(group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        for group in pydicom.dcmread(tmp_path / "a.dcm").PerFrameFunctionalGroupsSequence
    }
    assert frames == {one.plane.frame + 1 for one in series.slices} == {2, 4, 6, 8, 10}
