"""``infer`` with DICOM folders as they are exported, and other commands that take them."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import read_image, write_label_array
from interactivenet.inference.predictor import Predictor
from interactivenet.planning.plan import Normalisation
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.imaging.structures.reading.written_structures import in_plane, square, write_rtstruct
from tests.imaging.written_dicom import UID, stored, write_frames, write_series
from tests.random_model import make_bundle
from tests.sample_cases import make_plan

PLAN = make_plan(
    (1.0, 1.0, 2.0), task="Task001_A", normalisation=(Normalisation("zscore"),), modalities=("CT",)
)
VOXELS = stored((12, 24, 24))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), PLAN, folds=(0,))


@pytest.fixture
def cases(tmp_path):
    images, points = tmp_path / "images", tmp_path / "points"
    points.mkdir()
    return images, points


def mark(path, folder):
    """Write six points around the middle of a series."""
    grid = read_image(folder).grid
    offsets = np.concatenate([np.diag([5, 5, 3]), -np.diag([5, 5, 3])])
    points = grid.voxel_to_world(np.rint(np.array(grid.shape) / 2 + offsets))
    write_prompts(path, [Prompt(1, points, "a")])


def infer(bundle, *words):
    line = ["infer", "-t", "Task001_A", "--model", bundle, "--no-tta", "--device", "cpu", *words]
    return CliRunner().invoke(main, [str(word) for word in line])


def test_series_trees_and_frames(bundle, cases, tmp_path):
    """They are the same scan: the same voxels, in the same place, and each names its series."""
    images, points = cases
    write_series(images / "flat", VOXELS, series=1)
    write_series(images / "tree", VOXELS, series=2, name="ST1/SE2/IM{}")
    write_frames(images / "frames" / "IM1", VOXELS, series=3)
    for name in ("flat", "tree", "frames"):
        mark(points / f"{name}.json", images / "flat")
    out = tmp_path / "out"
    done = infer(bundle, "-i", images, "-in", points, "-o", out)
    assert done.exit_code == 0, done.output
    masks = [sitk.ReadImage(str(out / f"{name}.nii.gz")) for name in ("flat", "tree", "frames")]
    for mask in masks[1:]:
        assert np.array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(masks[0]))
        assert mask.GetOrigin() == masks[0].GetOrigin()
    for number, name in enumerate(("flat", "tree", "frames"), 1):
        record = json.loads((out / f"{name}.json").read_text())
        assert record["sources"]["series"] == [f"{UID}.1.{number}"]
    again = infer(bundle, "-i", images, "-in", points, "-o", out)
    assert "3 cases already done" in again.output


def test_compared_with_structure_sets(bundle, cases, tmp_path):
    """Labels as an archive has them; other patterns compare again, and segment nothing again."""
    images, points = cases
    for name in ("one", "two"):
        write_series(images / name, VOXELS, FrameOfReferenceUID=f"{UID}.9")
        mark(points / f"{name}.json", images / name)
    grid = read_image(images / "one").source
    box = [in_plane(square((6, 6), (17, 17)), plane, grid) for plane in range(3, 9)]
    labels = tmp_path / "labels"
    write_rtstruct(labels / "one.dcm", [("GTV", box), ("CTV", box[:3])])
    write_rtstruct(labels / "two" / "RS.dcm", [("GTV", box), ("CTV", box[:3])])
    out, volumes = tmp_path / "out", {}
    for roi in ("GTV=a", "C*=a"):
        done = infer(bundle, "-i", images, "-in", points, "-o", out, "-l", labels, "--roi", roi)
        assert done.exit_code == 0, done.output
        rows = json.loads((out / "evaluation" / "metrics.json").read_text())["rows"]
        volumes[roi] = [row["volume_label_ml"] for row in rows]
    assert "2 cases already done" in done.output
    voxel = 0.8 * 0.7 * 2.5 / 1000
    assert volumes["GTV=a"] == pytest.approx([144 * 6 * voxel] * 2)
    assert volumes["C*=a"] == pytest.approx([144 * 3 * voxel] * 2)
    # of one case: its file, or the folder of a structure set
    words = ("-i", images / "one", "-in", points / "one.json", "--roi", "GTV=a", "--overwrite")
    for given in (labels / "one.dcm", labels / "two", labels):
        done = infer(bundle, *words, "-o", tmp_path / "alone", "-l", given)
        assert done.exit_code == 0, done.output
        assert "1 object of 1 case" in done.output
    done = infer(bundle, *words[:4], "-o", out, "-l", labels, "--roi", "GTV=node")
    assert done.exit_code == 2
    assert "--roi GTV=node: expected one of the labels" in done.output


def test_choosing_a_series(bundle, cases, tmp_path):
    images, points = cases
    for series, name in ((1, "thin"), (2, "thick")):
        write_series(
            images / "a", VOXELS, series=series, name=f"SE{series}/IM{{}}", SeriesDescription=name
        )
    mark(points / "a.json", images / "a" / "SE1")
    out = tmp_path / "out"
    words = ["-i", images, "-in", points, "-o", out]
    done = infer(bundle, *words)
    assert done.exit_code == 1
    reasons = json.loads((out / "failures.json").read_text())["infer"]
    assert "1 'thin' (CT, 12 slices of 24x24), 2 'thick'" in reasons["a"]
    assert "--series 1" in reasons["a"]
    done = infer(bundle, *words, "--series", "thick")
    assert done.exit_code == 0, done.output
    record = json.loads((out / "a.json").read_text())
    assert record["sources"]["series"] == [f"{UID}.1.2"]
    assert record["made_from"]["reading"]["series"] == "thick"
    assert "1 case already done" in infer(bundle, *words, "--series", "thick").output
    # another series is another scan: it neither is already done, nor replaces the first unasked
    files = {path.name: path.read_bytes() for path in out.glob("a.*")}
    done = infer(bundle, *words, "--series", "1")
    assert done.exit_code == 1 and "already done" not in done.output
    reason = json.loads((out / "failures.json").read_text())["infer"]["a"]
    assert f"{UID}.1.1" in reason and f"{UID}.1.2" in reason and "--overwrite" in reason
    assert {path.name: path.read_bytes() for path in out.glob("a.*")} == files
    done = infer(bundle, *words, "--series", "1", "--overwrite")
    assert done.exit_code == 0 and "already done" not in done.output
    record = json.loads((out / "a.json").read_text())
    assert record["sources"]["series"] == [f"{UID}.1.1"]
    assert record["made_from"]["reading"]["series"] == "1"
    one = infer(bundle, "-i", images / "a", "-in", points / "a.json", "-o", tmp_path / "one",
                "--series", "1")  # fmt: skip
    assert one.exit_code == 0 and (tmp_path / "one" / "a.nii.gz").exists()


def test_names_of_patients(bundle, cases, tmp_path):
    """Two folders of one name, of two patients, into one output."""
    images, points = cases
    for patient in ("P1", "P2"):
        write_series(images / patient / "SE1", VOXELS, patient=patient)
        mark(points / f"{patient}.json", images / patient / "SE1")
        done = infer(
            bundle, "-i", images / patient / "SE1", "-in", points, "-o", tmp_path / "out",
            "--name-by", "patient",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out").glob("*.nii.gz")} == {
        "P1.nii.gz", "P2.nii.gz",
    }  # fmt: skip


def test_exported_folders(bundle, shared_cases, tmp_path):
    """Read where that can be, else refused with the file's name."""
    folder = shared_cases("a12_dicom_folders_as_exported")
    out = tmp_path / "out"
    done = infer(bundle, "-i", folder / "images", "-in", folder / "points", "-o", out)
    assert done.exit_code == 1
    reasons = json.loads((out / "failures.json").read_text())["infer"]
    assert set(reasons) == {"positions_rounded_to_0.1_mm", "slice_of_another_matrix"}
    assert "0099.dcm of 20x20 pixels" in reasons["slice_of_another_matrix"]
    # its slices lie 0.6 mm apart, its points are those of the scan with 2 mm
    outside = reasons["positions_rounded_to_0.1_mm"]
    assert outside.startswith(f"{folder / 'points' / 'positions_rounded_to_0.1_mm.mrk.json'}: F-1 ")
    assert "mm outside the image" in outside
    records = [json.loads((out / f"{name}.json").read_text()) for name in
               ("every_file_twice", "localiser", "secondary_capture", "study_folders",
                "multi_frame")]  # fmt: skip
    assert all(record["objects"] == records[0]["objects"] for record in records)
    assert all(len(record["sources"]["series"]) == 1 for record in records)


