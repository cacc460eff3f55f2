"""Trees as archives and anonymisations leave them behind."""

import re

import numpy as np
import pydicom
import pytest

from interactivenet.datasets.dicom_tree.import_source import TreeRequest, find_tree_source
from interactivenet.datasets.dicom_tree.writing import write_tree_case
from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label
from interactivenet.prompts.prompt import LabelNames
from tests.datasets.dicom_tree.written_trees import (
    FRAME,
    SHAPE,
    SPACING,
    box_contours,
    box_mask,
    uid_of,
    write_rtstruct,
    write_scan,
)
from tests.imaging.structures.reading.written_structures import write_seg

LABELS = LabelNames({1: "tumour"})
ORIGIN = (-20.0, 10.0, 30.0)


def request(*modalities, **settings):
    return TreeRequest.parse(modalities or ("CT",), LABELS, ("GTV*=tumour",), **settings)


def source(tree, *modalities, **settings):
    return find_tree_source(tree, request(*modalities, **settings), LABELS)


def label_of(case, folder, *modalities, **settings):
    """The label map that is written, and what is said of the case."""
    images, labels = folder / "images", folder / "labels"
    for each in (images, labels):
        each.mkdir(parents=True)
    said = write_tree_case(case, images, labels, request(*modalities, **settings), True)
    return read_label(labels / f"{case.name}.nii.gz").array[0] > 0, said


def changed(folder, **elements):
    for path in sorted(folder.rglob("*.dcm")) if folder.is_dir() else [folder]:
        dataset = pydicom.dcmread(path)
        for keyword, value in elements.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value(dataset) if callable(value) else value)
        dataset.save_as(path)


def two_of_one_uid(tree, *, apart=0):
    """Two patients whose series have one UID; the second lies ``apart`` slices above."""
    above = (*ORIGIN[:2], ORIGIN[2] + apart * 2.5)
    for patient, origin in (("A", ORIGIN), ("B", above)):
        folder = tree / patient
        write_scan(folder / "ct", patient=patient, seed=ord(patient), origin=origin)
        rois = {"GTV": box_contours(origin=origin)}
        write_rtstruct(folder / "rs.dcm", rois, refers_to=[uid_of(1, 1)], patient=patient)
    changed(tree / "B" / "ct", SOPInstanceUID=lambda dataset: dataset.SOPInstanceUID + ".7")


@pytest.mark.parametrize("apart", [0, SHAPE[0]])
def test_patients_whose_series_have_one_uid_stay_apart(apart, tmp_path):
    two_of_one_uid(tmp_path / "tree", apart=apart)
    cases = {case.name: case for case in source(tmp_path / "tree").cases}
    assert {name: len(case.series[0].slices) for name, case in cases.items()} == {"A": 6, "B": 6}
    for name, case in cases.items():
        label, said = label_of(case, tmp_path / name)
        assert label.sum() == box_mask().sum()
        assert said["notes"] == [
            "CT: images of another patient have its SeriesInstanceUID, too: they are taken for no"
            " part of it"
        ]


def test_a_folder_of_two_patients_of_one_uid_says_so(tmp_path):
    two_of_one_uid(tmp_path, apart=SHAPE[0])
    for wanted in ("", uid_of(1, 1)):
        with pytest.raises(DataError, match="though they are of several patients: A, B"):
            find_series(tmp_path, wanted)


def test_slices_without_a_series_uid_are_parted_by_their_studies(tmp_path):
    for study in (1, 2):
        origin = (*ORIGIN[:2], ORIGIN[2] + (study - 1) * SHAPE[0] * 2.5)
        write_scan(tmp_path / str(study), study=study, origin=origin)
        rois = {"GTV": box_contours(origin=origin)}
        write_rtstruct(tmp_path / f"{study}.dcm", rois, study=study, number=study)
    for study in (1, 2):
        changed(tmp_path / str(study), SeriesInstanceUID=None)
    found = source(tmp_path)
    assert [len(case.series[0].slices) for case in found.cases] == [6, 6]


def test_rois_in_another_frame_of_reference_are_no_labels(tmp_path):
    tree = tmp_path / "tree"
    uid = write_scan(tree / "ct")
    moved = [[(x + 3, y, z) for x, y, z in points] for points in box_contours()]
    path = write_rtstruct(
        tree / "rs.dcm", {"GTV": box_contours(), "GTV of MR": moved}, refers_to=[uid]
    )
    dataset = pydicom.dcmread(path)
    dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    dataset.save_as(path)
    (case,) = source(tree).cases
    label, said = label_of(case, tmp_path / "out")
    assert label.sum() == box_mask().sum()
    assert said["notes"] == [
        "left out its ROIs of another frame of reference than the image's: 'GTV of MR'"
    ]
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    dataset.save_as(path)
    (why,) = source(tree).left_out.values()
    assert re.search(r"is in another frame of reference, 1\.2\.3, expected", why)


