"""Tasks' folders."""

import json
from pathlib import Path

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError, RequestError


def test_roots_may_be_given_as_text(tmp_path):
    roots = Roots(str(tmp_path / "raw"), "data/processed", tmp_path / "results")
    assert roots == Roots(tmp_path / "raw", Path("data/processed"), tmp_path / "results")
    (tmp_path / "raw" / "Task101_A").mkdir(parents=True)
    assert roots.raw_task("Task101_A") == tmp_path / "raw" / "Task101_A"
    with pytest.raises(RequestError, match=r"does not exist in .*tasks there: Task101_A"):
        roots.raw_task("Task102_B")
    assert Roots.choose(raw="a").raw == Path("a")


def test_a_case_that_is_listed_twice_is_refused(tmp_path):
    """One patient's regions would take the place of another's."""
    entry = {"case": "c1", "image": ["./imagesTr/a_0000.nii.gz"], "label": "./labelsTr/a.nii.gz"}
    other = {"case": "c1", "image": ["./imagesTs/b_0000.nii.gz"]}
    content = {"modality": {"0": "CT"}, "labels": {"1": "tumour"}, "training": [entry]}
    (tmp_path / "dataset.json").write_text(json.dumps({**content, "test": [other]}))
    with pytest.raises(DataError, match="lists the case 'c1' 2 times"):
        Task.load(tmp_path)
