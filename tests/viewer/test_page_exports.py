"""What the page is told of other formats, and what it gets."""

import io
import json
import zipfile
from urllib.parse import unquote

import numpy as np
import pydicom
import pytest

from interactivenet.imaging.io import read_image
from tests.imaging.written_dicom import UID, stored, write_series
from tests.raw_task import read
from tests.viewer.serving import make_served, serving


@pytest.fixture
def client(models, tmp_path):
    """A server over one DICOM series of two balls."""
    voxels = stored((20, 40, 44)) // 20
    where = np.indices(voxels.shape)
    ball = sum(((a - c) / h) ** 2 for a, c, h in zip(where, (9, 18, 20), (5, 9, 9), strict=True))
    voxels[ball <= 1] += 400
    write_series(tmp_path / "images" / "scan", voxels, FrameOfReferenceUID=f"{UID}.9")
    (tmp_path / "uploads").mkdir()
    served = make_served(models, tmp_path / "images", tmp_path / "uploads", tmp_path / "saved")
    with serving(served) as client:
        yield client


def outlined(client, folder):
    opened = client.open()
    grid = read_image(folder).source
    voxels = np.array([[20, 18, 9]] * 6) + np.concatenate([np.diag([8, 8, 4]), -np.diag([8, 8, 4])])
    points = (np.c_[voxels, np.ones(6)] @ grid.affine.T)[:, :3].tolist()
    one = {"id": "a", "label": "mass", "points": points, "corrections": []}
    answer = client.put(opened["session"], [one])
    assert answer.status_code == 200, answer.text
    return opened, f"api/sessions/{opened['session']}"


def test_formats_of_a_dicom_scan(client, tmp_path):
    opened, session = outlined(client, tmp_path / "images" / "scan")
    assert [each["name"] for each in opened["exports"]] == ["DICOM SEG", "RTSTRUCT", "3D Slicer"]
    formats = [each["format"] for each in opened["exports"]]
    answer = client.ask("POST", f"{session}/save", json={"formats": formats})
    assert answer.status_code == 200, answer.text
    names = {path.split("/")[-1] for path in answer.json()["files"]}
    assert {"scan.seg.dcm", "scan.rtstruct.dcm", "scan.seg.nrrd", "scan.nii.gz"} <= names
    seg = pydicom.dcmread(tmp_path / "saved" / "scan.seg.dcm")
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["mass"]
    record = read(tmp_path / "saved" / "scan.json")
    assert set(record["exports"]) == set(formats)
    assert record["model"]["name"] and record["labels"]["1"] == "mass"
    wrong = client.ask("POST", f"{session}/save", json={"formats": ["dicom"]})
    assert wrong.status_code == 400 and "dcm-seg" in wrong.json()["error"]


def test_a_zip_has_them_unless_the_scan_has_changed(client, tmp_path):
    _, session = outlined(client, tmp_path / "images" / "scan")
    asked = f"{session}/download?formats=dcm-seg"
    answer = client.ask("GET", asked)
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert "scan/scan.seg.dcm" in names
    told = json.loads(unquote(answer.headers["interactivenet-notes"]))
    assert not any("not written" in note or str(tmp_path) in note for note in told)
    (tmp_path / "images" / "scan" / "003.dcm").unlink()
    answer = client.ask("GET", asked)
    assert answer.status_code == 400 and "have changed since it was opened" in answer.text


def test_other_images_have_none(models, tmp_path, serve):
    del models, tmp_path
    client = serve()
    opened = client.open()
    assert opened["exports"] == []
    answer = client.ask("GET", f"api/sessions/{opened['session']}/download?formats=rtstruct")
    assert answer.status_code == 400 and "needs a scan that is a DICOM series" in answer.text
