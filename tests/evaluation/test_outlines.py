"""RTSTRUCT and DICOM SEG as labels, and SEG as predictions."""

import shutil

import numpy as np
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.matching import build_pairs
from interactivenet.evaluation.measures import measure_with_notes
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import ReadOptions, write_label_array, write_volume
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import write_json
from tests.imaging.structures.reading.written_structures import (
    in_plane,
    square,
    write_rtstruct,
    write_seg,
)
from tests.imaging.written_dicom import UID, stored, write_series
from tests.raw_task import GRID, SHAPE, label_array

NAMES = LabelNames({1: "tumour"})
#: ``label_array`` lies along RAS, the grid is stored along LPS
STORED = GRID.from_ras(label_array())
BOX = square((5, 5), (14, 12))
#: what is said of outlines that are compared with voxels alone
UNKNOWN = (
    "a.dcm: nothing says whether its outlines are of the patient and the scan that were segmented:"
    " `images` with the scans tell"
)


def write_outline(path, name="GTV", planes=range(4, 12), **elements):
    return write_rtstruct(path, [(name, [in_plane(BOX, at, GRID) for at in planes])], **elements)


def predict(path, value=1, array=STORED):
    write_label_array(path, GRID.to_ras(array) * np.uint8(value), GRID)


def rows_of(folder, *, rois=(), names=NAMES, predictions="found", labels="labels", **options):
    options = {key: folder / value for key, value in options.items()}
    pairs = build_pairs(
        folder / predictions, folder / labels, reading=ReadOptions(rois=rois), **options
    )
    return {pair.case: measure_with_notes(pair, names) for pair in pairs.pairs}, pairs


def test_the_box_is_where_the_voxels_are():
    """What all of these tests lean on."""
    assert np.array_equal(np.argwhere(STORED).min(axis=0), [5, 5, 4])
    assert np.array_equal(np.argwhere(STORED).max(axis=0), [14, 12, 11])


def test_files_and_folders_of_the_name_of_a_case(tmp_path):
    for name in "abcde":
        predict(tmp_path / "found" / f"{name}.nii.gz")
    labels = tmp_path / "labels"
    write_outline(labels / "a.dcm")
    write_outline(labels / "b" / "RS.dcm")
    write_seg(labels / "c.seg.dcm", {"tumour": STORED > 0}, GRID)
    write_outline(labels / "d.rtstruct.dcm", "tumour")
    predict(labels / "e.nii.gz")
    (labels / "nothing").mkdir()
    measured, pairs = rows_of(tmp_path)
    assert list(measured) == list("abcde")
    assert not pairs.missing and not pairs.warnings
    assert {row["dice"] for rows, _ in measured.values() for row in rows} == {1.0}
    assert measured["a"][1] == ("a.dcm: its only ROI, 'GTV', is read as 1=tumour", UNKNOWN)
    for case, name in (("c", "c.seg.dcm"), ("d", "d.rtstruct.dcm")):
        assert measured[case][1] == (UNKNOWN.replace("a.dcm", name),)
    assert measured["e"][1] == ()


def test_patterns_and_values(tmp_path):
    predict(tmp_path / "found" / "a.nii.gz", 2)
    path = tmp_path / "labels" / "a.dcm"
    write_rtstruct(path, [
        ("GTV_1", [in_plane(BOX, at, GRID) for at in range(4, 8)]),
        ("gtv_2", [in_plane(BOX, at, GRID) for at in range(8, 12)]),
        ("BODY", [in_plane(square((0, 0), (19, 17)), at, GRID) for at in range(16)]),
    ])  # fmt: skip
    names = LabelNames({1: "liver", 2: "tumour"})
    ((rows, notes),) = rows_of(tmp_path, rois=("GTV*=tumour",), names=names)[0].values()
    assert [(row["label"], row["name"], row["dice"]) for row in rows] == [(2, "tumour", 1.0)]
    assert notes == ("a.dcm: left out its ROIs of no label: 'BODY'", UNKNOWN)
    with pytest.raises(DataError, match="has no ROI of the name of a label"):
        rows_of(tmp_path, names=names)


def test_names_that_the_prediction_was_made_with(tmp_path):
    """Without names of its own, an evaluation must not number labels as it likes."""
    predict(tmp_path / "found" / "a.nii.gz", 2)
    write_json(tmp_path / "found" / "a.json", {"objects": [], "labels": {"1": "x", "2": "tumour"}})
    write_outline(tmp_path / "labels" / "a.dcm")
    ((rows, notes),) = rows_of(tmp_path, rois=("GTV=tumour",), names=None)[0].values()
    assert [(row["label"], row["dice"]) for row in rows] == [(2, 1.0)]
    assert notes == (UNKNOWN,)
    (tmp_path / "found" / "a.json").unlink()
    ((rows, notes),) = rows_of(tmp_path, rois=("GTV=tumour",), names=None)[0].values()
    assert [row["dice"] for row in rows] == [0.0, 0.0]
    assert notes == ("a.dcm: its labels are numbered as they are named: 1=tumour", UNKNOWN)


def test_contours_are_voxels_on_the_grid_of_the_image(tmp_path):
    """A prediction that was cut out of it covers less than the contours."""
    part = Geometry((20, 18, 9), GRID.affine)
    write_label_array(tmp_path / "found" / "a.nii.gz", part.to_ras(STORED[:, :, :9]), part)
    write_outline(tmp_path / "labels" / "a.dcm")
    write_volume(tmp_path / "images" / "a.nii.gz", np.zeros(SHAPE, np.int16), GRID)
    ((rows, _),) = rows_of(tmp_path, images="images")[0].values()
    assert rows[0]["dice"] == pytest.approx(2 * 5 / (5 + 8))
    with pytest.raises(DataError, match=r"ROI 'GTV' has 240 voxels outside of the image"):
        rows_of(tmp_path)


