"""Segmentations for 3D Slicer: our own reader and ITK read them where they were outlined."""

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label
from interactivenet.imaging.structures.codes.structure_codes import (
    Code,
    StructureCodes,
)
from interactivenet.imaging.structures.writing.slicer_writing import write_slicer_segmentation
from tests.imaging.structures.writing.outlined import RING, outlines, ring_and_more, structure

SHAPE = (14, 11, 5)
TURN = np.radians(20)
GRIDS = {
    "RAS": np.diag([1.0, 1.5, 2.0, 1.0]),
    "LPS": np.diag([-1.0, -1.5, 2.0, 1.0]),
    "oblique": np.array([
        [0.7 * np.cos(TURN), 0.8 * np.sin(TURN), 0, -31.25],
        [0.7 * np.sin(TURN), -0.8 * np.cos(TURN), 0, 12.5],
        [0, 0, -2.5, 1 / 3],
        [0, 0, 0, 1],
    ]),
    "sagittal": np.array([[0, 0, 3, 1], [1, 0, 0, 2], [0, -1, 0, 3], [0, 0, 0, 1.0]]),
}  # fmt: skip


@pytest.mark.parametrize("name", GRIDS)
def test_our_reader_and_itk_read_what_was_outlined(name, tmp_path):
    grid = Geometry(SHAPE, GRIDS[name])
    stored = ring_and_more(SHAPE)
    path = tmp_path / "a.seg.nrrd"
    written = write_slicer_segmentation(path, outlines(stored, grid, *RING))
    assert (written.is_written, written.notes) == (True, ())
    label = read_label(path, names={1: "tumour", 2: "edema", 4: "kidney_left"})
    np.testing.assert_array_equal(label.source.from_ras(label.array[0]), stored)
    assert label.notes == () and label.source.shape == SHAPE
    np.testing.assert_allclose(label.source.affine, grid.affine, atol=1e-9)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), stored)
    direction = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    np.testing.assert_allclose(direction * [[-1], [-1], [1]], grid.affine[:3, :3], atol=1e-9)
    np.testing.assert_allclose(np.array(image.GetOrigin()) * [-1, -1, 1], grid.affine[:3, 3])


def test_names_count_whatever_their_numbers(tmp_path):
    grid = Geometry(SHAPE, np.eye(4))
    path = tmp_path / "a.seg.nrrd"
    write_slicer_segmentation(path, outlines(ring_and_more(SHAPE), grid, *RING))
    label = read_label(path, names={7: "kidney_left", 8: "tumour", 9: "edema"})
    again = np.zeros(10, int)
    again[[7, 8, 9]] = 4, 1, 2
    np.testing.assert_array_equal(again[label.array[0]], ring_and_more(SHAPE))


def test_the_header_names_colours_and_terms(tmp_path):
    grid = Geometry(SHAPE, np.eye(4))
    stored = np.zeros(SHAPE, np.uint8)
    stored[1:3, 2:5, 4] = 1
    stored[0, 0, 0] = 2
    path = tmp_path / "a.seg.nrrd"
    known = structure(1, "kidney_left"), structure(2, "liver_tumour")
    write_slicer_segmentation(path, outlines(stored, grid, *known))
    header = nrrd.read_header(str(path))
    assert header["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert header["Segmentation_SourceRepresentation"] == "Binary labelmap"
    assert header["Segment0_Name"] == "kidney_left" and header["Segment0_ID"] == "Segment_1"
    assert header["Segment0_Extent"] == "1 2 2 4 4 4" and header[
        "Segment1_Extent"
    ] == "0 0 " * 2 + ("0 0")
    assert (header["Segment1_LabelValue"], header["Segment1_Layer"]) == ("2", "0")
    colour = [float(value) * 255 for value in header["Segment0_Color"].split()]
    np.testing.assert_allclose(colour, known[0].codes.colour, atol=0.01)
    terms = header["Segment0_Tags"].split("TerminologyEntry:")[1].rstrip("|").split("~")
    assert terms[1:4] == ["SCT^123037004^Anatomical Structure", "SCT^64033007^Kidney",
                          "SCT^7771000^Left"]  # fmt: skip
    terms = header["Segment1_Tags"].split("TerminologyEntry:")[1].rstrip("|").split("~")
    assert terms[1] == "SCT^49755003^Morphologically Altered Structure"
    assert terms[2] == "SCT^108369006^Neoplasm" and terms[5] == "SCT^10200004^Liver"
    assert len(terms) == 7


def test_names_of_any_characters(tmp_path):
    grid = Geometry(SHAPE, np.eye(4))
    codes = StructureCodes(Code("1", "99X", "a~b^c|d"), Code("2", "99X", "x\ny"))
    known = structure(1, "Läsion 肿瘤", codes=codes), structure(2, "two\nlines", codes=codes)
    path = tmp_path / "a.seg.nrrd"
    stored = np.zeros(SHAPE, np.uint8)
    stored[0, 0, 0], stored[1, 1, 1] = 1, 2
    write_slicer_segmentation(path, outlines(stored, grid, *known))
    label = read_label(path, names={1: "Läsion 肿瘤", 2: "two?lines"})
    np.testing.assert_array_equal(label.array[0], stored)
    assert label.notes == ()
    header = path.read_bytes().split(b"\n\n")[0]
    assert b"~99X^1^a b c d~99X^2^x?y~^^~" in header


def test_nothing_outlined_is_no_file_and_said(tmp_path):
    grid = Geometry(SHAPE, np.eye(4))
    empty = outlines(np.zeros(SHAPE, np.uint8), grid)
    written = write_slicer_segmentation(tmp_path / "a.seg.nrrd", empty)
    assert not written.is_written and "Nothing is outlined of 'tumour'" in written.notes[0]
    assert list(tmp_path.iterdir()) == []


def test_voxels_of_no_structure_are_refused(tmp_path):
    structures = outlines(ring_and_more(SHAPE), Geometry(SHAPE, np.eye(4)), *RING[:2])
    with pytest.raises(DataError, match="have voxels of 4, which is none of them"):
        write_slicer_segmentation(tmp_path / "a.seg.nrrd", structures)


def test_the_same_outlines_give_the_same_bytes(tmp_path):
    structures = outlines(ring_and_more(SHAPE), Geometry(SHAPE, np.eye(4)), *RING)
    for name in "ab":
        write_slicer_segmentation(tmp_path / f"{name}.seg.nrrd", structures)
    assert (tmp_path / "a.seg.nrrd").read_bytes() == (tmp_path / "b.seg.nrrd").read_bytes()
