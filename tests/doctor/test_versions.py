"""Versions and imports of libraries, good and bad."""

import signal

import pytest

from interactivenet.doctor import versions
from interactivenet.doctor.versions import Imports, judge_imports, judge_versions

WANTED = ["click>=8.1", "torch>=2.4,<3", "monai (>=1.4)", "pandas", "psutil>=5.9; extra == 'bench'",
          "tomli>=2 ; python_version < '3'", "rich ; python_version > '3'"]  # fmt: skip
FOUND = {"click": "8.1.7", "torch": "2.13.0+cpu", "monai": "1.4", "pandas": "3.0",
         "rich": "13"}  # fmt: skip


def problems(**changes):
    found = {name: text for name, text in {**FOUND, **changes}.items() if text}
    return [
        f"{check.subject}: {check.found}"
        for check in judge_versions(WANTED, found) if check.status == "problem"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"torch": "2.4"}, []),
        ({"torch": "2.3.1"}, ["torch: 2.3.1, expected <3,>=2.4"]),
        ({"click": "8.0.9"}, ["click: 8.0.9, expected >=8.1"]),
        ({"monai": "1.4rc1"}, ["monai: 1.4rc1, expected >=1.4"]),
        ({"monai": "1.5rc1"}, []),
        ({"torch": "3.0"}, ["torch: 3.0, expected <3,>=2.4"]),
        ({"rich": None}, ["rich: is not installed"]),
        ({"monai": None}, ["monai: is not installed"]),
        ({"monai": None, "torch": "1.13"}, ["torch: 1.13, expected <3,>=2.4",
                                            "monai: is not installed"]),
    ],
)  # fmt: skip
def test_libraries(changes, expected):
    assert problems(**changes) == expected


def test_geodistk_is_never_a_problem():
    assert versions.judge_geodistk(True).status == "ok"
    missing = versions.judge_geodistk(False)
    assert missing.status == "note" and "kernel geodistk is not available" in missing.found


def test_this_installation():
    found = {check.subject: check for check in versions.check_versions()}
    assert found["libraries"].status == "ok" and "torch 2" in found["libraries"].found
    assert {check.status for check in found.values()} <= {"ok", "note"}


NAMES = ("numpy", "torch", "monai", "mlflow")
FINE = dict.fromkeys(NAMES, "")


@pytest.mark.parametrize(
    ("faults", "code", "subject", "status", "found", "remedy"),
    [
        (FINE, 0, "imports", "ok", "can be imported", ""),
        ({"numpy": ""}, -signal.SIGILL, "torch", "problem", "SIGILL", "lacks instructions"),
        ({"numpy": ""}, -signal.SIGKILL, "torch", "problem", "SIGKILL", "memory"),
        ({"numpy": ""}, -signal.SIGSEGV, "torch", "problem", "SIGSEGV", "reinstall"),
        ({"numpy": ""}, 3, "torch", "problem", "exit status 3", "reinstall"),
        ({"numpy": ""}, None, "torch", "problem", "takes more than", "file system is slow"),
        ({**FINE, "monai": "KeyError: 'getpwuid(): uid not found: 7'"}, 0,
         "monai", "problem", "uid not found", "-e USER="),
        ({**FINE, "torch": "ImportError: libgomp.so.1"}, 0,
         "torch", "problem", "libgomp", "reinstall"),
        ({**FINE, "mlflow": "RuntimeError: Could not determine home directory."}, 0,
         "mlflow", "note", "works without", "-e HOME="),
    ],
)  # fmt: skip
def test_imports(faults, code, subject, status, found, remedy):
    (check,) = judge_imports(Imports(NAMES, faults, code))
    assert (check.subject, check.status) == (subject, status)
    assert found in check.found and remedy in check.remedy


def test_imports_are_tried_in_a_process_that_may_fail(monkeypatch, tmp_path):
    (tmp_path / "broken_a.py").write_text("print('noise')\nraise ValueError('so\\n broken')")
    (tmp_path / "fatal_b.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(versions, "_IMPORTED", ("json", "broken_a", "fatal_b", "csv"))
    first, second = versions.check_imports()
    assert first.subject == "broken_a" and "ValueError: so broken" in first.found
    assert second.subject == "fatal_b" and "SIGILL" in second.found


def test_an_import_that_takes_too_long(monkeypatch, tmp_path):
    (tmp_path / "slow_a.py").write_text("import time; time.sleep(60)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(versions, "_IMPORTED", ("json", "slow_a"))
    monkeypatch.setattr(versions, "_PATIENCE", 3)
    (check,) = versions.check_imports()
    assert check.subject == "slow_a" and "more than 3 s" in check.found


def test_all_libraries_can_be_imported_and_leave_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(versions.tempfile, "tempdir", None)
    (check,) = versions.check_imports()
    assert check.status == "ok", check
    assert list(tmp_path.iterdir()) == []
