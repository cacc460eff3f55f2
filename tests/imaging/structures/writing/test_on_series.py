"""Outlines on other parts and orders of a series' voxels, and on voxels that are none of its."""

import numpy as np
import pydicom
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.dicom.series import contents_of
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.structures.writing.rtstruct_writing import write_rtstruct
from interactivenet.imaging.structures.writing.seg_writing import write_seg
from tests.imaging.structures.writing.outlined import (
    RING,
    grid_of,
    outlines,
    ring_and_more,
    structure,
)
from tests.imaging.structures.writing.plain_readers import check_places, read_rtstruct, read_seg
from tests.imaging.structures.writing.source_series import OBLIQUE, write_source

SOURCES = ["axial", "oblique", "sagittal"]


def both(folder, structures, series):
    """Write both kinds of file, check that each structure is where it was; return the notes."""
    seg, rtstruct = folder / "seg.dcm", folder / "rt.dcm"
    notes = write_seg(seg, structures, series).notes
    assert write_rtstruct(rtstruct, structures, series).notes == notes
    for found in (read_seg(seg), read_rtstruct(rtstruct, {s.file.path for s in series.slices})):
        for one in structures.structures:
            if one.name in found:
                check_places(found[one.name], structures, one.number)
        assert set(found) == {
            one.name for one in structures.structures if (structures.map == one.number).any()
        }
    return notes


def refused(folder, structures, series):
    """Both kinds of file are refused alike, and none is written."""
    messages = []
    for write in (write_seg, write_rtstruct):
        with pytest.raises(DataError) as error:
            write(folder / "a.dcm", structures, series)
        messages.append(str(error.value))
        assert not (folder / "a.dcm").exists()
    assert messages[0] == messages[1] and "\n" not in messages[0]
    return messages[0]


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
