"""Prompt files converted from Python."""

import numpy as np
import pytest

from interactivenet.errors import RequestError
from interactivenet.pipeline.prompts import convert_prompts
from interactivenet.prompts.io import read_prompts, write_prompts
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
