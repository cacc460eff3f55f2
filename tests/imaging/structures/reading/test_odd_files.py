"""Structure sets and segmentations as other programs write them, and damaged ones."""

import unicodedata

import numpy as np
import pydicom
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import ReadOptions, read_image, read_label
from interactivenet.imaging.structures.reading.roi_names import RoiNames
from interactivenet.imaging.structures.reading.structure_files import read_structure_header
from tests.imaging.structures.reading.written_structures import (
    blobs,
    grid,
    in_plane,
    square,
    write_rtstruct,
    write_seg,
)
from tests.imaging.written_dicom import UID, stored, write_series

FRAME = f"{UID}.9"
GTV, NODE = square((0, 0), (4, 3)), square((5, 0), (6, 1))


@pytest.fixture
def scan(tmp_path):
    """The grid of a series of six slices of five rows and eight columns."""
    write_series(tmp_path / "scan", stored((6, 5, 8)), FrameOfReferenceUID=FRAME)
    return tmp_path / "scan", read_image(tmp_path / "scan").source


def read(path, scan, *rois, names=None):
    return read_label(path, ReadOptions(rois=rois), names=names, image=scan)


def one_roi(tmp_path, scan, *polygons, name="GTV"):
    contours = [in_plane(polygon, 2, scan[1]) for polygon in polygons]
    return write_rtstruct(tmp_path / "RS.dcm", [(name, contours)], FrameOfReferenceUID=FRAME)


def changed(path, change):
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("again", [[*GTV, GTV[0]], [(u + 0.002, v) for u, v in GTV]])
def test_what_is_as_good_as_a_copy_does_not_cancel_out(again, tmp_path, scan):
    label = read(one_roi(tmp_path, scan, GTV, again), scan)
    assert (label.array > 0).sum() == 20
    assert any("1 contour is there twice: taken once" in note for note in label.notes)


def test_contours_that_enclose_the_same_voxels_and_are_no_copies_are_said(tmp_path, scan):
    wider = [(u + np.sign(u - 1) * 0.3, v) for u, v in GTV]
    label = read(one_roi(tmp_path, scan, GTV, wider, NODE), scan)
    assert (label.array > 0).sum() == 4
    assert (
        "ROI 'GTV': contours of one plane cross or coincide: the 20 voxels that lie in two of them"
        " are read as outside"
    ) in label.notes


def two_frames(tmp_path, scan, second):
    contours = [[in_plane(polygon, 2, scan[1])] for polygon in (GTV, NODE)]
    path = write_rtstruct(
        tmp_path / "RS.dcm", list(zip(("GTV", "GTV node"), contours, strict=True)),
        FrameOfReferenceUID=FRAME,
    )  # fmt: skip

    def change(dataset):
        first, other = dataset.StructureSetROISequence
        first.ReferencedFrameOfReferenceUID, other.ReferencedFrameOfReferenceUID = second

    return changed(path, change)


def test_rois_of_another_frame_of_reference_are_left_out(tmp_path, scan):
    path = two_frames(tmp_path, scan, (FRAME, "1.2.3"))
    label = read(path, scan, "GTV*=tumour")
    assert (label.array > 0).sum() == 20
    note = "left out its ROIs of another frame of reference than the image's: 'GTV node'"
    assert note in label.notes
    assert [roi.frame_of_reference for roi in read_structure_header(path).rois] == [FRAME, "1.2.3"]


def test_the_frame_of_reference_that_counts_is_that_of_the_rois_that_are_read(tmp_path, scan):
    path = two_frames(tmp_path, scan, (FRAME, "1.2.3"))
    (note,) = (note for note in read(path, scan, "GTV node=tumour").notes if "frame of" in note)
    assert note.startswith("its frame of reference is another one than the image's")
    assert not any("another one" in note for note in read(path, scan, "GTV=tumour").notes)


def test_rois_of_several_frames_that_are_not_the_images_are_refused(tmp_path, scan):
    path = two_frames(tmp_path, scan, ("1.2.4", "1.2.3"))
    expected = r"'GTV' \(1.2.4\), 'GTV node' \(1.2.3\): expected one, that of the image"
    with pytest.raises(DataError, match=expected):
        read(path, scan, "GTV*=tumour")


