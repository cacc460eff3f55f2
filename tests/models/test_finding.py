"""A model is found by what a user calls it; what cannot be meant is named with what there is."""

import shutil

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.models.bundle import read_bundle
from interactivenet.models.finding import find_model, model_folder
from tests.model_server import make_task_bundle, make_zip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle."""
    return make_task_bundle(tmp_path_factory.mktemp("models") / "Task001_A")


@pytest.fixture
def roots(made, tmp_path):
    """Results in which it is installed."""
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    shutil.copytree(made, roots.results / "models" / "Task001_A")
    return roots


def test_by_name_by_path_and_the_starter(made, roots, tmp_path, with_starter):
    archive = make_zip(made, tmp_path / "a.zip")
    assert find_model("starter", roots) == with_starter
    assert find_model("Task001_A", roots) == roots.results / "models" / "Task001_A"
    assert find_model(str(made), roots) == find_model(made, roots) == made
    assert find_model(archive, roots) == archive


def test_a_zip_is_unpacked_for_as_long(made, roots, tmp_path):
    archive = make_zip(made, tmp_path / "a.zip")
    with model_folder(str(archive), roots) as folder:
        assert read_bundle(folder).digests == read_bundle(made).digests
    assert not folder.exists() and archive.exists()
    with model_folder(made, roots) as folder:
        assert folder == made
    assert made.exists()
    (tmp_path / "text.zip").write_text("no zip")
    with (
        pytest.raises(DataError, match="is not a complete zip"),
        model_folder(tmp_path / "text.zip", roots),
    ):
        pass


@pytest.mark.parametrize("name", ["Task002_B", "", ".", "nowhere/at/all", "../models"])
def test_what_is_not_there(roots, name, with_starter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == ".":
        assert find_model(name, roots).samefile(tmp_path)  # a folder, of which the reader judges
        return
    with pytest.raises(RequestError, match=r"expected the folder or zip of .*starter, Task001_A$"):
        find_model(name, roots)


def test_nothing_is_there(tmp_path, without_starter):
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    with pytest.raises(RequestError, match="models: none is there"):
        find_model("Task002_B", roots)
    with pytest.raises(RequestError, match="this installation has no starter model"):
        find_model("starter", roots)


def test_neither_wins_silently(made, roots, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path / "Task001_A")
    with pytest.raises(RequestError, match=r"both a folder here and an installed .* \./Task001_A"):
        find_model("Task001_A", roots)
    assert find_model("./Task001_A", roots).samefile(tmp_path / "Task001_A")
    monkeypatch.chdir(roots.results / "models")
    assert find_model("Task001_A", roots).samefile(roots.results / "models" / "Task001_A")
