"""Results in other formats: what is written of which case, refused, and noted."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import read_image, read_label
from interactivenet.inference.export_formats import chosen_exports, chosen_formats
from interactivenet.system.files import write_json
from tests.imaging.written_dicom import UID
from tests.inference.exporting.exported_results import VOXELS, export, masks_of_seg, stored_mask
from tests.inference.exporting.segmented_cases import PLAN, make_weights, segment
from tests.raw_task import read


def test_each_format_holds_the_outlines(results, scan):
    exported = export(results)
    assert not exported.failures and not exported.kept
    assert [path.name for path in exported.written] == ["a.seg.dcm", "a.rtstruct.dcm", "a.seg.nrrd"]
    seg = pydicom.dcmread(results.folder / "a.seg.dcm")
    source = pydicom.dcmread(scan / "000.dcm")
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert seg[keyword].value == source[keyword].value
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert seg.SeriesDescription == "InteractiveNet Task101_SARCOMA, expected Dice 0.84"
    # in the order of the labels, though the liver was marked first
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["tumour", "liver"]
    masks = masks_of_seg(results.folder / "a.seg.dcm", VOXELS.shape)
    for name, value in (("tumour", 1), ("liver", 2)):
        assert masks[name].any() and np.array_equal(masks[name], stored_mask(results, value))
    planned = pydicom.dcmread(results.folder / "a.rtstruct.dcm")
    assert [item.ROIName for item in planned.StructureSetROISequence] == ["tumour", "liver"]
    names = {1: "tumour", 2: "liver"}
    slicer = read_label(results.folder / "a.seg.nrrd", names=names,
                        image=(scan, read_image(scan).source))  # fmt: skip
    assert np.array_equal(slicer.array, read_label(results.label_map("a")).array)


def test_the_record_says_what_was_exported(results, scan):
    export(results)
    record = read(results.record("a"))
    for name, file in (("dcm-seg", "a.seg.dcm"), ("rtstruct", "a.rtstruct.dcm")):
        assert record["exports"][name]["file"] == file
        assert record["exports"][name]["series"] == f"{UID}.1.1"
    assert set(record["files"]) == {
        "a.nii.gz", "a.seg.dcm", "a.rtstruct.dcm", "a.seg.nrrd",
    }  # fmt: skip
    assert all(record["files"].values())
    assert record["model"]["name"] == "Task101_SARCOMA" and len(record["model"]["digest"]) == 64
    assert record["labels"] == {"1": "tumour", "2": "liver"}
    for path in (results.record("a"), results.folder / "a.seg.nrrd"):
        assert b"Doe" not in path.read_bytes()


def test_a_record_of_no_known_kind_is_refused_in_a_line(results):
    record = read(results.record("a"))
    record["made_from"]["reading"] = {"channel_series": 5}
    write_json(results.record("a"), record)
    with pytest.raises(DataError, match=r"made_from\.reading.channel_series is no list"):
        export(results)


def test_names_of_objects_are_never_alike(tmp_path, scan):
    """A label may be called as an object of another one would be."""
    plan = replace(PLAN, labels={1: "tumour", 2: "tumour 2"})
    model = make_weights(tmp_path, plan)
    results = segment(tmp_path / "out", "a", [scan], 1, 1, 2, model=model, names=plan.labels)
    export(results)
    names = ["tumour 1", "tumour 3", "tumour 2"]
    segments = pydicom.dcmread(results.folder / "a.seg.dcm").SegmentSequence
    assert [item.SegmentLabel for item in segments] == names
    planned = pydicom.dcmread(results.folder / "a.rtstruct.dcm")
    assert [item.ROIName for item in planned.StructureSetROISequence] == names


def test_objects_of_one_label_are_numbered(tmp_path, scan):
    results = segment(tmp_path / "out", "a", [scan], 1, 2, 1)
    export(results, "dcm-seg")
    segments = pydicom.dcmread(results.folder / "a.seg.dcm").SegmentSequence
    assert [item.SegmentLabel for item in segments] == ["tumour 1", "tumour 2", "liver"]
    assert len({item.TrackingUID for item in segments}) == 3
    masks = masks_of_seg(results.folder / "a.seg.dcm", VOXELS.shape)
    instances = read_label(results.object_map("a"))
    stored_map = np.transpose(instances.source.from_ras(instances.array[0]), (2, 1, 0))
    for name, number in (("tumour 1", 1), ("liver", 2), ("tumour 2", 3)):
        assert np.array_equal(masks[name], stored_map == number)


def test_nothing_outlined_is_no_file_and_said(tmp_path, scan):
    results = segment(tmp_path / "out", "a", [scan], 1, empty=(0,))
    exported = export(results)
    assert not exported.written and not exported.failures
    assert exported.notes[0].startswith("DICOM SEG, RTSTRUCT, 3D Slicer: not a voxel is outlined")
    assert read(results.record("a"))["exports"]["dcm-seg"]["file"] is None
    assert not list(results.folder.glob("*.dcm"))
    assert export(results).notes == exported.notes  # said again, of what was done before


def test_an_object_without_a_voxel_is_named(tmp_path, scan):
    results = segment(tmp_path / "out", "a", [scan], 1, 2, empty=(1,))
    exported = export(results, "dcm-seg")
    assert any("not a voxel was outlined of liver" in note for note in exported.notes)
    segments = pydicom.dcmread(results.folder / "a.seg.dcm").SegmentSequence
    assert [(item.SegmentNumber, item.SegmentLabel) for item in segments] == [(1, "tumour")]


def test_no_dice_is_claimed_where_one_is_unknown(results):
    record = read(results.record("a"))
    record["objects"][0]["expected_dice"] = None
    write_json(results.record("a"), record)
    export(results, "dcm-seg")
    seg = pydicom.dcmread(results.folder / "a.seg.dcm")
    assert seg.SeriesDescription == "InteractiveNet Task101_SARCOMA"


def test_a_persons_outline_is_manual(results):
    record = read(results.record("a"))
    record["objects"][0]["made_by"] = "person"
    record["objects"][1]["made_by"] = "brush"
    write_json(results.record("a"), record)
    export(results, "dcm-seg")
    segments = pydicom.dcmread(results.folder / "a.seg.dcm").SegmentSequence
    assert {item.SegmentLabel: item.SegmentAlgorithmType for item in segments} == {
        "liver": "MANUAL", "tumour": "SEMIAUTOMATIC",
    }  # fmt: skip


def test_old_records_take_the_names_of_their_objects(tmp_path, scan):
    results = segment(tmp_path / "out", "a", [scan], 1, 2, described=False)
    record = read(results.record("a"))
    assert "model" not in record and "labels" not in record
    del record["files"]
    record["objects"][1]["name"] = ""
    write_json(results.record("a"), record)
    with pytest.raises(DataError, match=r"label 2 has no name in its record.*names="):
        export(results)
    exported = export(results, names={2: "spleen"})
    assert not exported.failures
    seg = pydicom.dcmread(results.folder / "a.seg.dcm")
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["tumour", "spleen"]
    assert seg.SeriesDescription == "InteractiveNet, expected Dice 0.84"
    # the label map is still known to be ours
    assert not results.strangers("a")


def test_a_broken_writer_leaves_nothing_behind(results, monkeypatch):
    from interactivenet.imaging.structures.writing import rtstruct_writing

    def fail(*_):
        raise ValueError("no such thing")

    monkeypatch.setattr(rtstruct_writing, "write_rtstruct", fail)
    exported = export(results)
    assert "unexpected ValueError: no such thing" in exported.failures["rtstruct"]
    assert {path.name for path in exported.written} == {"a.seg.dcm", "a.seg.nrrd"}
    record = read(results.record("a"))
    assert "a.rtstruct.dcm" not in record["files"] and "rtstruct" not in record["exports"]
    assert record["made_from"]


def test_the_folds_decide_which_model_it_is(tmp_path, scan):
    model = make_weights(tmp_path)
    other = replace(model, weights=(*model.weights, *model.weights), folds=(0, 1))
    one = segment(tmp_path / "one", "a", [scan], 1, model=model)
    two = segment(tmp_path / "two", "a", [scan], 1, model=other)
    digests = [read(each.record("a"))["model"]["digest"] for each in (one, two)]
    assert digests[0] == model.digests[0] == digests[1]  # fold 0 alone, of both


def test_formats():
    assert chosen_formats(()) == ("nii.gz", ())
    assert chosen_formats("mha") == ("mha", ())
    assert chosen_formats(["seg.nrrd", "nrrd", "dcm-seg"]) == ("nrrd", ("dcm-seg", "seg.nrrd"))
    with pytest.raises(RequestError, match=r"`format='dicom'`: expected one of nii.gz, mha, nrrd"):
        chosen_formats("dicom")
    with pytest.raises(RequestError, match="one format of label maps only"):
        chosen_formats(["mha", "nii.gz"])
    with pytest.raises(RequestError, match="expected one of dcm-seg"):
        chosen_exports(())
    with pytest.raises(RequestError, match="`format='mha'`"):
        chosen_exports(["mha"])


def test_labels_of_one_name_are_told_apart(results):
    """Named alike by a user, they are two objects of one label."""
    export(results, "dcm-seg", names={2: "tumour"})
    segments = pydicom.dcmread(results.folder / "a.seg.dcm").SegmentSequence
    assert [item.SegmentLabel for item in segments] == ["tumour 1", "tumour 2"]
    assert len({item.TrackingUID for item in segments}) == 2
