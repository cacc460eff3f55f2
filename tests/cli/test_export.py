"""``export``, and what ``infer`` exports at once: files for archives, planning and 3D Slicer."""

import json
import shutil

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import read_image, write_volume
from interactivenet.planning.plan import Normalisation
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.imaging.written_dicom import UID, stored, write_series
from tests.random_model import make_bundle
from tests.raw_task import read
from tests.sample_cases import make_plan

PLAN = make_plan(
    (1.0, 1.0, 2.0), task="Task001_A", normalisation=(Normalisation("zscore"),), modalities=("CT",)
)
VOXELS = stored((12, 24, 24))
LIVER = {"type": ["10200004", "SCT", "Liver"], "category": ["91723000", "SCT", "Anatomy"]}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), PLAN, folds=(0,))


@pytest.fixture
def cases(tmp_path):
    """Two DICOM series, one of NIfTI, and points in all of them."""
    images, points = tmp_path / "images", tmp_path / "points"
    points.mkdir()
    for number, name in enumerate(("a", "b"), 1):
        write_series(images / name, VOXELS, series=number, FrameOfReferenceUID=f"{UID}.7")
    image = read_image(images / "a")
    write_volume(images / "c.nii.gz", image.array[0], image.source)
    grid = image.grid
    offsets = np.concatenate([np.diag([5, 5, 3]), -np.diag([5, 5, 3])])
    marks = grid.voxel_to_world(np.rint(np.array(grid.shape) / 2 + offsets))
    for name in ("a", "b", "c"):
        write_prompts(points / f"{name}.json", [Prompt(1, marks, "a")])
    return images, points


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def infer(bundle, cases, out, *words):
    images, points = cases
    return run(
        "infer", "-t", "Task001_A", "--model", bundle, "--no-tta", "--device", "cpu", "-i", images,
        "-in", points, "-o", out, *words,
    )  # fmt: skip


def test_infer_exports_each_case(bundle, cases, tmp_path):
    """What has no series is a failed case; its label map stays."""
    out = tmp_path / "out"
    codes = tmp_path / "codes.json"
    codes.write_text(json.dumps({"a": LIVER}), encoding="utf-8")
    words = ["--format", "dcm-seg", "--format", "rtstruct", "--codes", codes]
    done = infer(bundle, cases, out, *words)
    assert done.exit_code == 1, done.output
    reasons = json.loads((out / "failures.json").read_text(encoding="utf-8"))["infer"]
    assert set(reasons) == {"c"} and "c.nii.gz: is no DICOM series" in reasons["c"]
    assert reasons["c"].startswith("segmented, but not exported: dcm-seg, rtstruct: ")
    assert (out / "c.nii.gz").exists() and not (out / "c.seg.dcm").exists()
    for number, name in enumerate(("a", "b"), 1):
        seg = pydicom.dcmread(out / f"{name}.seg.dcm")
        assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.{number}"
        kind = seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0]
        assert (kind.CodeValue, kind.CodeMeaning) == ("10200004", "Liver")
        assert (out / f"{name}.rtstruct.dcm").exists()
    record = read(out / "a.json")
    assert record["model"]["name"] == "Task001_A" and record["labels"] == {"1": "a"}
    # again: segmented and exported before
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.dcm")}
    done = infer(bundle, cases, out, *words)
    assert "3 cases already done" in done.output and "4 files already written" in done.output
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.dcm")} == times
    # the folder can still be compared with labels
    labels = tmp_path / "labels"
    labels.mkdir()
    for path in out.glob("*.nii.gz"):
        shutil.copy(path, labels)
    assert infer(bundle, cases, out, "--format", "seg.nrrd").exit_code == 0
    done = run("evaluate", "-p", out, "-l", labels, "-o", tmp_path / "e")
    assert done.exit_code == 0, done.output


