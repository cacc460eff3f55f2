"""A DICOM tree as a task: what is chosen, said, written and recorded."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets import conversion
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.grid_resampling import resample_nearest
from interactivenet.imaging.io import ReadOptions, read_image, read_label
from tests.datasets.dicom_tree.written_trees import (
    BOX,
    FRAME,
    box_contours,
    box_mask,
    uid_of,
    write_rtstruct,
    write_scan,
)

NAME = "Task105_TREE"


def convert(source, raw, *words):
    line = ["dataset", "convert", str(source), "-t", NAME, "--raw", str(raw), *words]
    return CliRunner().invoke(main, line)


def record(raw):
    return json.loads((raw / NAME / "import.json").read_text(encoding="utf-8"))


def left_out(raw):
    path = raw / NAME / "failures.json"
    return json.loads(path.read_text(encoding="utf-8"))["convert"] if path.exists() else {}


@pytest.fixture
def tree(tmp_path):
    """Two patients with CT and a coarser MR; the first is outlined on CT, the second on MR."""
    root = tmp_path / "tree"
    for number, patient in enumerate(("P1", "P2"), 1):
        folder = root / f"patient{number}"
        write_scan(folder / "SE1", patient=patient, study=number, description="chest")
        write_scan(folder / "SE2", patient=patient, study=number, series=2, modality="MR",
                   description="T1 post", spacing=(3.0, 2.5), shape=(6, 7, 7))  # fmt: skip
    write_rtstruct(root / "patient1" / "RS", {"GTV 1": box_contours(), "Lung": box_contours()},
                   refers_to=[uid_of(1, 1)])  # fmt: skip
    write_rtstruct(
        root / "patient2" / "RS", {"gtv": box_contours(spacing=(3.0, 2.5), box=MR_BOX)},
        refers_to=[uid_of(2, 2)], patient="P2", study=2,
    )  # fmt: skip
    return root


#: what is outlined on the MR
MR_BOX = (slice(2, 6), slice(1, 5), slice(1, 4))
WORDS = ("-m", "CT=chest", "-m", "MR=T1*", "--roi", "GTV*=tumour", "--resample-to", "CT")


def test_a_tree_becomes_a_task(tree, tmp_path):
    raw = tmp_path / "raw"
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    done = convert(tree, raw, *WORDS)
    assert done.exit_code == 0, done.output
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before
    task = raw / NAME
    assert {path.name for path in (task / "imagesTr").iterdir()} == {
        "P1_0000", "P1_0001.nii.gz", "P2_0000", "P2_0001.nii.gz",
    }  # fmt: skip
    listed = json.loads((task / "dataset.json").read_text(encoding="utf-8"))
    assert listed["modality"] == {"0": "CT", "1": "MR"}
    assert listed["labels"] == {"0": "background", "1": "tumour"}
    slices = sorted((task / "imagesTr" / "P1_0000").iterdir())
    assert [path.name for path in slices] == [f"{n:04d}.dcm" for n in range(1, 7)]
    assert slices[0].samefile(tree / "patient1" / "SE1" / "000.dcm")  # a hard link
    # outlined on the CT: just these voxels
    label = read_label(task / "labelsTr" / "P1.nii.gz")
    scan = read_image(task / "imagesTr" / "P1_0000")
    assert label.source.is_same_lattice(scan.source)
    np.testing.assert_array_equal(label.array[0], scan.source.to_ras(box_mask()))
    # outlined on the MR: its own voxels, then the nearest of them
    mr = read_image(tree / "patient2" / "SE2")
    drawn = box_mask((6, 7, 7), MR_BOX).astype(np.uint8)
    expected = resample_nearest(drawn, mr.source, scan.source)
    label = read_label(task / "labelsTr" / "P2.nii.gz")
    assert expected.any()
    np.testing.assert_array_equal(label.array[0], scan.source.to_ras(expected))
    # what a new case of the same series is to a model
    uids = (uid_of(1, 1), uid_of(1, 2))
    folder = tree / "patient1"
    new = read_channels((folder, folder), ReadOptions(channel_series=uids, resample_to=0))
    images = [task / "imagesTr" / "P1_0000", task / "imagesTr" / "P1_0001.nii.gz"]
    np.testing.assert_array_equal(read_channels(images).array, new.array)


def test_what_is_said_and_recorded(tree, tmp_path):
    done = convert(tree, tmp_path / "raw", *WORDS)
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert (
        "P1 CT 1 'chest' (CT, 6 slices of 12x10) 12x10x6 of 1.5x2x2.5 mm only series that matches"
        " CT=chest"
    ) in lines
    assert (
        "MR 2 'T1 post' (MR, 6 slices of 7x7) 7x7x6 of 2.5x3x2.5 mm, resampled to CT only series"
        " that matches MR=T1*"
    ) in lines
    assert "P1 patient1/RS GTV 1 -> tumour refers to the CT" in lines
    assert "P2 patient2/RS gtv -> tumour refers to the MR" in lines
    assert lines.index("P2 patient2/RS gtv -> tumour refers to the MR") < next(
        number for number, line in enumerate(lines) if line.startswith("imported: ")
    )
    cases = record(tmp_path / "raw")["cases"]
    one, two = cases["P1"], cases["P2"]
    assert one["modalities"]["CT"]["series"] == uid_of(1, 1)
    assert one["modalities"]["CT"]["frame_of_reference"] == FRAME
    assert "resampled" not in one["modalities"]["CT"]
    resampled = one["modalities"]["MR"]["resampled"]
    assert resampled["from"] == {"shape": [7, 7, 6], "spacing_mm": [2.5, 3.0, 2.5]}
    assert (resampled["to"], resampled["interpolation"]) == ("CT", "linear")
    scan, mr = (read_image(tree / "patient1" / name) for name in ("SE1", "SE2"))
    grid = np.indices(scan.source.shape).reshape(3, -1).T
    at = mr.source.world_to_voxel(scan.source.voxel_to_world(grid))
    beyond = ((at < -0.5) | (at >= np.array(mr.source.shape) - 0.5)).any(axis=1)
    assert resampled["share_outside"] == pytest.approx(beyond.mean(), abs=1e-6)
    assert resampled["value_outside"] == mr.array.min()
    assert one["structure_set"]["rois"] == {"GTV 1": "tumour"}
    assert one["structure_set"]["drawn_on"] == "CT"
    assert two["structure_set"]["drawn_on"] == "MR"
    assert two["structure_set"]["resampled"]["interpolation"] == "nearest"
    said = " ".join(done.output.split())
    assert "left out its ROIs of no label: 'Lung'" in said
    assert "outlines of the MR were drawn there" in said
    for path in (tmp_path / "raw").rglob("*.json"):
        assert "Doe" not in path.read_text(encoding="utf-8")
    assert "Doe" not in done.output


def test_a_dry_run_writes_nothing(tree, tmp_path):
    done = convert(tree, tmp_path / "raw", *WORDS, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "refers to the MR" in done.output and "nothing was written" in done.output
    assert not (tmp_path / "raw").exists()


def test_done_before_and_changed(tree, tmp_path):
    raw = tmp_path / "raw"
    assert convert(tree, raw, *WORDS).exit_code == 0
    done = convert(tree, raw, *WORDS)
    assert done.exit_code == 0 and "is already imported" in done.output
    for words in (("--resample-to", "MR"), ("--roi", "Lung=tumour"), ("--copy",)):
        changed = list(WORDS)
        if words[0] == "--resample-to":
            changed[-1] = "MR"
        else:
            changed += words
        done = convert(tree, raw, *changed)
        assert done.exit_code == 2 and "exists: choose another task name" in done.output, words
    write_rtstruct(tree / "patient1" / "RS", {"GTV": box_contours()}, refers_to=[uid_of(1, 1)])
    done = convert(tree, raw, *WORDS)
    assert done.exit_code == 2 and "exists" in done.output


@pytest.mark.parametrize("after", ["label", "slices", "case", "record"])
def test_killed_and_started_again(tree, tmp_path, monkeypatch, after):
    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    raw = tmp_path / "raw"
    from interactivenet.datasets.dicom_tree import writing

    with monkeypatch.context() as patched:
        if after == "label":
            patched.setattr(writing, "place", killed)
        elif after == "slices":
            patched.setattr(writing, "write_volume", killed)
        elif after == "case":
            whole, calls = writing.write_tree_case, []

            def second(*args):
                calls.append(args)
                return killed() if len(calls) > 1 else whole(*args)

            patched.setattr("interactivenet.pipeline.dicom_tree.write_tree_case", second)
        else:
            patched.setattr(conversion, "_finish", killed)
        with pytest.raises(Killed):
            CliRunner().invoke(
                main, ["dataset", "convert", str(tree), "-t", NAME, "--raw", str(raw), *WORDS],
                catch_exceptions=False,
            )  # fmt: skip
    assert not (raw / NAME).exists()
    written = []
    if after == "case":
        (partial,) = raw.glob(".*importing*")
        written = [(path, path.stat().st_mtime_ns) for path in partial.rglob("P1_0001.nii.gz")]
        assert written
    assert convert(tree, raw, *WORDS).exit_code == 0
    for path, changed in written:  # a case that was done is not done again
        assert (raw / NAME / "imagesTr" / path.name).stat().st_mtime_ns == changed
    assert not list(raw.glob(".*")) and not list((raw / NAME).glob(".*"))
    again = tmp_path / "again"
    assert convert(tree, again, *WORDS).exit_code == 0
    files = sorted(path.relative_to(raw) for path in raw.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for path in files:
        if path.suffix != ".json":
            assert (raw / path).read_bytes() == (again / path).read_bytes(), path
    assert record(raw) == record(again)


def test_cases_that_are_left_out(tree, tmp_path):
    """Each is named with its reason, and the exit status says that there are some."""
    write_scan(tree / "a", patient="NoMR", study=11)
    for series, modality, said in ((1, "CT", "chest"), (2, "MR", "T1")):
        kind = {"series": series, "modality": modality, "description": said}
        write_scan(tree / f"b{series}", patient="Bare", study=12, **kind)
        write_scan(
            tree / f"c{series}", patient="Apart", study=13, frame=f"{FRAME}.{series}", **kind
        )
    done = convert(tree, tmp_path / "raw", *WORDS)
    assert done.exit_code == 1
    reasons = left_out(tmp_path / "raw")
    assert set(reasons) == {"NoMR", "Bare", "Apart"}
    assert "has no series that matches CT=chest and MR=T1*" in reasons["NoMR"]
    assert "has no structure set (RTSTRUCT or DICOM SEG) in the tree" in reasons["Bare"]
    assert "several frames of reference" in reasons["Apart"]
    assert "--across-frames" in reasons["Apart"]
    assert set(record(tmp_path / "raw")["cases"]) == {"P1", "P2"}


def test_several_structure_sets(tree, tmp_path):
    write_rtstruct(tree / "patient1" / "RS2", {"GTV": box_contours()}, refers_to=[uid_of(1, 1)],
                   number=2, label="second look")  # fmt: skip
    done = convert(tree, tmp_path / "raw", *WORDS)
    assert done.exit_code == 1
    reason = left_out(tmp_path / "raw")["P1"]
    assert "has 2 structure sets for its CT" in reason
    assert "patient1/RS2 'second look' (GTV)" in reason and "--structures" in reason
    done = convert(tree, tmp_path / "raw2", *WORDS, "--structures", "rs2")
    assert "GTV -> tumour" in done.output
    assert "has no structure set that is 'rs2', but" in left_out(tmp_path / "raw2")["P2"]
    # one without an ROI of a label is none to choose between
    write_rtstruct(tree / "patient1" / "RS2", {"Heart": box_contours()}, refers_to=[uid_of(1, 1)],
                   number=2)  # fmt: skip
    done = convert(tree, tmp_path / "raw3", *WORDS)
    assert done.exit_code == 0
    assert "structure sets that were not taken: patient1/RS2 has no ROI" in done.output


def test_outlines_that_name_no_series_of_the_case(tree, tmp_path):
    """They are found by the frame of reference and the slices that they lie on."""
    write_rtstruct(tree / "patient1" / "RS", {"GTV": box_contours()}, refers_to=["1.2.3"])
    done = convert(tree, tmp_path / "raw", *WORDS)
    assert done.exit_code == 0, done.output
    assert "on whose slices its outlines lie" in done.output
    label = read_label(tmp_path / "raw" / NAME / "labelsTr" / "P1.nii.gz")
    scan = read_image(tree / "patient1" / "SE1")
    np.testing.assert_array_equal(label.array[0], scan.source.to_ras(box_mask()))
    # between the slices of all series: of none
    away = [[(x, y, z + 1.1) for x, y, z in contour] for contour in box_contours()]
    write_rtstruct(tree / "patient1" / "RS", {"GTV": away}, refers_to=["1.2.3"])
    done = convert(tree, tmp_path / "raw2", *WORDS)
    assert "has no structure set that fits: patient1/RS" in left_out(tmp_path / "raw2")["P1"]
    # in another frame of reference than the series that they refer to
    write_rtstruct(tree / "patient1" / "RS", {"GTV": box_contours()}, refers_to=[uid_of(1, 1)],
                   frame=f"{FRAME}.5")  # fmt: skip
    done = convert(tree, tmp_path / "raw3", *WORDS)
    assert "is in another frame of reference" in left_out(tmp_path / "raw3")["P1"]


def test_requests_that_cannot_be(tree, tmp_path):
    raw = tmp_path / "raw"
    for words, refusal in (
        (["-m", "CT", "--resample-to", "MR", "--roi", "G*=a"], "--resample-to MR: expected one of"),
        (["-m", "CT"], "--roi: "),
        (["-m", "T1", "--roi", "G*=a"], "'T1' is no kind of scanner"),
        (["--roi", "G*=a"], "a DICOM tree needs a pattern for each modality"),
        (["-m", "CT", "--merge-labels", "a", "--roi", "G*=b"], "--merge-labels"),
        (["-m", "PET", "--roi", "G*=a"], "no case of this DICOM tree can be used"),
    ):
        done = convert(tree, raw, *words)
        assert done.exit_code == 2 and refusal in done.output, done.output
        assert not raw.exists() or not list(raw.iterdir())
    (tmp_path / "plain" / "images").mkdir(parents=True)
    (tmp_path / "plain" / "labels").mkdir()
    done = convert(tmp_path / "plain", raw, "-m", "CT", "--resample-to", "CT")
    assert done.exit_code == 2 and "is no tree of DICOM studies" in done.output


def test_plain_folders_with_structure_sets(tree, tmp_path):
    source = tmp_path / "plain"
    for number in (1, 2):
        shutil.copytree(tree / f"patient{number}" / f"SE{number}", source / "images" / f"c{number}")
    (source / "labels" / "c1").mkdir(parents=True)
    shutil.copy(tree / "patient1" / "RS", source / "labels" / "c1" / "outlines")
    shutil.copy(tree / "patient2" / "RS", source / "labels" / "c2.dcm")
    done = convert(source, tmp_path / "raw", "-m", "scan", "--roi", "GTV*=tumour")
    assert done.exit_code == 0, done.output
    for number, shape, box in ((1, (6, 10, 12), BOX), (2, (6, 7, 7), MR_BOX)):
        label = read_label(tmp_path / "raw" / NAME / "labelsTr" / f"c{number}.nii.gz")
        scan = read_image(source / "images" / f"c{number}")
        np.testing.assert_array_equal(label.array[0], scan.source.to_ras(box_mask(shape, box)))
    said = record(tmp_path / "raw")["cases"]["c1"]
    assert said["structure_set"]["rois"] == {"GTV 1": "tumour"}
    assert any("Lung" in note for note in said["notes"])


@pytest.mark.parametrize(("grid", "mask"), [("CT", "CT"), ("MR", "MR_T1"), ("PET", "PET")])
def test_a_real_patient(shared_data, tmp_path, grid, mask):
    """Labels are the voxel masks that the outlines were published with, whichever grid counts."""
    folder = shared_data("dicom/sarcoma_STS_008")
    words = ["-m", "CT", "-m", "MR=*T1*", "-m", "PET", "--roi", "GTV_Mass*=tumour"]
    done = convert(folder, tmp_path, *words, "--resample-to", grid)
    assert done.exit_code == 0, done.output
    label = read_label(tmp_path / NAME / "labelsTr" / "STS_008.nii.gz")
    expected = read_label(folder / "nifti_mask" / f"{mask}_mask.nii.gz")
    assert label.source.is_same_lattice(expected.source)
    np.testing.assert_array_equal(label.array, expected.array)
    assert record(tmp_path)["cases"]["STS_008"]["structure_set"]["drawn_on"] == grid
    images = sorted((tmp_path / NAME / "imagesTr").iterdir())
    assert [path.is_dir() for path in images] == [name == grid for name in ("CT", "MR", "PET")]


def test_a_real_patient_outlined_on_another_modality(shared_data, tmp_path):
    folder = shared_data("dicom/sarcoma_STS_008")
    words = ["-m", "CT", "-m", "MR=*T1*", "--structures", "*MR_T1*", "--resample-to", "CT"]
    done = convert(folder, tmp_path, *words, "--roi", "GTV*=tumour")
    assert done.exit_code == 0, done.output
    assert "drawn_on" in json.dumps(record(tmp_path))
    label = read_label(tmp_path / NAME / "labelsTr" / "STS_008.nii.gz")
    mr, ct = (read_label(folder / "nifti_mask" / f"{name}_mask.nii.gz") for name in ("MR_T1", "CT"))
    np.testing.assert_array_equal(
        label.stored[0], resample_nearest(mr.stored[0], mr.source, ct.source)
    )
    volumes = [np.count_nonzero(each.array) * np.prod(each.spacing) for each in (label, mr)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.02)
