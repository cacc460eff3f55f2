"""What an export finds already there: kept, finished, replaced, or left to whoever changed it."""

import pydicom
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.io import read_label, write_label_array
from interactivenet.imaging.structures.codes.code_tables import term_of
from interactivenet.inference.outputs import Output
from interactivenet.system.files import write_json
from tests.inference.exporting.exported_results import VOXELS, export, make_series
from tests.inference.exporting.segmented_cases import segment
from tests.raw_task import read


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