def grid():
    affine = np.diag([-SPACING[1], -SPACING[0], 2.5, 1.0])
    affine[:3, 3] = 20, -10, 30
    return Geometry(SHAPE[::-1], affine)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segmentations_are_outlines_and_no_scans(kind, tmp_path):
    tree = tmp_path / "tree"
    write_scan(tree / "ct", description="a CT")
    masks = {"liver": ~box_mask(), "GTV": box_mask()}
    write_seg(tree / "seg.dcm", masks, grid(), kind=kind, FrameOfReferenceUID=FRAME,
              SeriesDescription="a CT, segmented")  # fmt: skip
    (case,) = source(tree, "scan=a CT").cases
    label, _ = label_of(case, tmp_path / "out", "scan=a CT")
    assert label.sum() == box_mask().sum()


def test_a_segmentation_elsewhere_is_said_to_be_so(tmp_path):
    write_scan(tmp_path / "ct")
    write_seg(tmp_path / "seg.dcm", {"GTV": box_mask()}, grid(), FrameOfReferenceUID="1.2.3")
    (why,) = source(tmp_path).left_out.values()
    assert re.search(r"refers to no series, and its frame of reference is", why)


def test_patients_with_names_of_any_script(tmp_path):
    tree = tmp_path / "tree"
    uid = write_scan(tree / "côté\n1")
    write_rtstruct(tree / "rs.dcm", {"GTV": box_contours()}, refers_to=[uid])
    changed(tree, SpecificCharacterSet="ISO_IR 192", PatientID="Müller 1")
    (case,) = source(tree).cases
    assert case.name == "Müller_1"


@pytest.mark.parametrize("refers", [True, False])
def test_outlines_of_a_follow_up_are_not_those_of_the_scan_before(refers, tmp_path):
    """Both studies are in one frame of reference, and their slices coincide."""
    write_scan(tmp_path / "before", date="20200101")
    after = write_scan(tmp_path / "after", study=2, date="20210101")
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": box_contours()}, study=9 if refers else 2,
                   refers_to=[after] if refers else [])  # fmt: skip
    found = source(tmp_path)
    assert [case.name for case in found.cases] == ["P1_2"]
    assert "and is of another study" in found.left_out["P1_1"]


def test_a_structure_set_without_contours_is_none(tmp_path):
    uid = write_scan(tmp_path / "ct")
    write_rtstruct(tmp_path / "a.dcm", {"GTV": []}, refers_to=[uid])
    (why,) = source(tmp_path).left_out.values()
    assert re.search(r"a\.dcm has nothing drawn in its 'GTV'", why)
    write_rtstruct(tmp_path / "b.dcm", {"GTV": box_contours()}, refers_to=[uid], number=2)
    (case,) = source(tmp_path).cases
    assert case.outlines.structures.file.name == "b.dcm"
    assert any("a.dcm has nothing drawn" in note for note in case.notes)


def test_outlines_that_are_of_another_patient_by_their_header_are_named(tmp_path):
    uid = write_scan(tmp_path / "ct")
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": box_contours()}, refers_to=[uid], patient="P9")
    (why,) = source(tmp_path).left_out.values()
    assert re.search(r"rs\.dcm refers to it, but is of patient P9", why)


def test_outlines_that_could_be_of_two_cases_are_of_none(tmp_path):
    write_scan(tmp_path / "before", date="20200101")
    write_scan(tmp_path / "after", study=2, date="20210101")
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": box_contours()}, study=9)
    left_out = source(tmp_path).left_out
    assert len(left_out) == 2
    assert all("lie on those of other cases, too" in why for why in left_out.values())


def test_a_slice_whose_class_is_damaged_is_missing_and_its_text_is_not_told(tmp_path):
    uid = write_scan(tmp_path / "ct")
    write_rtstruct(tmp_path / "rs.dcm", {"GTV": box_contours()}, refers_to=[uid])
    path = tmp_path / "ct" / "005.dcm"
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = "1.2.Doe^Jane"
    dataset.save_as(path)
    (why,) = source(tmp_path).left_out.values()
    assert "005.dcm has a damaged SOPClassUID" in why
    assert "Doe" not in why
