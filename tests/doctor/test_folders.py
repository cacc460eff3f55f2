"""Folders that do, or do not, do what commands need."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.doctor import folders
from interactivenet.doctor.folders import FolderFacts, judge_folder, read_folder

GB = 10**9
GOOD = {"kind": "folder", "place": Path("/data/results"), "free": 100 * GB}


def judged(name="results", container=False, **facts):
    path = Path("/data/results")
    return judge_folder(name, FolderFacts(path, **{**GOOD, **facts}), container=container)


def test_a_good_folder_is_left_as_it_was(tmp_path):
    (tmp_path / "kept").write_text("x")
    facts = read_folder(tmp_path)
    assert (facts.kind, facts.read, facts.write, facts.rename) == ("folder", "", "", "")
    assert facts.locks == "" and facts.free > 0
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]
    assert judge_folder("results", facts).status in ("ok", "note")


def test_a_folder_to_be_made_is_not_made(tmp_path):
    facts = read_folder(tmp_path / "a" / "b")
    assert (facts.kind, facts.place, facts.write) == ("missing", tmp_path, "")
    assert list(tmp_path.iterdir()) == []
    assert "will be created" in judge_folder("results", facts).found


@pytest.mark.parametrize("below", ["", "sub/folder"])
def test_a_file_in_the_place_of_a_folder(tmp_path, below):
    (tmp_path / "results").write_text("x")
    facts = read_folder(tmp_path / "results" / below)
    check = judge_folder("results", facts)
    assert check.status == "problem" and f"{tmp_path / 'results'} is not a folder" in check.found
    assert "--results" in check.remedy


def test_a_link_to_nowhere_is_no_folder(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "gone")
    assert read_folder(tmp_path / "results").kind == "other"


def test_a_read_only_folder(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(folders.tempfile, "TemporaryDirectory", refuse)
    facts = read_folder(tmp_path)
    assert facts.write == "Read-only file system" and facts.read == ""
    assert judge_folder("results", facts).status == "problem"


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    look = os.scandir

    def refuse(path):
        if path == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path)

    monkeypatch.setattr(folders.os, "scandir", refuse)
    facts = read_folder(tmp_path)
    assert facts.read == "Permission denied"


@pytest.mark.parametrize(
    ("facts", "name", "status", "found"),
    [
        ({}, "results", "ok", "100.0 GB free"),
        ({"kind": "missing"}, "results", "ok", "will be created"),
        ({"kind": "missing", "write": "Read-only"}, "raw", "note", "cannot be created"),
        ({"kind": "missing", "write": "Read-only"}, "results", "problem", "cannot be created"),
        ({"read": "Permission denied"}, "raw", "problem", "cannot be read"),
        ({"write": "Read-only"}, "raw", "note", "enough for anything but making a task"),
        ({"write": "Read-only"}, "processed", "note", "enough for anything but planning"),
        ({"write": "Read-only"}, "results", "problem", "cannot be written: Read-only"),
        ({"rename": "Not supported"}, "results", "problem", "cannot be renamed"),
        ({"locks": "no"}, "results", "note", "has no locks"),
        ({"locks": "Input/output error"}, "results", "problem", "cannot be locked"),
        ({"free": 10**7}, "results", "problem", "the disk is full"),
        ({"free": 10**7, "locks": "no"}, "results", "problem", "the disk is full"),
        ({"free": 2 * GB}, "processed", "note", "soon be full"),
        ({"free": 10**7}, "raw", "ok", "0.0 GB free"),
    ],
)
def test_judging(facts, name, status, found):
    check = judged(name, **facts)
    assert check.status == status and found in check.found
    assert check.status != "problem" or f"--{name}" in check.remedy


@pytest.mark.parametrize(
    ("name", "path", "mount"),
    [("raw", "/data/raw", "/data"), ("processed", "/data/processed", "/data"),
     ("results", "/results", "/results"), ("results", "/mine/results", "/mine/results"),
     ("raw", "/mine/scans", "/mine/scans")],
)  # fmt: skip
def test_a_container_is_told_what_to_mount(name, path, mount):
    facts = FolderFacts(Path(path), **GOOD, read="Permission denied")
    assert f"-v FOLDER:{mount} " in judge_folder(name, facts, container=True).remedy
    assert "-v FOLDER" not in judge_folder(name, facts).remedy


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSYS, "Function not implemented"), "no"),
        (OSError(errno.ENOLCK, "No locks available"), "no"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (None, "no"),  # granted, and granted again
    ],
)
def test_file_systems_without_locks(tmp_path, monkeypatch, error, expected):
    def flock(*_):
        if error:
            raise error

    monkeypatch.setattr(fcntl, "flock", flock)
    assert read_folder(tmp_path).locks == expected


def test_a_file_system_that_cannot_replace_files(tmp_path, monkeypatch):
    def replace(self, _):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", replace)
    assert read_folder(tmp_path).rename == "Operation not permitted"


def test_no_home_and_no_temporary_folder(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    def no_folder():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(folders.tempfile, "gettempdir", no_folder)
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    found = {check.subject: check for check in folders.check_folders(roots)}
    assert found["home"].status == "note" and "HOME=" in found["home"].remedy
    assert found["temporary files"].status == "problem"
    assert "TMPDIR" in found["temporary files"].remedy


def test_a_check_that_fails_costs_no_other_one(tmp_path, monkeypatch):
    read = folders.read_folder

    def fail(path):
        if path.name == "processed":
            raise ZeroDivisionError("oh\nno")
        return read(path)

    monkeypatch.setattr(folders, "read_folder", fail)
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    found = {check.subject: check for check in folders.check_folders(roots)}
    assert found["processed"].status == "problem"
    assert "unexpected ZeroDivisionError: oh no" in found["processed"].found
    assert found["raw"].status != "problem" and found["results"].status != "problem"


def test_a_folder_of_a_container_that_is_not_mounted_is_a_note():
    facts = FolderFacts(Path("/results"), **GOOD)
    check = judge_folder("results", facts, container=True, lost=True)
    assert check.status == "note" and "nothing is mounted" in check.found
    assert "-v FOLDER:/results" in check.remedy
