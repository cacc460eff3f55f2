"""Reading a file once, as long as it is unchanged."""

import os

import pytest

from interactivenet.system import stamps
from interactivenet.system.stamps import ReadOnce


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled as soon as they are written."""
    monkeypatch.setattr(stamps, "SETTLED", -(10**12))


def counting(most=10):
    read = []
    return ReadOnce(lambda path: read.append(path.name) or path.read_text(), most), read


def test_a_file_is_read_once_until_it_changes(tmp_path, settled):
    once, read = counting()
    path = tmp_path / "a"
    path.write_text("one")
    assert [once(path), once(path)] == ["one", "one"] and read == ["a"]
    status = path.stat()
    path.write_text("two")  # of the same size, and then of the same time
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert once(path) == "two" and read == ["a", "a"]


def test_what_has_just_changed_is_read_every_time(tmp_path):
    once, read = counting()
    (tmp_path / "a").write_text("one")
    once(tmp_path / "a"), once(tmp_path / "a")
    assert read == ["a", "a"]


def test_only_so_many_are_kept_and_errors_are_not(tmp_path, settled):
    once, read = counting(most=2)
    for name in "abc":
        (tmp_path / name).write_text(name)
        once(tmp_path / name)
    once(tmp_path / "c"), once(tmp_path / "b"), once(tmp_path / "a")
    assert read == ["a", "b", "c", "a"]
    with pytest.raises(FileNotFoundError):
        once(tmp_path / "missing")
