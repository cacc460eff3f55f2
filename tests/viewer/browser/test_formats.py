"""A DICOM scan is saved, and downloaded, as SEG, RTSTRUCT and for 3D Slicer, too."""

import io
import zipfile

import pydicom

from tests.imaging.written_dicom import UID


def test_a_dicom_scan_is_saved_in_other_formats(driven, server):
    driven.fresh("straight")
    assert not driven.page.is_visible("#formats")  # no DICOM
    case = driven.fresh("dicom")
    assert driven.page.is_visible("#formats")
    assert driven.page.inner_text("#formats legend") == "Save also as"
    driven.place(server.points(case))
    driven.page.check("#formats label:has-text('DICOM SEG') input")
    driven.page.check("#formats label:has-text('RTSTRUCT') input")
    driven.page.click("#save")
    driven.until("!work.annotation.unsaved")
    written = {path.name for path in server.output.glob(f"{case}.*")}
    assert written == {f"{case}.{end}" for end in ("json", "nii.gz", "seg.dcm", "rtstruct.dcm")}
    seg = pydicom.dcmread(server.output / f"{case}.seg.dcm")
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.1"
    assert "not written" not in driven.says
    with driven.page.expect_download() as started:
        driven.page.click("#download")
    names = zipfile.ZipFile(io.BytesIO(started.value.path().read_bytes())).namelist()
    assert {f"{case}/{case}.seg.dcm", f"{case}/{case}.rtstruct.dcm"} <= set(names)
    # what cannot be written is said; the outlines are saved all the same
    (server.output / f"{case}.seg.dcm").write_bytes(b"theirs")
    driven.page.click("#save")
    driven.until("document.getElementById('messages').textContent.includes('not written')")
    assert "DICOM SEG: not written" in driven.says
    assert (server.output / f"{case}.seg.dcm").read_bytes() == b"theirs"