def test_results_are_exported_later(bundle, cases, tmp_path):
    out, (images, _) = tmp_path / "out", cases
    assert infer(bundle, cases, out).exit_code == 0
    done = run("export", out, "--format", "dcm-seg", "-i", images / "a")
    assert done.exit_code == 0, done.output
    assert "DICOM SEG: its series" in " ".join(done.output.split())
    assert {path.name for path in out.glob("*.dcm")} == {"a.seg.dcm", "b.seg.dcm", "c.seg.dcm"}
    seg = pydicom.dcmread(out / "c.seg.dcm")
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{UID}.1.1"
    run_record = read(out / "run.json")
    assert run_record["stage"] == "export" and run_record["earlier"][0]["stage"] == "infer"
    assert "3 files already written" in run("export", out, "--format", "dcm-seg", "-i",
                                            images / "a").output  # fmt: skip
    archive = tmp_path / "archive"
    done = run("export", out, "--format", "seg.nrrd", "--name", "1=liver", "-o", archive)
    assert done.exit_code == 0, done.output
    assert "Segment0_Name:=liver" in (archive / "a.seg.nrrd").read_bytes()[:4000].decode("latin-1")
    failed = run("export", out, "--format", "rtstruct")
    assert failed.exit_code == 1
    reasons = read(out / "failures.json")["export"]
    assert set(reasons) == {"c"} and "'interactivenet export RESULTS -i FOLDER'" in reasons["c"]


def test_a_request_that_cannot_be_met_is_refused_at_once(bundle, cases, tmp_path):
    out = tmp_path / "out"
    codes = tmp_path / "codes.json"
    codes.write_text(json.dumps({"spleen": LIVER}), encoding="utf-8")
    for words, told in (
        (["--format", "dicom"], "--format dicom: expected one of nii.gz"),
        (["--format", "mha", "--format", "nrrd"], "expected one format of label maps only"),
        (["--codes", codes], "label maps hold no codes"),
        (["--codes", codes, "--format", "dcm-seg"], "codes of 'spleen'"),
    ):
        done = infer(bundle, cases, out, *words)
        assert done.exit_code == 2 and told in " ".join(done.output.split()), done.output
    assert not out.exists()
    out.mkdir()
    done = run("export", out, "--format", "dcm-seg")
    assert done.exit_code == 2 and "holds no CASE.json" in done.output
    (out / "a.seg.dcm").write_bytes(b"theirs")
    done = infer(bundle, cases, out, "--format", "dcm-seg")
    assert done.exit_code == 2 and "a.seg.dcm: was not written by this program" in done.output
    assert run("export", out).exit_code == 2
    (out / "a.seg.dcm").unlink()
    assert infer(bundle, cases, out).exit_code == 0
    done = run("export", out, "--format", "seg.nrrd", "--name", "7=x")
    assert done.exit_code == 2 and "no case has the label 7" in done.output
    assert run("export", tmp_path / "none", "--format", "rtstruct").exit_code == 2
    series = cases[0] / "a"
    before = sorted(series.iterdir())
    done = run("export", out, "--format", "dcm-seg", "-o", series)
    assert done.exit_code == 2 and "contains input files" in done.output
    assert sorted(series.iterdir()) == before  # nothing but slices


def test_what_cannot_be_exported_is_not_forgotten(bundle, cases, tmp_path):
    out, (images, points) = tmp_path / "out", cases
    (images / "c.nii.gz").unlink()
    (points / "c.json").unlink()
    assert infer(bundle, cases, out).exit_code == 0
    (out / "a.json").write_text("{", encoding="utf-8")
    (out / "x.nii.gz").write_bytes(b"a stranger's")
    done = run("export", out, "--format", "dcm-seg")
    assert done.exit_code == 1
    text = " ".join(done.output.split())
    assert "x.nii.gz has no x.json of its objects: it is not exported" in text
    assert set(read(out / "failures.json")["export"]) == {"a"}
    assert (out / "b.seg.dcm").exists()