def test_the_series_says_whose_outlines_they_are(tmp_path):
    write_series(
        tmp_path / "images" / "a", stored((16, 18, 20)), spacing=(1.1, 0.9), step=2.0,
        origin=(-30.0, -20.0, -40.0), FrameOfReferenceUID=f"{UID}.9",
    )  # fmt: skip
    predict(tmp_path / "found" / "a.nii.gz")
    write_outline(tmp_path / "labels" / "a.dcm", "tumour", PatientID="P2")
    ((rows, notes),) = rows_of(tmp_path, images="images")[0].values()
    assert rows[0]["dice"] == 1.0
    assert notes == ("a.dcm: it is of patient P2, the image of P1",)


def test_without_images_the_record_says_whose_outlines_they_are(tmp_path):
    """The series that was segmented, as long as it is there; of one that has gone, its UID."""
    predict(tmp_path / "found" / "a.nii.gz")
    write_outline(tmp_path / "labels" / "a.dcm", "tumour", PatientID="P2")
    ((_, notes),) = rows_of(tmp_path)[0].values()
    assert notes == (UNKNOWN,)
    scan = tmp_path / "scan"
    write_series(
        scan, stored((16, 18, 20)), spacing=(1.1, 0.9), step=2.0, origin=(-30.0, -20.0, -40.0),
        FrameOfReferenceUID=f"{UID}.9",
    )  # fmt: skip
    sources = {"images": [str(scan)], "series": [f"{UID}.1.1"]}
    write_json(tmp_path / "found" / "a.json", {"case": "a", "objects": [], "sources": sources})
    ((_, notes),) = rows_of(tmp_path)[0].values()
    assert notes == ("a.dcm: it is of patient P2, the image of P1",)
    shutil.rmtree(scan)
    ((_, notes),) = rows_of(tmp_path)[0].values()
    assert notes == ()  # of a series that nobody names, nothing differs


def test_a_seg_is_compared_with_a_seg(tmp_path):
    write_seg(tmp_path / "found" / "a.dcm", {"tumour": STORED > 0}, GRID, omit_empty=True)
    write_seg(tmp_path / "labels" / "a.dcm", {"GTV": STORED > 0}, GRID)
    ((rows, notes),) = rows_of(tmp_path, rois=("GTV=tumour",))[0].values()
    assert rows[0]["dice"] == 1.0
    assert notes[0].startswith("a.dcm: covers another part of the image's lattice")
    # and with contours, which have no grid of their own
    write_outline(tmp_path / "labels" / "a.dcm")
    ((rows, notes),) = rows_of(tmp_path, rois=("GTV=tumour",))[0].values()
    assert rows[0]["dice"] == 1.0


def test_what_was_exported_beside_a_prediction_is_none_itself(tmp_path):
    found = tmp_path / "found"
    predict(found / "a.nii.gz")
    write_outline(tmp_path / "labels" / "a.dcm")
    for name in ("a.seg.dcm", "a.rtstruct.dcm"):
        write_outline(found / name)
    files = {"dcm-seg": {"file": "a.seg.dcm"}, "rtstruct": {"file": "a.rtstruct.dcm"}}
    write_json(found / "a.json", {"objects": [], "exports": files})
    ((rows, _),) = rows_of(tmp_path)[0].values()
    assert rows[0]["dice"] == 1.0
    write_json(found / "a.json", {"objects": [], "exports": {"dcm-seg": files["dcm-seg"]}})
    with pytest.raises(RequestError, match="has 2 prediction files, expected one"):
        rows_of(tmp_path)


def test_one_prediction_and_a_folder_of_one_structure_set(tmp_path):
    predict(tmp_path / "a.nii.gz")
    write_outline(tmp_path / "mask" / "RS.dcm")
    for labels in ("mask", "mask/RS.dcm"):
        ((rows, _),) = rows_of(tmp_path, predictions="a.nii.gz", labels=labels)[0].values()
        assert rows[0]["dice"] == 1.0
    write_outline(tmp_path / "mask" / "b.dcm")
    with pytest.raises(RequestError, match="has no label map of a"):
        rows_of(tmp_path, predictions="a.nii.gz", labels="mask")


def test_a_folder_of_several_is_a_failure_of_its_case(tmp_path):
    predict(tmp_path / "found" / "a.nii.gz")
    for name in ("1.dcm", "2.dcm"):
        write_outline(tmp_path / "labels" / "a" / name)
    with pytest.raises(DataError, match="holds 2 structure sets or segmentations"):
        rows_of(tmp_path)


def test_a_file_is_equal_to_itself(tmp_path):
    write_seg(tmp_path / "a.dcm", {"tumour": STORED > 0}, GRID)
    predict(tmp_path / "a.nii.gz")
    for name in ("a.dcm", "a.nii.gz"):
        ((rows, _),) = rows_of(tmp_path, predictions=name, labels=name)[0].values()
        assert rows[0]["dice"] == 1.0


def test_two_that_have_only_contours_need_an_image(tmp_path):
    write_outline(tmp_path / "a.dcm", "tumour")
    files = {"predictions": "a.dcm", "labels": "a.dcm"}
    with pytest.raises(DataError, match="is an RTSTRUCT, whose contours say nothing of voxels"):
        rows_of(tmp_path, **files)
    write_volume(tmp_path / "a.nii.gz", np.zeros(SHAPE, np.int16), GRID)
    ((rows, _),) = rows_of(tmp_path, images="a.nii.gz", **files)[0].values()
    assert rows[0]["dice"] == 1.0
