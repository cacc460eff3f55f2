"""Only regular files are read: nothing waits for a FIFO, nothing reads a device without end."""

from pathlib import Path

import pytest

from interactivenet.errors import DataError
from interactivenet.system import files
from interactivenet.system.archives import unzip, zip_folder
from interactivenet.system.arrays import open_arrays
from tests.special_files import KINDS, at_most, make_special


def opened_arrays(path):
    with open_arrays(path):
        pass


READERS = {
    "open_regular": files.open_regular,
    "check_regular": files.check_regular,
    "sha256": files.sha256,
    "read_bytes": files.read_bytes,
    "read_text": files.read_text,
    "read_json": files.read_json,
    "read_object": files.read_object,
    "copy_file": lambda path: files.copy_file(path, path.with_name("copy")),
    "open_arrays": opened_arrays,
    "zip_folder": lambda path: zip_folder(path.parent, path.parents[1] / "x.zip", "x"),
    "unzip": lambda path: unzip(path, path.parents[1] / "empty"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_anything_else_is_refused_at_once(tmp_path, reader, kind):
    (tmp_path / "empty").mkdir()
    path = make_special(tmp_path / "folder" / "file", kind)
    with at_most(5), pytest.raises(DataError) as refusal:
        READERS[reader](path)
    assert str(path) in str(refusal.value) and "expected a regular file" in str(refusal.value)
    if reader != "zip_folder":  # which refuses links, too
        assert KINDS[kind] in str(refusal.value)
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "empty", path.parent, path])


def test_a_fifo_that_takes_a_files_place_is_not_waited_for(tmp_path, monkeypatch):
    path = make_special(tmp_path / "file", "fifo")
    monkeypatch.setattr(files, "check_regular", lambda _: None)
    with at_most(5), pytest.raises(DataError, match="is a FIFO"):
        files.open_regular(path)


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_a_folder(tmp_path, kind):
    (tmp_path / "file").touch()
    files.check_regular_members(tmp_path)
    path = make_special(tmp_path / "deeper" / "member", kind)
    with pytest.raises(DataError, match=f"member: is {KINDS[kind]}"):
        files.check_regular_members(tmp_path)
    path.unlink()
    files.check_regular_members(tmp_path)


def test_links_and_what_is_not_there(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    assert files.read_bytes(tmp_path / "link") == b"text"
    files.check_regular(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        files.open_regular(tmp_path / "none")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match="symbolic links"):
        files.check_regular(tmp_path / "loop")
    with pytest.raises(DataError, match="is a folder: expected a regular file"):
        files.read_bytes(tmp_path)


def test_texts_are_bounded_and_read_as_before(tmp_path, monkeypatch):
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert files.read_text(path) == "a\nb\nc\n"
    monkeypatch.setattr(files, "_TEXT_BYTES", 5)
    with pytest.raises(DataError, match="has 10 bytes: expected at most 5"):
        files.read_json(path)


def test_no_descriptor_is_left_open(tmp_path):
    path = make_special(tmp_path / "file", "fifo")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(DataError):
            files.open_regular(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
