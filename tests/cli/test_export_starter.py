"""Exports of the model of any object, whose labels are called as their points are."""

import json

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.io import read_image
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.imaging.written_dicom import UID, stored, write_series
from tests.raw_task import read


@pytest.fixture
def cases(tmp_path):
    write_series(tmp_path / "images" / "a", stored((12, 24, 24)), FrameOfReferenceUID=f"{UID}.7")
    grid = read_image(tmp_path / "images" / "a").grid
    offsets = np.concatenate([np.diag([5, 5, 3]), -np.diag([5, 5, 3])])
    points = grid.voxel_to_world(np.rint(np.array(grid.shape) / 2 + offsets))
    (tmp_path / "points").mkdir()
    write_prompts(
        tmp_path / "points" / "a.json", [Prompt(1, points, "kidney left")],
        labels=LabelNames({1: "kidney left"}),
    )  # fmt: skip
    return tmp_path


def infer(bundle, root, *words):
    line = ["infer", "--model", bundle, "--no-tta", "--device", "cpu", "-i", root / "images", "-in",
            root / "points", "-o", root / "out", *words]  # fmt: skip
    return CliRunner().invoke(main, [str(word) for word in line])


def test_labels_are_called_as_their_points(starter_bundle, cases):
    codes = cases / "codes.json"
    codes.write_text(json.dumps({"kidney left": "Liver", "spleem": "Spleen"}), encoding="utf-8")
    done = infer(starter_bundle, cases, "--format", "dcm-seg", "--codes", codes)
    assert done.exit_code == 0, done.output
    assert "not used of spleem: there is no such label here" in " ".join(done.output.split())
    record = read(cases / "out" / "a.json")
    assert record["labels"] == {"1": "kidney left"}
    if record["exports"]["dcm-seg"]["file"] is None:  # random weights found nothing
        pytest.skip("nothing was outlined")
    (segment,) = pydicom.dcmread(cases / "out" / "a.seg.dcm").SegmentSequence
    assert segment.SegmentLabel == "kidney left"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Liver"
