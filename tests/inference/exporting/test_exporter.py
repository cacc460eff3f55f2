"""Results in other formats: what is written of which case, kept, refused, and noted."""

import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import read_image, read_label, write_label_array, write_volume
from interactivenet.imaging.structures.codes.code_tables import term_of
from interactivenet.inference.export_formats import chosen_exports, chosen_formats
from interactivenet.inference.exporting.exporter import Exporter, export_case
from interactivenet.inference.exporting.outlined_structures import Naming
from interactivenet.inference.exporting.source_series import SourceFinder
from interactivenet.inference.outputs import Output
from interactivenet.system.files import write_json
from tests.imaging.written_dicom import UID, stored, write_series
from tests.inference.exporting.segmented_cases import PLAN, make_weights, segment
from tests.raw_task import read

VOXELS = stored((7, 12, 14))
FRAME = f"{UID}.77"
ALL = ("dcm-seg", "rtstruct", "seg.nrrd")


def make_series(folder, voxels=VOXELS, **elements):
    write_series(folder, voxels, **{"FrameOfReferenceUID": FRAME, **elements})
    return folder


@pytest.fixture
def scan(tmp_path):
    return make_series(tmp_path / "scans" / "a")


@pytest.fixture
def results(tmp_path, scan):
    """Two objects, of two labels."""
    return segment(tmp_path / "out", "a", [scan], 2, 1)


def export(results, *formats, images=(), names=None, codes=None, target=None, overwrite=False):
    exporter = Exporter(
        formats or ALL, Naming(names or {}, codes or {}), SourceFinder(images), overwrite
    )
    return export_case(results, "a", exporter, target)


def masks_of_seg(path, shape):
    """Voxels (slices, rows, columns) of each segment of a SEG, by its label; plain loops."""
    dataset = pydicom.dcmread(path)
    names = {int(item.SegmentNumber): item.SegmentLabel for item in dataset.SegmentSequence}
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    frames = bits[: dataset.NumberOfFrames * shape[1] * shape[2]].reshape(-1, *shape[1:])
    masks = {name: np.zeros(shape, bool) for name in names.values()}
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        here = group if "SegmentIdentificationSequence" in group else shared  # of a single segment
        number = here.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        z = group.PlanePositionSequence[0].ImagePositionPatient[2]
        masks[names[number]][round((float(z) - 30.0) / 2.5)] |= frame.astype(bool)
    return masks


def stored_mask(results, value):
    """A label (slices, rows, columns) as DICOM has it."""
    label = read_label(results.label_map("a"))
    return np.transpose(label.source.from_ras(label.array[0] == value), (2, 1, 0))


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


def test_what_was_written_before_is_kept(results, scan):
    first = export(results)
    content = {path: path.read_bytes() for path in first.written}
    again = export(results)
    assert again.kept == first.written and not again.written
    assert {path: path.read_bytes() for path in again.kept} == content
    # other codes are another file, of the same objects; that of 3D Slicer has them, too
    changed = export(results, "dcm-seg", codes={"tumour": term_of("Liver")})
    assert len(changed.written) == 1 and not changed.kept
    before, after = (pydicom.dcmread(path) for path in
                     (results.folder / "a.seg.dcm", changed.written[0]))  # fmt: skip
    assert before.SegmentSequence[0].TrackingUID == after.SegmentSequence[0].TrackingUID
    assert after.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Liver"
    assert export(results, "dcm-seg", codes={"tumour": term_of("Liver")}).kept
    forced = export(results, "rtstruct", overwrite=True)
    assert forced.written and forced.written[0].read_bytes() != content[forced.written[0]]


def test_a_killed_export_is_finished(results):
    """The file is known to be ours before it is written: what is half there is replaced."""
    whole = export(results, "rtstruct").written[0].read_bytes()
    record = read(results.record("a"))
    record["files"]["a.rtstruct.dcm"] = ""
    del record["exports"]
    write_json(results.record("a"), record)
    (results.folder / "a.rtstruct.dcm").write_bytes(whole[:100])
    assert export(results, "rtstruct").written
    planned = pydicom.dcmread(results.folder / "a.rtstruct.dcm")
    assert len(planned.ROIContourSequence) == 2


def test_what_was_killed_while_it_was_replaced_is_written_again(results):
    """The record says what was there before, and the file is of other codes already."""
    export(results, "dcm-seg")
    before = read(results.record("a"))
    export(results, "dcm-seg", codes={"tumour": term_of("Liver")})
    before["files"]["a.seg.dcm"] = ""
    write_json(results.record("a"), before)
    assert export(results, "dcm-seg").written
    segment = pydicom.dcmread(results.folder / "a.seg.dcm").SegmentSequence[0]
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Neoplasm"
    assert all(read(results.record("a"))["files"].values())
    assert export(results, "dcm-seg").kept


