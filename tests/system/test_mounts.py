"""The mount table, and what of it outlives a container."""

from pathlib import Path

import pytest

from interactivenet.system import mounts
from interactivenet.system.mounts import Mount, lasts, read_mounts

ROOT = Mount(Path("/"), "/")
ANONYMOUS = f"/var/lib/docker/volumes/{'0123456789abcdef' * 4}/_data"
DATA = Path("/data/raw")


def mount(point, root="/home/me/somewhere", kind=""):
    return Mount(Path(point), root, kind)


def test_no_table_is_an_empty_one(tmp_path):
    assert read_mounts(tmp_path / "mountinfo") == []


def test_the_table_is_read(tmp_path):
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 0:21 / / rw - overlay overlay rw\n"
        "36 22 8:1 /home/a\\040b /data rw,relatime master:1 - ext4 /dev/sda1 rw\n"
        "half\n36 22 8:1 / /half rw -\n"
    )
    overlay = Mount(Path("/"), "/", "overlay", frozenset({"rw"}))
    assert read_mounts(table) == [
        overlay,
        Mount(Path("/data"), "/home/a b", "ext4", frozenset({"rw"})),
    ]


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux")
def test_this_machine_has_a_root():
    assert Path("/") in {mount.point for mount in read_mounts()}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([], False),
        ([ROOT], False),
        ([ROOT, mount("/data")], True),
        ([ROOT, mount("/data/raw")], True),
        ([ROOT, mount("/data/raw/deeper")], False),
        ([ROOT, mount("/dat")], False),
        # a volume with a name was made on purpose
        ([ROOT, mount("/data", "/var/lib/docker/volumes/mine/_data")], True),
        ([ROOT, mount("/data", ANONYMOUS)], False),
        ([ROOT, mount("/data", ANONYMOUS), mount("/data/raw")], True),
        # a mount at the same point covers the one before it
        ([ROOT, mount("/data", ANONYMOUS), mount("/data")], True),
        ([ROOT, mount("/data"), mount("/data", ANONYMOUS)], False),
    ],
)
def test_what_lasts(table, expected):
    assert lasts(DATA, table) == expected


@pytest.mark.parametrize(
    "root",
    [
        ANONYMOUS,
        f"/var/lib/nerdctl/1935db59/volumes/default/{'ab' * 32}/_data",
        f"/io.containerd.grpc.v1.cri/containers/x/volumes/{'ab' * 32}",
        f"/home/me/.local/share/containers/storage/volumes/{'ab' * 32}/_data",
    ],
)
def test_volumes_that_engines_make_by_themselves(root):
    assert mount("/data", root).is_anonymous and not lasts(DATA, [ROOT, mount("/data", root)])


def test_memory_does_not_last(monkeypatch, tmp_path):
    memory = [ROOT, mount("/data", "/", "tmpfs")]
    monkeypatch.setattr(mounts, "_SHARED_TMP", tmp_path / "missing")
    assert not lasts(DATA, memory)
    monkeypatch.setattr(mounts, "_SHARED_TMP", tmp_path)  # where /tmp is the host's
    assert lasts(DATA, memory)
