"""A folder is there whole, as it was before, or not at all."""

import os
from pathlib import Path

import pytest

from interactivenet.errors import DataError
from interactivenet.system import folders
from interactivenet.system.folders import replacing_folder, temporary_folder


def content(folder):
    return sorted(one.name for one in folder.iterdir())


def test_the_new_one_takes_the_place_of_the_old(tmp_path):
    target = tmp_path / "a" / "model"
    for name in ("one", "two"):
        with replacing_folder(target) as folder:
            assert content(folder) == []
            (folder / name).touch()
    assert content(target) == ["two"] and content(tmp_path / "a") == ["model"]


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "model"
    with replacing_folder(target) as folder:
        (folder / "one").touch()
    with pytest.raises(KeyError), replacing_folder(target) as folder:
        (folder / "two").touch()
        raise KeyError
    assert content(target) == ["one"] and content(tmp_path) == ["model"]
    with pytest.raises(DataError, match="model: cannot be written"), replacing_folder(target):
        raise OSError(28, "No space left on device")


def test_what_killed_jobs_left_goes_and_what_they_moved_away_comes_back(tmp_path):
    target = tmp_path / "model"
    for name in (".model.making-1", ".model.old-2", ".model.making-3"):
        (tmp_path / name).mkdir()
    (tmp_path / ".model.old-2" / "one").touch()
    os.utime(tmp_path / ".model.making-1", (0, 0))
    with pytest.raises(KeyError), replacing_folder(target):
        assert content(target) == ["one"]
        raise KeyError
    assert content(target) == ["one"]
    assert content(tmp_path) == [".model.making-3", "model"]


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "one").touch()
    (tmp_path / "model").symlink_to(tmp_path / "real")
    with replacing_folder(tmp_path / "model") as folder:
        (folder / "two").touch()
    assert content(tmp_path / "model") == ["two"] and content(tmp_path / "real") == ["one"]
    assert content(tmp_path) == ["model", "real"]


@pytest.mark.parametrize(
    ("found", "working", "variable", "expected"),
    [
        ("/tmp", "/data", "", "/tmp"),
        ("/tmp", "/tmp", "", "/tmp"),
        ("/results", "/results", "", None),  # nothing else can be written to
        ("/results", "/results", "/results", "/results"),  # a person's own choice
        ("/scratch", "/results", "/scratch", "/scratch"),
    ],
)
def test_the_working_folder_is_no_place_for_temporary_files(
    monkeypatch, found, working, variable, expected
):
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: found)
    monkeypatch.setattr(folders.Path, "cwd", lambda: Path(working))
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, variable)
    assert temporary_folder() == (expected and Path(expected))


def test_no_place_at_all_for_temporary_files(monkeypatch):
    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(folders.tempfile, "gettempdir", nowhere)
    assert temporary_folder() is None


def test_temporary_files_are_kept_in_memory_rather_than_among_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "_IN_MEMORY", str(tmp_path))
    monkeypatch.setattr(folders.tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "/somewhere")
    monkeypatch.setattr(folders, "temporary_folder", lambda: Path("/tmp"))
    folders.keep_temporary_files_away()
    assert folders.tempfile.tempdir is None and os.environ["TMPDIR"] == "/somewhere"
    monkeypatch.setattr(folders, "temporary_folder", lambda: None)
    folders.keep_temporary_files_away()
    assert folders.tempfile.gettempdir() == os.environ["TMPDIR"] == str(tmp_path)
