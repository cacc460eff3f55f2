"""A DICOM tree as a task: what is written, said and recorded."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets import conversion
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.grid_resampling import resample_nearest
from interactivenet.imaging.io import ReadOptions, read_image, read_label
from tests.datasets.dicom_tree.written_trees import (
    FRAME,
    box_contours,
    box_mask,
    uid_of,
    write_rtstruct,
)
from tests.pipeline.tree_task import MR_BOX, NAME, WORDS, convert, make_tree, record


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


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
    assert "P1 CT=chest 1 'chest' 12x10x6 of 1.5x2x2.5 only series that matches" in lines
    assert "MR=T1* 2 'T1 post' 7x7x6 of 2.5x3x2.5 only series that matches" in lines
    assert "MR is resampled onto the grid of the CT: 2 of 2 cases" in lines
    assert max(len(line.rstrip()) for line in done.output.splitlines()[1:6]) < 100
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
        assert done.exit_code == 2 and "with other options: choose another" in done.output, words
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
