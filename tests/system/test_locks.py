"""Who may write into a folder: one run alone, or shards of one number."""

import errno
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.system.locks import (
    SHARDS,
    folder_lock,
    shard_folder,
    shard_folders,
    shard_lock,
)

LEFT = ".77-0123abcd-case.nii.gz"


def refused(message, lock):
    with pytest.raises(RequestError) as error, lock:
        pass
    assert message in str(error.value), error.value


def test_shards_of_one_number_write_at_the_same_time(tmp_path):
    with ExitStack() as opened:
        for number in (1, 3, 2):
            opened.enter_context(shard_lock(tmp_path, number, 3))
        refused("shard 2/3 is running already: wait until", shard_lock(tmp_path, 2, 3))
        refused("shard 1/3 is writing to it, and shard 1/4 might write", shard_lock(tmp_path, 1, 4))
        refused("shard 1/3 is writing to it: wait until all shards", folder_lock(tmp_path))
    with folder_lock(tmp_path):
        refused("another run is writing to it", folder_lock(tmp_path))
    with shard_lock(tmp_path, 1, 4):
        pass
    assert [path.name for path in shard_folders(tmp_path)] == [
        "1-of-3",
        "2-of-3",
        "3-of-3",
        "1-of-4",
    ]


def test_a_run_alone_keeps_shards_out(tmp_path):
    """Also where there was no shard in the folder when it began."""
    with folder_lock(tmp_path):
        refused("a run without shards is writing to it, or gathers", shard_lock(tmp_path, 1, 2))
        # a shard that was refused has left nothing locked
        refused("a run without shards", shard_lock(tmp_path, 1, 2))
    with shard_lock(tmp_path, 1, 2):
        pass


def test_a_file_in_the_place_of_shards_is_in_no_runs_way(tmp_path):
    (tmp_path / SHARDS).write_text("mine")
    with folder_lock(tmp_path):
        pass
    with pytest.raises(DataError, match="cannot be written"), shard_lock(tmp_path, 1, 2):
        pass
    assert (tmp_path / SHARDS).read_text() == "mine"


def test_a_shard_leaves_the_temporary_files_of_others(tmp_path):
    places = [tmp_path, tmp_path / "objects", shard_folder(tmp_path, 2, 2)]
    for place in (*places, shard_folder(tmp_path, 1, 2)):
        place.mkdir(parents=True, exist_ok=True)
        (place / LEFT).touch()
    with shard_lock(tmp_path, 1, 2):
        assert [place for place in places if (place / LEFT).exists()] == places
        assert not (shard_folder(tmp_path, 1, 2) / LEFT).exists()  # its own, of before
    with folder_lock(tmp_path):
        assert not list(tmp_path.rglob(LEFT))


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK])
def test_where_there_are_no_locks_nothing_is_refused(tmp_path, monkeypatch, number):
    def acquire(*_, **__):
        raise OSError(number, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    with shard_lock(tmp_path, 1, 2), shard_lock(tmp_path, 2, 2), folder_lock(tmp_path):
        assert shard_folder(tmp_path, 2, 2).is_dir()


def test_a_killed_shard_leaves_no_lock(tmp_path):
    """In processes: one holds its lock, and is killed; what others have seen of it."""
    code = (
        "import sys; from pathlib import Path; from interactivenet.system.locks import shard_lock\n"
        "with shard_lock(Path(sys.argv[1]), 1, 2):\n"
        "    print('torch' in sys.modules, flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "False\n"
        refused("shard 1/2 is running already", shard_lock(tmp_path, 1, 2))
        refused("shard 1/2 is writing to it", folder_lock(tmp_path))
        with shard_lock(tmp_path, 2, 2):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with shard_lock(tmp_path, 1, 2):
        pass
    with folder_lock(tmp_path):
        pass
