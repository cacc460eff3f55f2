"""A case that is saved as DICOM SEG, RTSTRUCT and for 3D Slicer besides."""

import io
import zipfile

import numpy as np
import pydicom
import pytest

from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_image, read_label
from interactivenet.postprocessing.merging import merge
from interactivenet.viewer.annotations.records import mark_of
from interactivenet.viewer.saving.exports import offered, parse_formats
from interactivenet.viewer.saving.saving import Target, packed, save_annotation
from tests.imaging.written_dicom import UID, stored, write_series
from tests.inference.exporting.segmented_cases import boxes
from tests.raw_task import read
from tests.viewer.annotated import entry_of, prompts_of, provenance

ALL = ("dcm-seg", "rtstruct", "seg.nrrd")
NAMES = {1: "tumour", 2: "liver"}


@pytest.fixture
def scan(tmp_path):
    folder = tmp_path / "scans" / "scan"
    write_series(folder, stored((7, 12, 14)), FrameOfReferenceUID=f"{UID}.77")
    return folder


def outlined(scan, *labels, **options):
    image = read_image(scan)
    return merge(boxes(image, *labels, names=NAMES, **options), image.source)


def save(scan, target, *labels, formats=ALL, made_by="model", over=None):
    result = outlined(scan, *labels)
    made = provenance(*(made_by,) * len(labels))
    entry = entry_of(scan, series=f"{UID}.1.1")
    return save_annotation(entry, result, prompts_of(result), made, target, over, formats)


def test_into_a_folder(scan, tmp_path):
    target = Target(tmp_path / "out")
    saved = save(scan, target, 2, 1)
    names = {path.relative_to(target.folder).as_posix() for path in saved.files}
    assert names == {"scan.nii.gz", "scan.json", "scan.seg.dcm", "scan.rtstruct.dcm",
                     "scan.seg.nrrd"}  # fmt: skip
    seg = pydicom.dcmread(target.folder / "scan.seg.dcm")
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.1"
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["tumour", "liver"]
    record = read(target.folder / "scan.json")
    assert set(record["exports"]) == set(ALL) and record["labels"] == {"1": "tumour", "2": "liver"}
    label = read_label(target.folder / "scan.nii.gz")
    slicer = read_label(target.folder / "scan.seg.nrrd", names=NAMES,
                        image=(scan, read_image(scan).source))  # fmt: skip
    assert np.array_equal(slicer.array, label.array)


def test_what_is_drawn_by_a_person_is_manual(scan, tmp_path):
    save(scan, Target(tmp_path / "out"), 1, made_by="person")
    seg = pydicom.dcmread(tmp_path / "out" / "scan.seg.dcm")
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"


def test_an_export_later_is_no_save_of_another(scan, tmp_path):
    """What was saved keeps its mark, and the files of a save before do not stay."""
    target = Target(tmp_path / "out")
    first = save(scan, target, 1, formats=())
    assert first.mark == save(scan, target, 1, over=first.mark).mark
    record = read(target.folder / "scan.json")
    assert mark_of(record) == first.mark and record["exports"]
    again = save(scan, target, 2, formats=(), over=first.mark)
    assert not any("meanwhile" in note or "kept as" in note for note in again.notes)
    assert not list(target.folder.glob("*.dcm"))
    gone = [note for note in again.notes if "was removed" in note]
    assert len(gone) == 3 and "scan.rtstruct.dcm, of what was saved before, was" in gone[1]
    # written anew it is not gone
    save(scan, target, 1)
    assert not [note for note in save(scan, target, 2).notes if "was removed" in note]


def test_a_strangers_file_stays_and_the_outlines_are_saved(scan, tmp_path):
    target = Target(tmp_path / "out")
    target.folder.mkdir()
    (target.folder / "scan.rtstruct.dcm").write_bytes(b"theirs")
    saved = save(scan, target, 1)
    assert (target.folder / "scan.nii.gz").exists()
    assert (target.folder / "scan.rtstruct.dcm").read_bytes() == b"theirs"
    (note,) = [note for note in saved.notes if "not written" in note]
    assert note.startswith("RTSTRUCT: not written: ")
    assert "was not written by this program" in note
    assert (target.folder / "scan.seg.dcm").exists()


def test_a_file_of_old_outlines_that_somebody_changed_is_said(scan, tmp_path):
    """Though nobody asks for such a file this time: it must not be taken for the new outlines."""
    target = Target(tmp_path / "out")
    first = save(scan, target, 1)
    path = target.folder / "scan.seg.dcm"
    path.write_bytes(path.read_bytes() + b"signed")
    again = save(scan, target, 2, formats=(), over=first.mark)
    assert [file.name for file in target.folder.glob("*.dcm")] == ["scan.seg.dcm"]
    (note,) = [note for note in again.notes if "scan.seg.dcm" in note]
    assert "is of an earlier result, and was changed since: it stays" in note


def test_as_a_zip(scan):
    result = outlined(scan, 1)
    entry = entry_of(scan, series=f"{UID}.1.1")
    data, notes = packed(entry, result, prompts_of(result), provenance("model"), ALL)
    names = {name.split("/")[-1] for name in zipfile.ZipFile(io.BytesIO(data)).namelist()}
    assert {"scan.seg.dcm", "scan.rtstruct.dcm", "scan.seg.nrrd", "scan.nii.gz"} <= names
    assert not any("not written" in note or "/tmp" in note for note in notes)
    (scan / "003.dcm").unlink()
    _, notes = packed(entry, result, prompts_of(result), provenance("model"), ("dcm-seg",))
    assert any(note.startswith("DICOM SEG: not written: ") for note in notes)


def test_a_raw_task_takes_none(scan, tmp_path):
    with pytest.raises(RequestError, match="a raw task holds label maps, and not DICOM SEG"):
        save(scan, Target(task=tmp_path / "Task001_A"), 1)
    assert not (tmp_path / "Task001_A").exists()


def test_what_a_page_may_ask_for():
    dicom = [{"SeriesInstanceUID": "1.2"}]
    assert offered(dicom) == ALL and offered([{}]) == offered([]) == ()
    assert offered([*dicom, {}]) == ()
    assert parse_formats(None, dicom) == parse_formats("", dicom) == parse_formats([], [{}]) == ()
    assert parse_formats("rtstruct,dcm-seg", dicom) == ("dcm-seg", "rtstruct")
    assert parse_formats(["seg.nrrd"], dicom) == ("seg.nrrd",)
    for wrong in ("dicom", ["mha"], {"a": 1}, 3, [1]):
        with pytest.raises(RequestError):
            parse_formats(wrong, dicom)
    with pytest.raises(RequestError, match="needs a scan that is a DICOM series"):
        parse_formats("dcm-seg", [{}])
