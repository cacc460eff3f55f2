"""run.json: there from the start, complete at the end, whatever happened."""

import json
import subprocess
from pathlib import Path

import pytest

from interactivenet import __version__
from interactivenet.system import provenance
from interactivenet.system.provenance import DISTRIBUTION, Run, revision

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(monkeypatch, tmp_path):
    """A folder in which this program's source is thought to be."""
    monkeypatch.setattr(provenance, "_ROOT", tmp_path)
    monkeypatch.delenv("INTERACTIVENET_REVISION", raising=False)
    revision.cache_clear()
    yield tmp_path
    revision.cache_clear()


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


def git(folder, *words):
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_a_working_copy(source):
    git(source, "init", "--quiet")
    (source / "file").write_text("one")
    git(source, "add", "file")
    git(source, "commit", "--quiet", "-m", "first")
    git(source, "tag", "-m", "a tag is no commit", "v1")
    head = git(source, "rev-parse", "HEAD")
    assert len(head) == 40 and revision() == head
    (source / "file").write_text("two")
    assert revision() == head  # asked for once
    revision.cache_clear()
    assert revision() == f"{head}-dirty"


def test_the_commit_that_an_image_names(source, monkeypatch):
    monkeypatch.setenv("INTERACTIVENET_REVISION", "abc123")
    assert revision() == "abc123"


@pytest.mark.parametrize("made", [None, "file", "empty repository"])
def test_no_commit_is_known(source, made):
    if made == "file":
        (source / ".git").write_text("no repository")
    elif made:
        git(source, "init", "--quiet")
    assert revision() == ""


def test_the_record_names_the_commit(source, monkeypatch):
    monkeypatch.setenv("INTERACTIVENET_REVISION", "abc123")
    with Run(source, "plan", {}):
        pass
    assert record(source)["revision"] == "abc123"


def test_the_distribution_is_called_as_pip_knows_it():
    assert f'\nname = "{DISTRIBUTION}"\n' in (ROOT / "pyproject.toml").read_text()


def test_a_package_that_is_not_installed_names_python_alone(monkeypatch):
    monkeypatch.setattr(provenance, "DISTRIBUTION", "no-such-distribution")
    assert list(provenance.libraries()) == ["python"]
