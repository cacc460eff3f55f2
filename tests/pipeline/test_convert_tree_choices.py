"""A DICOM tree as a task: what is left out, and why."""

import json
import shutil

import numpy as np
import pytest

from interactivenet.datasets.splits import read_groups
from interactivenet.imaging.grid_resampling import resample_nearest
from interactivenet.imaging.io import read_image, read_label
from tests.datasets.dicom_tree.written_trees import (
    FRAME,
    box_contours,
    box_mask,
    uid_of,
    write_rtstruct,
    write_scan,
)
from tests.pipeline.tree_task import MR_BOX, NAME, WORDS, convert, left_out, make_tree, record


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


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
    # of another series it is listed with what is not used, and that is all
    write_rtstruct(tree / "patient1" / "RS2", {"Heart": box_contours()}, refers_to=["1.2.3"],
                   number=2)  # fmt: skip
    done = convert(tree, tmp_path / "raw4", *WORDS)
    assert "were not taken" not in done.output and "patient1/RS2" in done.output


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
    # the table of why is there, and the error has one reason
    done = convert(tree, raw, "-m", "CT", "--roi", "PTV*=a")
    assert done.exit_code == 2 and done.output.count("case  finding") == 1
    told = done.output.splitlines()[-1]
    assert "2 are left out: P2, for one, has no structure set that fits" in told
    assert "P1" not in told and "P1" in done.output
    (tmp_path / "plain" / "images").mkdir(parents=True)
    (tmp_path / "plain" / "labels").mkdir()
    done = convert(tmp_path / "plain", raw, "-m", "CT", "--resample-to", "CT")
    assert done.exit_code == 2 and "is no tree of DICOM studies" in done.output


def test_test_cases_of_a_tree(tree, tmp_path):
    done = convert(tree, tmp_path, *WORDS, "--test-cases", "1", "--cases", "1")
    assert done.exit_code == 0, done.output
    task = tmp_path / NAME
    for subset in ("Tr", "Ts"):
        assert len(list((task / f"images{subset}").iterdir())) == 2
        assert len(list((task / f"labels{subset}").iterdir())) == 1


def test_outlines_that_refer_to_all_modalities(tree, tmp_path):
    """As a fusion has them: they are taken from the series whose slices they lie on."""
    write_scan(tree / "patient2" / "SE2", patient="P2", study=2, series=2, modality="MR", step=3.1,
               description="T1 post", spacing=(3.0, 2.5), shape=(6, 7, 7))  # fmt: skip
    write_rtstruct(
        tree / "patient2" / "RS", {"gtv": box_contours(spacing=(3.0, 2.5), box=MR_BOX, step=3.1)},
        refers_to=[uid_of(2, 1), uid_of(2, 2)], patient="P2", study=2,
    )  # fmt: skip
    done = convert(tree, tmp_path, *WORDS)
    assert done.exit_code == 0, done.output
    structures = record(tmp_path)["cases"]["P2"]["structure_set"]
    assert (structures["drawn_on"], structures["why"]) == ("MR", "refers to the MR")
    mr, ct = (read_image(tree / "patient2" / name).source for name in ("SE2", "SE1"))
    drawn = box_mask((6, 7, 7), MR_BOX).astype(np.uint8)
    label = read_label(tmp_path / NAME / "labelsTr" / "P2.nii.gz")
    np.testing.assert_array_equal(label.stored[0], resample_nearest(drawn, mr, ct))


def test_frames_of_reference_that_are_one(tree, tmp_path):
    """Registered series keep their own frames: whoever asks for it takes them for one."""
    write_scan(
        tree / "patient2" / "SE2", patient="P2", study=2, series=2, modality="MR",
        description="T1 post", spacing=(3.0, 2.5), shape=(6, 7, 7), frame=f"{FRAME}.9",
    )  # fmt: skip
    done = convert(tree, tmp_path / "raw", *WORDS)
    assert done.exit_code == 1
    assert f"MR ({FRAME}.9), so that nothing says" in left_out(tmp_path / "raw")["P2"]
    done = convert(tree, tmp_path / "raw2", *WORDS, "--across-frames")
    assert done.exit_code == 0, done.output
    notes = record(tmp_path / "raw2")["cases"]["P2"]["notes"]
    assert any("taken for one, as was asked for" in note for note in notes)
    assert "taken for one" in done.output


def test_what_is_outlined_outside_of_a_modality_is_counted(tree, tmp_path):
    shutil.rmtree(tree / "patient1" / "SE2")
    write_scan(tree / "patient1" / "SE2", patient="P1", series=2, modality="MR", shape=(3, 4, 4),
               description="T1 post", spacing=(3.0, 2.5))  # fmt: skip
    done = convert(tree, tmp_path, *WORDS)
    assert done.exit_code == 0, done.output
    notes = record(tmp_path)["cases"]["P1"]["notes"]
    ct, mr = (read_image(tree / "patient1" / name).source for name in ("SE1", "SE2"))
    at = mr.world_to_voxel(ct.voxel_to_world(np.argwhere(box_mask())))
    beyond = ((at < -0.5) | (at >= np.array(mr.shape) - 0.5)).any(axis=1)
    assert 0 < beyond.sum() < len(beyond)
    lost = f"MR: {beyond.sum()} of {len(beyond)} labelled voxels lie outside of it"
    assert lost in notes and lost in done.output


def test_studies_of_one_patient_share_a_fold(tree, tmp_path):
    """Else one would validate what the other has trained."""
    for series, modality, said in ((1, "CT", "chest"), (2, "MR", "T1")):
        write_scan(tree / f"later{series}", study=7, series=series, modality=modality,
                   description=said, date="20210102")  # fmt: skip
    write_rtstruct(tree / "later", {"GTV": box_contours()}, refers_to=[uid_of(7, 1)], study=7)
    raw = tmp_path / "raw"
    assert convert(tree, raw, *WORDS).exit_code == 0
    groups = raw / NAME / "groups.json"
    assert json.loads(groups.read_text(encoding="utf-8")) == {"P1_1": "P1", "P1_2": "P1"}
    names = ["P1_1", "P1_2", "P2"]
    assert read_groups(raw / NAME, names) == {
        "P1_1": "patient P1",
        "P1_2": "patient P1",
        "P2": "P2",
    }