def test_a_session_of_a_tree(bundle, cases):
    images, points = cases
    for series in (1, 2):
        write_series(images, VOXELS + series, series=series, name=f"SE{series}/IM{{}}")
    mark(points / "a.json", images / "SE1")
    predictor = Predictor(bundle, device="cpu", mirrored=False)
    session = predictor.open(images, series="2")
    assert session.scan.series == (f"{UID}.1.2",)
    result = session.segment(points / "a.json")
    same = predictor.segment(images / "SE2", points / "a.json")
    np.testing.assert_array_equal(result.label, same.label)


@pytest.mark.parametrize("how", ["dataset", "convert"])
def test_tasks_of_dicom_folders(tmp_path, how):
    task = tmp_path / "raw" / "Task001_A"
    source = tmp_path / "source"
    images = task / "imagesTr" if how == "dataset" else source / "images"
    labels = task / "labelsTr" if how == "dataset" else source / "labels"
    write_series(images / "a_0000", VOXELS - 500)
    write_series(images / "b_0000", VOXELS - 500, name="ST1/SE1/IM{}")
    for name in "ab":
        grid = read_image(images / f"{name}_0000").source
        label = np.zeros(grid.ras.shape, np.uint8)
        label[8:14, 8:14, 4:8] = 1
        labels.mkdir(parents=True, exist_ok=True)
        write_label_array(labels / f"{name}.nii.gz", label, grid)
    runner, raw = CliRunner(), ["--raw", str(tmp_path / "raw")]
    words = ["dataset", "-t", "Task001_A", "-m", "CT", "-l", "a", *raw]
    if how == "convert":
        words = ["dataset", "convert", str(source), *words[1:]]
    done = runner.invoke(main, words)
    assert done.exit_code == 0, done.output
    listed = json.loads((task / "dataset.json").read_text())["training"]
    assert [entry["case"] for entry in listed] == ["a", "b"]
    shutil.rmtree(tmp_path / "raw")