def test_names_are_one_however_their_accents_are_stored(tmp_path, scan):
    apart, together = (unicodedata.normalize(form, "Läsion") for form in ("NFD", "NFC"))
    path = one_roi(tmp_path, scan, GTV, name=apart)
    assert (read(path, scan, f"{together[:3]}*=tumour").array > 0).sum() == 20
    assert RoiNames().match([apart, "BODY"], {3: together})[0] == {apart: 3}
    assert RoiNames.parse([f"GTV={apart}", f"CTV={together}"]).labels == (apart,)


def test_a_roi_is_not_the_background():
    with pytest.raises(RequestError, match="expected another label than 0"):
        RoiNames.parse(["GTV=0"])


def test_a_name_with_a_backslash_is_one_name(tmp_path, scan):
    path = one_roi(tmp_path, scan, GTV, name="GTV\\old")
    assert read_structure_header(path).rois[0].name == "GTV\\old"
    assert (read(path, scan, "GTV\\old=tumour").array > 0).sum() == 20


@pytest.mark.parametrize("said", [b"ISO_IR 100", b"ISO_IR 999", b"          "])
def test_utf_8_that_is_not_called_so(said, tmp_path, scan):
    path = one_roi(tmp_path, scan, GTV, name="Größe")
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", said))
    assert read_structure_header(path).rois[0].name == "Größe"


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("ISO_IR 100", "Müller"),
        ("ISO_IR 192", "腫瘍"),
        ("GB18030", "肿瘤"),
        ("ISO_IR 144", "Опухоль"),
    ],
)
def test_character_sets(charset, text, tmp_path, scan):
    def change(dataset):
        dataset.SpecificCharacterSet, dataset.PatientID = charset, text
        dataset.StructureSetROISequence[0].ROIName = text

    header = read_structure_header(changed(one_roi(tmp_path, scan, GTV), change))
    assert (header.rois[0].name, header.patient_id) == (text, text)


@pytest.mark.parametrize("padding", [b" \0", b"\0\0"])
def test_coordinates_that_are_padded_with_zeros(padding, tmp_path, scan):
    path = one_roi(tmp_path, scan, GTV)
    data = path.read_bytes()
    last = data.index(b"\x06\x30\x50\x00DS") + 8
    last += int.from_bytes(data[last - 2 : last], "little")
    path.write_bytes(data[: last - 2] + padding + data[last:])
    assert (read(path, scan).array > 0).sum() == 20


def test_segments_of_one_number_are_refused(tmp_path):
    path = write_seg(tmp_path / "s.dcm", {"a": blobs(1), "b": blobs(2)}, grid())
    changed(path, lambda dataset: setattr(dataset.SegmentSequence[1], "SegmentNumber", 1))
    with pytest.raises(DataError, match="has several segments of the number 1"):
        read_label(path)


def test_frames_of_segments_that_are_not_listed_are_said(tmp_path):
    path = write_seg(tmp_path / "s.dcm", {"a": blobs(1), "b": blobs(2)}, grid())
    changed(path, lambda dataset: dataset.SegmentSequence.pop())
    label = read_label(path)
    assert np.array_equal(label.stored[0] > 0, blobs(1))
    assert "left out 6 frames of segments that it does not list: 2" in label.notes


@pytest.mark.parametrize("damage", [b"ZI", b"U\xff"])
def test_a_damaged_element_is_one_line(damage, tmp_path, scan):
    path = one_roi(tmp_path, scan, GTV)
    uid = b"\x08\x00\x18\x00"
    path.write_bytes(path.read_bytes().replace(uid + b"UI", uid + damage))
    for reading in (read_structure_header, lambda path: read(path, scan)):
        with pytest.raises(DataError, match=r"RS\.dcm: has a damaged SOPInstanceUID: ") as caught:
            reading(path)
        assert "\n" not in str(caught.value)
