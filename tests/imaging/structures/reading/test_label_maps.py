"""RTSTRUCT files as label maps."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.channels import read_grid
from interactivenet.imaging.dicom.opening import read_dataset
from interactivenet.imaging.io import ReadOptions, read_image, read_label
from interactivenet.imaging.structures.reading.structure_files import (
    Roi,
    find_structure_file,
    read_structure_header,
    structure_kind,
)
from tests.imaging.structures.reading.written_structures import in_plane, square, write_rtstruct
from tests.imaging.written_dicom import UID, stored, write_series

NAMES = {1: "liver", 2: "tumour"}
SAME = {"FrameOfReferenceUID": f"{UID}.9"}
LIVER, TUMOUR = square((0, 0), (4, 3)), square((3, 2), (5, 3))
OBLIQUE = (0.6, 0.8, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture
def scan(tmp_path):
    """The grid of a series of six slices of five rows and eight columns."""
    write_series(tmp_path / "scan", stored((6, 5, 8)), **SAME)
    return tmp_path / "scan", read_image(tmp_path / "scan").source


def outlines(where, polygons, planes=(1, 2)):
    return [in_plane(polygon, plane, where) for plane in planes for polygon in polygons]


def read(path, scan, *rois, names=NAMES):
    return read_label(path, ReadOptions(rois=rois), names=names, image=scan)


def counts(label):
    values, numbers = np.unique(label.array, return_counts=True)
    return dict(zip(values.tolist(), numbers.tolist(), strict=True))


def written(tmp_path, where, rois, **elements):
    rois = [(name, outlines(where, polygons)) for name, polygons in rois]
    return write_rtstruct(tmp_path / "RS.dcm", rois, **{**SAME, **elements})


def test_rois_become_labels_on_the_grid_of_the_image(tmp_path, scan):
    path = written(tmp_path, scan[1], [("Liver", [LIVER]), ("GTV", [TUMOUR]), ("BODY", [LIVER])])
    label = read(path, scan, "GTV*=tumour", "liver=liver")
    assert label.source is scan[1]
    assert label.array.dtype == np.uint8
    expected = np.zeros((8, 5, 6), np.uint8)
    expected[3:6, 2:4, 1:3] = 2
    expected[0:5, 0:4, 1:3] = 1  # named last, so above
    assert np.array_equal(label.stored[0], expected)
    assert label.notes == (
        "left out its ROIs of no label: 'BODY'",
        "8 voxels of label 2=tumour are in label 1=liver, too: they are read as the latter",
    )


def test_the_label_that_is_named_last_lies_above_and_else_the_highest(tmp_path, scan):
    path = written(tmp_path, scan[1], [("tumour", [TUMOUR]), ("liver", [LIVER])])
    tumour_above = {0: 240 - 40 - 4, 1: 32, 2: 12}
    assert counts(read(path, scan)) == tumour_above
    assert counts(read(path, scan, "liver=liver", "tumour=tumour")) == tumour_above
    assert counts(read(path, scan, "tumour=tumour", "liver=liver")) == {0: 196, 1: 40, 2: 4}


def test_several_rois_are_one_label_and_their_overlap_is_in_it(tmp_path, scan):
    path = written(tmp_path, scan[1], [("GTV 1", [LIVER]), ("GTV 2", [TUMOUR])])
    assert counts(read(path, scan, "GTV*=tumour")) == {0: 196, 2: 44}


def test_a_label_that_is_all_covered_is_refused(tmp_path, scan):
    path = written(tmp_path, scan[1], [("GTV", [LIVER]), ("CTV", [LIVER])])
    with pytest.raises(DataError, match="nothing left of label 1=liver, which lies under others"):
        read(path, scan, "GTV=liver", "CTV=tumour")


def test_an_roi_without_contours_is_named(tmp_path, scan):
    rois = [("tumour", []), ("liver", outlines(scan[1], [LIVER]))]
    path = write_rtstruct(tmp_path / "RS.dcm", rois, **SAME)
    label = read(path, scan)
    assert counts(label) == {0: 200, 1: 40}
    assert label.notes == ("ROI 'tumour': has no contours", "nothing in it is label 2=tumour")


def test_contours_of_rois_that_it_does_not_list_are_named(tmp_path, scan):
    path = written(tmp_path, scan[1], [("tumour", [TUMOUR]), ("Liver", [LIVER])])
    dataset = pydicom.dcmread(path)
    del dataset.StructureSetROISequence[1]
    dataset.save_as(path)
    assert "left out 2 contours of ROIs that it does not list: 12" in read(path, scan).notes


def test_what_is_wrong_names_file_and_roi(tmp_path, scan):
    rois = [("tumour", outlines(scan[1], [LIVER], planes=(1, 2.5)))]
    path = write_rtstruct(tmp_path / "RS.dcm", rois, **SAME)
    with pytest.raises(DataError) as refused:
        read(path, scan)
    assert str(refused.value).startswith(f"{path}: its ROI 'tumour' has contours up to 1.2 mm from")


def test_without_an_image_it_is_refused(tmp_path, scan):
    path = written(tmp_path, scan[1], [("tumour", [LIVER])])
    with pytest.raises(DataError, match="is an RTSTRUCT, whose contours say nothing of voxels"):
        read_label(path)


@pytest.mark.parametrize(
    ("elements", "notes"),
    [
        ({}, ()),
        ({"PatientID": "P2"}, ("it is of patient P2, the image of P1",)),
        ({"FrameOfReferenceUID": f"{UID}.8"},
         ("its frame of reference is another one than the image's: nothing says that positions in"
          " both mean the same place",)),
    ],
)  # fmt: skip
def test_strangers_are_named(tmp_path, scan, elements, notes):
    path = written(tmp_path, scan[1], [("tumour", [LIVER])], **elements)
    assert read(path, scan, names={1: "tumour"}).notes == notes
    grid = read_grid([scan[0]])
    assert read(path, (scan[0], grid), names={1: "tumour"}).notes == notes
    assert grid.is_same_lattice(scan[1])


def test_another_series_of_the_same_place_is_said(tmp_path, scan):
    path = written(tmp_path, scan[1], [("tumour", [LIVER])])
    write_series(tmp_path / "other", stored((6, 5, 8)), series=2, **SAME)
    other = tmp_path / "other", read_image(tmp_path / "other").source
    label = read(path, other, names={1: "tumour"})
    assert label.notes == ("it was drawn on another series of the same frame of reference",)
    assert counts(label) == {0: 200, 1: 40}


@pytest.mark.parametrize("axes", [OBLIQUE, (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)])
def test_oblique_and_sagittal_series(tmp_path, axes):
    write_series(tmp_path / "scan", stored((6, 5, 8)), axes=axes, **SAME)
    scan = tmp_path / "scan", read_image(tmp_path / "scan").source
    label = read(written(tmp_path, scan[1], [("tumour", [TUMOUR])]), scan, names={1: "tumour"})
    expected = np.zeros((8, 5, 6), bool)
    expected[3:6, 2:4, 1:3] = True
    assert np.array_equal(label.stored[0] == 1, expected)
    assert label.notes == ()


def test_a_folder_of_one_and_of_several(tmp_path, scan):
    path = written(tmp_path / "case", scan[1], [("tumour", [LIVER])])
    assert find_structure_file(path.parent) == path
    assert counts(read(path.parent, scan, names={1: "tumour"})) == {0: 200, 1: 40}
    write_rtstruct(path.with_name("RS2.dcm"), [("tumour", [])])
    with pytest.raises(DataError, match="holds 2 structure sets or segmentations, expected one"):
        read(path.parent, scan)


def test_a_folder_of_slices_is_no_outline(scan):
    assert find_structure_file(scan[0]) is None
    with pytest.raises(DataError, match="negative label value"):
        read_label(scan[0], image=scan)


def test_the_header(tmp_path, scan):
    path = written(tmp_path, scan[1], [("Größe", [LIVER, TUMOUR]), ("BODY", [])])
    file = read_structure_header(path)
    assert (file.kind, file.label, file.description) == ("RTSTRUCT", "RTstruct", "outlines")
    assert (file.date, file.time, file.patient_id) == ("20200102", "030405", "P1")
    assert (file.study, file.series) == (f"{UID}.1", (f"{UID}.1.1",))
    assert (file.frame_of_reference, file.uid) == (f"{UID}.9", f"{UID}.1.77.1")
    assert file.rois == (Roi(11, "Größe", 4, f"{UID}.9"), Roi(12, "BODY", 0, f"{UID}.9"))
    assert "Doe" not in repr(file)


def test_what_is_none(tmp_path, scan):
    text = tmp_path / "notes.txt"
    text.write_text("GTV", encoding="utf-8")
    pipe = tmp_path / "pipe.dcm"
    os.mkfifo(pipe)
    slice_ = next(scan[0].iterdir())
    assert [structure_kind(path) for path in (text, pipe, slice_, tmp_path, Path("none"))] == [
        ""
    ] * 5
    for path in (text, slice_):
        with pytest.raises(DataError, match="is no RTSTRUCT or DICOM SEG"):
            read_structure_header(path)
    with pytest.raises(DataError, match="regular file"):
        read_structure_header(pipe)


def undefined_lengths(path):
    """Write a file with delimiters in place of lengths, as many programs do."""
    dataset = read_dataset(path)

    def visit(data):
        for element in data:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
                    visit(item)

    visit(dataset)
    dataset.save_as(path)


@pytest.mark.parametrize("delimited", [False, True])
def test_a_file_that_was_cut_short_is_never_read_in_part(tmp_path, scan, delimited):
    path = written(tmp_path, scan[1], [("tumour", [LIVER, TUMOUR])])
    if delimited:
        undefined_lengths(path)
    whole = read(path, scan, names={1: "tumour"})
    data = path.read_bytes()
    refused = 0
    for length in range(200, len(data), 7):
        path.write_bytes(data[:length])
        try:
            part = read(path, scan, names={1: "tumour"})
        except DataError:
            refused += 1
        else:
            assert np.array_equal(part.array, whole.array), length
    assert refused > 150


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda item: setattr(item, "NumberOfContourPoints", 9), "of 4 points, expected 9"),
        (lambda item: setattr(item, "ContourData", [1.0, 2.0, 3.0, 4.0]), "of 4 coordinates"),
        (lambda item: setattr(item, "ContourOffsetVector", [0, 0, 1]), "Contour Offset Vector"),
    ],
)
def test_damaged_contours_are_refused(tmp_path, scan, change, why):
    path = written(tmp_path, scan[1], [("tumour", [LIVER])])
    dataset = read_dataset(path)
    change(dataset.ROIContourSequence[0].ContourSequence[0])
    dataset.save_as(path)
    with pytest.raises(DataError, match=why):
        read(path, scan, names={1: "tumour"})


def test_wrong_requests_and_options(tmp_path, scan):
    path = written(tmp_path, scan[1], [("tumour", [LIVER])])
    with pytest.raises(RequestError, match="expected one of the labels"):
        read(path, scan, "tumour=node")
    assert ReadOptions(rois=("a=b",)).as_json() == {"rois": ["a=b"]}
    assert ReadOptions().as_json() == {}


@pytest.mark.parametrize("modality", ["CT", "MR_T1", "PET"])
def test_real_outlines_equal_the_masks_that_came_with_them(shared_data, modality):
    folder = shared_data("dicom/sarcoma_STS_008")
    scan = folder / modality / "image", read_grid([folder / modality / "image"])
    label = read(folder / modality / "mask", scan, "GTV_Mass*=tumour", names={1: "tumour"})
    expected = read_label(folder / "nifti_mask" / f"{modality}_mask.nii.gz", image=scan)
    assert np.array_equal(label.array, expected.array)
    assert counts(label)[1] == {"CT": 8862, "MR_T1": 8862, "PET": 388}[modality]
    assert label.notes == ()