@pytest.mark.parametrize("noted", [5, [1], {"rtstruct": "gone"}])
def test_failures_of_before_that_cannot_be_read_are_no_matter(results, noted):
    write_json(results.record("a"), {**read(results.record("a")), "export_failures": noted})
    assert export(results, "dcm-seg").written
    kept = noted if isinstance(noted, dict) else None
    assert read(results.record("a")).get("export_failures") == kept


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


@pytest.mark.parametrize("name", ["a.seg.dcm", "a.rtstruct.dcm", "a.seg.nrrd"])
def test_a_strangers_file_is_never_replaced(results, name):
    path = results.folder / name
    path.write_bytes(b"theirs")
    for overwrite in (False, True):
        exported = export(results, overwrite=overwrite)
        (reason,) = exported.failures.values()
        assert f"{name}: was not written by this program" in reason
        assert len(exported.written) + len(exported.kept) == 2
    assert path.read_bytes() == b"theirs" and name not in read(results.record("a"))["files"]


def test_a_file_that_somebody_changed_stays(results):
    export(results)
    path = results.folder / "a.seg.dcm"
    path.write_bytes(b"edited")
    exported = export(results, overwrite=True)
    assert "was changed since this program wrote it" in exported.failures["dcm-seg"]
    assert path.read_bytes() == b"edited"
    record = read(results.record("a"))
    assert record["export_failures"] == exported.failures
    path.unlink()
    assert not export(results).failures
    assert "export_failures" not in read(results.record("a"))


def test_an_edited_label_map_is_refused(results):
    label = read_label(results.label_map("a"))
    write_label_array(results.label_map("a"), label.array[0] * 0 + 1, label.source)
    with pytest.raises(DataError, match=r"a\.nii\.gz: was changed since this program wrote it"):
        export(results)
    results.label_map("a").unlink()
    with pytest.raises(DataError, match="has no label map"):
        export(results)


def test_a_changed_source_is_refused(results, scan):
    write_series(scan, VOXELS + 1, FrameOfReferenceUID=FRAME)
    exported = export(results)
    assert set(exported.failures) == {"dcm-seg", "rtstruct"}
    assert f"{scan}: has changed since it was segmented: 000.dcm" in exported.failures["dcm-seg"]
    assert [path.name for path in exported.written] == ["a.seg.nrrd"]


@pytest.mark.parametrize(
    ("number", "reason"), [(6, "lie on another grid"), (3, "one is missing|missing")]
)
def test_a_lost_slice_is_refused(results, scan, number, reason):
    (scan / f"{number:03d}.dcm").unlink()
    exported = export(results, "dcm-seg")
    assert not exported.written and "\n" not in exported.failures["dcm-seg"]
    assert str(scan) in exported.failures["dcm-seg"]


def test_a_series_that_has_moved_is_found_by_its_uid(results, scan, tmp_path):
    shutil.move(scan, tmp_path / "archive" / "p" / "s")
    make_series(tmp_path / "archive" / "q", series=2)
    gone = export(results, "dcm-seg")
    assert "does not exist any more" in gone.failures["dcm-seg"]
    exported = export(results, "dcm-seg", images=[tmp_path / "archive"])
    assert not exported.failures
    assert any("was found in" in note for note in exported.notes)
    seg = pydicom.dcmread(exported.written[0])
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.1"
    other = export(results, "rtstruct", images=[tmp_path / "archive" / "q"])
    assert f"has no series {UID}.1.1" in other.failures["rtstruct"]


def test_slices_that_were_lost_at_an_end_are_said(results, scan, tmp_path):
    """Nothing is outlined there, and the other slices are those that were segmented."""
    moved = tmp_path / "elsewhere"
    shutil.move(scan, moved)
    (moved / "006.dcm").unlink()
    exported = export(results, "dcm-seg", "rtstruct", images=[moved])
    assert len(exported.written) == 2
    assert any(
        "has 14x12x6 voxels, and the outlines have 14x12x7: slices were lost or added" in note
        for note in exported.notes
    )
    masks = masks_of_seg(results.folder / "a.seg.dcm", (6, *VOXELS.shape[1:]))
    assert np.array_equal(masks["tumour"], stored_mask(results, 1)[:6])


def test_files_of_the_same_uid_that_differ_are_said(results, scan, tmp_path):
    shutil.rmtree(scan)
    make_series(tmp_path / "archive", VOXELS + 5)
    exported = export(results, "dcm-seg", images=[tmp_path / "archive"])
    assert exported.written
    assert any("7 of the 7 files" in note and "are not those" in note for note in exported.notes)


@pytest.fixture
def converted(tmp_path, scan):
    """A case that was segmented from NIfTI, and the tree that it was made from."""
    image = read_image(scan)
    write_volume(tmp_path / "a.nii.gz", image.array[0], image.source)
    make_series(scan.parent / "other", VOXELS[::-1], series=2)
    return segment(tmp_path / "out", "a", [tmp_path / "a.nii.gz"], 1)


