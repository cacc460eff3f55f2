"""Tasks' folders."""

from pathlib import Path

import pytest

from interactivenet.datasets.task import Roots
from interactivenet.errors import RequestError


def test_roots_may_be_given_as_text(tmp_path):
    roots = Roots(str(tmp_path / "raw"), "data/processed", tmp_path / "results")
    assert roots == Roots(tmp_path / "raw", Path("data/processed"), tmp_path / "results")
    (tmp_path / "raw" / "Task101_A").mkdir(parents=True)
    assert roots.raw_task("Task101_A") == tmp_path / "raw" / "Task101_A"
    with pytest.raises(RequestError, match=r"does not exist in .*tasks there: Task101_A"):
        roots.raw_task("Task102_B")
    assert Roots.choose(raw="a").raw == Path("a")
