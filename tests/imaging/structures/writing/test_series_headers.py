"""What the headers of a series say: mended, and said, where DICOM does not allow it."""

import numpy as np
import pydicom
import pytest

from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.structures.writing.rtstruct_writing import write_rtstruct
from interactivenet.imaging.structures.writing.seg_writing import write_seg
from tests.imaging.structures.writing.both_writers import both
from tests.imaging.structures.writing.outlined import (
    RING,
    grid_of,
    outlines,
    ring_and_more,
    structure,
)
from tests.imaging.structures.writing.plain_readers import check_places, read_seg
from tests.imaging.structures.writing.source_series import write_source


def test_several_names_of_one_patient_are_said_but_not_told(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    path = series.slices[3].file.path
    dataset = pydicom.dcmread(path)
    dataset.PatientName = "Smith^Jane"
    dataset.save_as(path)
    grid = grid_of(series)
    (note,) = both(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
    assert note == "Its slices have 2 PatientNames: that of 000.dcm counts."
    assert pydicom.dcmread(tmp_path / "rt.dcm").PatientName == "Doe^Jane"


def test_values_that_dicom_does_not_allow_are_mended_and_said(tmp_path):
    series = write_source(
        tmp_path / "scan", "axial", StudyID="of more than 16 characters", PatientName="Dœ^Jane",
        SpecificCharacterSet="ISO_IR 192", AccessionNumber="that archives file by",
    )  # fmt: skip
    grid = grid_of(series)
    notes = both(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
    assert notes == (
        "The StudyID of the series is none that DICOM allows: it is cut to its first 16 characters"
        " in the file.",
        "The AccessionNumber of the series is none that DICOM allows: it is written as it is, as"
        " archives file by it.",
    )
    for name in ("seg.dcm", "rt.dcm"):
        dataset = pydicom.dcmread(tmp_path / name)
        assert dataset.StudyID == "of more than 16" and dataset.PatientName == "Dœ^Jane"
        assert dataset.AccessionNumber == "that archives file by"


@pytest.mark.parametrize(
    ("keyword", "value", "kept", "said"),
    [
        ("PatientSex", "male", "", "it is empty in the file"),
        ("PatientSex", "O", "O", ""),
        ("PatientIdentityRemoved", "TRUE", "", "it is empty in the file"),
        ("PatientID", ["a", "b"], ["a", "b"], "it is written as it is"),
        ("StudyDescription", ["a", "b"], "", "it is empty in the file"),
        ("OtherPatientIDs", ["a", "b"], ["a", "b"], ""),
        ("PositionReferenceIndicator", "x" * 70, "x" * 64, "it is cut to its first 64 characters"),
    ],
)
def test_values_that_are_none_of_those_there_are(keyword, value, kept, said, tmp_path):
    series = write_source(tmp_path / "scan", "axial", **{keyword: value})
    grid = grid_of(series)
    notes = both(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
    assert [said in note and keyword in note for note in notes] == [True] * bool(said)
    dataset = pydicom.dcmread(tmp_path / "rt.dcm")
    assert (dataset[keyword].value or "") == kept


def test_names_of_no_known_characters_are_said(tmp_path):
    """As scanners write them that do not say in which characters they write: UTF-8, here."""
    write_source(tmp_path / "scan", "axial", PatientName="Mueller^Joerg")
    for file in (tmp_path / "scan").iterdir():
        content = file.read_bytes().replace(b"Mueller", "Müller".encode())
        file.write_bytes(content)
    series = find_series(tmp_path / "scan")
    grid = grid_of(series)
    (note,) = both(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
    assert "does not say in which characters its PatientName is written" in note
    assert "Joerg" not in note


def test_names_are_told_apart_where_dicom_has_no_room_for_them(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    names = ["liver " * 20 + "a", "liver " * 20 + "b", "liver/spleen", "liver\\spleen"]
    stored = np.zeros(grid.shape, np.uint8)
    for number in range(1, len(names) + 1):
        stored[number, number, 1] = number
    known = [structure(number, name, label="liver") for number, name in enumerate(names, 1)]
    structures = outlines(stored, grid, *known)
    notes = write_seg(tmp_path / "seg.dcm", structures, series).notes
    assert notes == write_rtstruct(tmp_path / "rt.dcm", structures, series).notes
    places = read_seg(tmp_path / "seg.dcm")
    long = ("liver " * 20)[:64].strip()
    expected = [long, long[:60].strip() + " (2)", "liver/spleen", "liver/spleen (2)"]
    segments = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence
    assert [one.SegmentLabel for one in segments] == expected
    for number, name in enumerate(expected, 1):
        check_places(places[name], structures, number)
    rois = pydicom.dcmread(tmp_path / "rt.dcm").StructureSetROISequence
    assert [one.ROIName for one in rois] == expected
    assert notes == tuple(
        f"'{names[index]}' is called '{expected[index]}' in the file." for index in (0, 1, 3)
    )


@pytest.mark.parametrize("characters", [None, "ISO_IR 100", "ISO_IR 192"])
def test_names_in_any_character_set(characters, tmp_path):
    series = write_source(
        tmp_path / "scan", "axial", SpecificCharacterSet=characters, PatientName="Müller^Jörg"
    )
    grid = grid_of(series)
    notes = both(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
    assert ["PatientName" in note for note in notes] == [True] * (characters is None)
    for name in ("seg.dcm", "rt.dcm"):
        assert pydicom.dcmread(tmp_path / name).PatientName == "Müller^Jörg"


def test_what_nobody_knows_is_said(tmp_path):
    series = write_source(tmp_path / "scan", "axial")
    grid = grid_of(series)
    known = (structure(1, "thing 1", label="thing"), structure(2, "thing 2", label="thing"),
             structure(4, "liver"))  # fmt: skip
    (note,) = both(tmp_path, outlines(ring_and_more(grid.shape), grid, *known), series)
    assert note.startswith("What 'thing' is, its name does not say")


def test_a_patient_without_a_name(tmp_path):
    nothing = dict.fromkeys(
        ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate",
         "StudyTime", "AccessionNumber")
    )  # fmt: skip
    series = write_source(tmp_path / "scan", "axial", **nothing)
    grid = grid_of(series)
    both(tmp_path, outlines(ring_and_more(grid.shape), grid, *RING), series)
