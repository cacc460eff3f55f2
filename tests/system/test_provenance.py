"""run.json: there from the start, complete at the end, whatever happened."""

import json
from pathlib import Path

import pytest

from interactivenet import __version__
from interactivenet.system.provenance import Run


def record(folder):
    return json.loads((folder / "run.json").read_text())


def test_a_run_that_ends_well(tmp_path):
    with Run(tmp_path / "new", "plan", {"raw": Path("a/b"), "folds": 5}, seed=3) as run:
        assert record(tmp_path / "new")["status"] == "running"
        with run.step("first"):
            pass
        run.inputs({"b": "2", "a": "1"})
        run.note(failures={}, shapes=(1, 2))
        run.workers(2, 51.5)
    content = record(tmp_path / "new")
    assert content["status"] == "done" and content["version"] == __version__
    assert content["arguments"] == {"raw": "a/b", "folds": 5} and content["seed"] == 3
    assert content["inputs"] == {"a": "1", "b": "2"} and content["shapes"] == [1, 2]
    assert set(content["seconds"]) == {"first", "all"}
    assert content["libraries"].keys() >= {"python", "numpy", "scipy", "torch"}
    assert content["peak_memory_mb"]["process"] > 10
    assert content["peak_memory_mb"]["largest_worker"] == 51.5 and content["workers"] == 2
    assert content["device"]["cores"] >= 1 and content["started"].endswith("+00:00")


def test_a_run_that_fails_says_why(tmp_path):
    with (
        pytest.raises(ValueError, match="of\nno use"),
        Run(tmp_path, "plan", {}) as run,
        run.step("bad"),
    ):
        raise ValueError("of\nno use")
    content = record(tmp_path)
    assert content["status"] == "ValueError: of no use" and "bad" in content["seconds"]
