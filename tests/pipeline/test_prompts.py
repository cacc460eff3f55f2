"""Prompt files converted from Python."""

import json

import numpy as np
import pytest

from interactivenet.errors import RequestError
from interactivenet.pipeline.prompts import convert_prompts
from interactivenet.prompts.io import MOVED, read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.pipeline.recording_reporter import RecordingReporter


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "points.csv"
    write_prompts(path, [Prompt(2, np.arange(6.0).reshape(2, 3), "tumour")])
    return path


def test_what_it_returns_and_reports(source, tmp_path):
    reporter, target = RecordingReporter(), tmp_path / "points.json"
    (prompt,) = convert_prompts(source, target, labels=LabelNames({2: "tumour"}), reporter=reporter)
    assert prompt.label == 2 and np.array_equal(prompt.points, np.arange(6.0).reshape(2, 3))
    (written,) = read_prompts(target, LabelNames({2: "tumour"}))
    np.testing.assert_allclose(written.points, prompt.points)
    assert reporter.lines == [f"{target}: label 2 (2 points)"]


def test_remedies_name_parameters(source, tmp_path):
    target = tmp_path / "taken.json"
    target.write_text("precious")
    with pytest.raises(RequestError, match=r"exists: `overwrite=True` replaces it$"):
        convert_prompts(source, target)
    assert target.read_text() == "precious"
    with pytest.raises(RequestError, match=r"^`task`: cannot be combined with `labels`"):
        convert_prompts(source, target, task="Task101_A", labels=LabelNames({1: "a"}))
    with pytest.raises(RequestError, match=r"give the label values with `task` or `labels`$"):
        convert_prompts(source, tmp_path / "mask.nii.gz")


def test_a_depth_of_points_that_were_moved_is_told_and_not_carried_over(tmp_path):
    source, target = tmp_path / "points.json", tmp_path / "new.json"
    points = np.arange(18.0).reshape(6, 3)
    write_prompts(source, [Prompt(2, points, "tumour", depth_mm=(5.0, 5.0, 5.0))])
    content = json.loads(source.read_text())
    content["points"][0]["point"][0] += 4
    source.write_text(json.dumps(content))
    reporter, labels = RecordingReporter(), LabelNames({2: "tumour"})
    convert_prompts(source, target, labels=labels, reporter=reporter)
    assert reporter.lines == [f"points.json: {MOVED}", f"{target}: label 2 (6 points)"]
    assert "depth_mm" not in json.loads(target.read_text())