def test_a_case_of_nifti_needs_its_series(converted, scan):
    exported = export(converted, "dcm-seg", "seg.nrrd")
    assert "a.nii.gz: is no DICOM series" in exported.failures["dcm-seg"]
    assert [path.name for path in exported.written] == ["a.seg.nrrd"]
    # two series lie on its grid; the values tell which it was
    exported = export(converted, "dcm-seg", images=[scan.parent])
    assert not exported.failures
    assert any("by its grid and its values" in note for note in exported.notes)
    seg = pydicom.dcmread(exported.written[0])
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.1"
    masks = masks_of_seg(exported.written[0], VOXELS.shape)
    assert np.array_equal(masks["tumour"], stored_mask(converted, 1))


def test_other_values_on_the_same_grid_are_another_scan(converted, scan):
    exported = export(converted, "dcm-seg", images=[scan.parent / "other"])
    assert "with other values than" in exported.failures["dcm-seg"]


def test_by_grid_alone_it_must_be_the_only_one(converted, scan, tmp_path):
    (tmp_path / "a.nii.gz").unlink()
    exported = export(converted, "dcm-seg", images=[scan.parent])
    assert "2 series that it could have been" in exported.failures["dcm-seg"]
    exported = export(converted, "dcm-seg", images=[scan])
    assert any("by its grid alone: look whether" in note for note in exported.notes)
    elsewhere = make_series(tmp_path / "elsewhere", origin=(0.0, 0.0, 0.0))
    exported = export(converted, "rtstruct", images=[elsewhere])
    assert "holds no series on the grid" in exported.failures["rtstruct"]


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


def test_another_folder_gets_a_record_of_its_own(results, scan, tmp_path):
    before = read(results.record("a"))
    target = Output(tmp_path / "archive", ())
    exported = export(results, target=target)
    assert {path.name for path in target.folder.iterdir()} == {
        "a.json", "a.seg.dcm", "a.rtstruct.dcm", "a.seg.nrrd",
    }  # fmt: skip
    assert read(results.record("a")) == before
    assert export(results, target=target).kept == exported.written
    # another scan of that name does not take their place
    other = make_series(tmp_path / "scans" / "b", series=3)
    rival = segment(tmp_path / "rival", "a", [other], 1)
    with pytest.raises(DataError, match="of another scan of this name"):
        export(rival, target=target)
    with pytest.raises(DataError, match="of results of their own"):
        export(results, target=rival)


def test_results_of_a_new_segmentation_do_not_keep_old_exports(results, scan, tmp_path):
    export(results)
    segment(tmp_path / "out", "a", [scan], 1, model=None)  # the same key: the same result
    assert (results.folder / "a.seg.dcm").exists()
    make_series(scan, VOXELS + 1)
    segment(tmp_path / "out", "a", [scan], 1)
    assert not (results.folder / "a.seg.dcm").exists()
    record = read(results.record("a"))
    assert "exports" not in record
    (note,) = [note for note in record["notes"] if "removed" in note]
    assert note.startswith("a.seg.dcm, a.rtstruct.dcm, a.seg.nrrd of an earlier result removed")


def test_files_of_one_case_that_differ_are_said(results):
    """A SEG and an RTSTRUCT of the same outlines must not say two things of them."""
    export(results, "dcm-seg", "rtstruct", codes={"tumour": term_of("Liver")})
    done = export(results, "rtstruct", codes={"tumour": term_of("Liver")})
    assert not any("written before" in note for note in done.notes)
    done = export(results, "rtstruct", codes={"tumour": term_of("Spleen")})
    assert [note for note in done.notes if "written before" in note] == [
        "a.seg.dcm, written before, has other names, codes or outlines: export it again, too"
    ]


def test_an_old_export_that_somebody_changed_is_said_to_be_none_of_a_new_result(results, scan):
    export(results, "dcm-seg")
    path = results.folder / "a.seg.dcm"
    path.write_bytes(path.read_bytes() + b"signed")
    make_series(scan, VOXELS + 1)
    segment(results.folder, "a", [scan], 1)
    assert path.exists()
    record = read(results.record("a"))
    (note,) = [note for note in record["notes"] if "a.seg.dcm" in note]
    assert "is of an earlier result, and was changed since: it stays" in note
    assert set(record["files"]) == {"a.nii.gz"}


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


def test_nothing_is_written_among_the_slices(results, scan):
    before = sorted(scan.iterdir())
    for formats in (("dcm-seg",), ("seg.nrrd",)):
        with pytest.raises(DataError, match="holds the series itself"):
            export(results, *formats, target=Output(scan, ()))
    assert sorted(scan.iterdir()) == before
