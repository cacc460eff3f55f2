import subprocess
import sys
from pathlib import Path

import pytest

from interactivenet import mounts
from interactivenet.cli import _COMMANDS
from interactivenet.mounts import Mount, missing, read_mounts

#: what the image sets
ENVIRONMENT = {
    "interactivenet_raw": "/data/raw",
    "interactivenet_processed": "/data/processed",
    "interactivenet_results": "/results",
}
ROOT = Mount(Path("/"), "/")
ANONYMOUS = f"/var/lib/docker/volumes/{'0123456789abcdef' * 4}/_data"


def lacks(words, *found):
    return missing(words.split(), ENVIRONMENT, [ROOT, *found])


def mount(point, root="/home/me/somewhere"):
    return Mount(Path(point), root)


@pytest.fixture
def writable(monkeypatch):
    """All that is mounted can be written to."""
    monkeypatch.setattr(mounts, "_unwritable", lambda path: None)


@pytest.mark.parametrize(
    "words",
    ["", "--help", "--version", "plan -h", "train --help", "doctor", "doctor --json",
     "prompts convert a.json b.csv", "evaluate -p here -l there", "unknown"],
)  # fmt: skip
def test_what_needs_no_folder(words):
    assert lacks(words) is None


@pytest.mark.parametrize(
    ("words", "found", "volume"),
    [
        ("dataset -t X", [], "/data"),
        ("simulate -t X", ["/results"], "/data"),
        ("plan -t X", [], "/data"),
        ("train -t X -f 0", ["/data"], "/results"),
        ("train -t X -f 0", ["/results"], "/data"),
        ("test -t X", ["/results"], "/data"),
        ("deploy -t X", ["/data"], "/results"),
        ("models list", [], "/results"),
        ("infer -t X -i /in -in /in -o /out", ["/results"], "/out"),
        ("infer -t X -i /in -in /in -o /out", ["/out"], "/results"),
        ("demo -o /elsewhere", ["/results"], "/elsewhere"),
    ],
)
def test_what_is_not_mounted_is_named(writable, words, found, volume):
    said = lacks(words, *map(mount, found))
    assert said.startswith(words.split()[0]) and f"-v FOLDER:{volume}," in said
    assert said.endswith(f"-B FOLDER:{volume}") and "\n" not in said


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("dataset -t X", ["/data"]),
        ("plan -t X", ["/data"]),
        ("plan -t X", ["/data/raw", "/data/processed"]),
        ("plan -t X --raw /a/b --processed=/c", ["/a", "/c"]),
        ("train -t X -f 0", ["/data", "/results"]),
        ("train -t X -f 0 --results /data/results", ["/data"]),
        ("infer -t X -i /in -in /in -o /out --model /model", ["/out"]),
        ("infer -t X -i /in -in /in --output /out", ["/out", "/results"]),
    ],
)
def test_what_is_mounted_will_do(writable, words, found):
    assert lacks(words, *map(mount, found)) is None


def test_a_relative_output_is_below_the_working_folder(writable, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert lacks("demo", mount(tmp_path)) is None
    assert f"-v FOLDER:{tmp_path / 'demo'}" in lacks("demo")


def test_an_anonymous_volume_is_none(writable):
    assert "-v FOLDER:/data" in lacks("simulate -t X", mount("/data", ANONYMOUS))
    assert lacks("simulate -t X", mount("/data", "/var/lib/docker/volumes/mine/_data")) is None
    assert lacks("simulate -t X", mount("/data", ANONYMOUS), mount("/data/raw")) is None
    # a mount at the same point covers the one before it
    assert lacks("simulate -t X", mount("/data", ANONYMOUS), mount("/data")) is None


def test_a_folder_that_cannot_be_written_to_is_named(monkeypatch, tmp_path):
    found = [mount(tmp_path)]
    words = f"simulate -t X --raw {tmp_path}/raw"
    assert lacks(words, *found) is None  # the folder is made later
    monkeypatch.setattr(mounts.os, "access", lambda *_: False)
    assert f"writes into {tmp_path}/raw" in lacks(words, *found)
    assert "docker run --user" in lacks(words, *found)
    monkeypatch.setattr(mounts, "_read_only", lambda path: True)
    assert "without :ro" in lacks(words, *found)


def test_what_is_only_read_may_be_read_only(monkeypatch, tmp_path):
    monkeypatch.setattr(mounts.os, "access", lambda path, *_: path == tmp_path / "results")
    for name in ("data", "results"):
        (tmp_path / name).mkdir()
    words = f"train -t X -f 0 --raw {tmp_path}/data --processed {tmp_path}/data"
    words += f" --results {tmp_path}/results"
    assert lacks(words, mount(tmp_path / "data"), mount(tmp_path / "results")) is None


def test_no_table_of_mounts_is_no_reason_to_refuse(tmp_path):
    assert read_mounts(tmp_path / "mountinfo") == []
    assert missing(["plan"], ENVIRONMENT, []) is None


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
    if Path("/proc/self/mountinfo").exists():
        assert Path("/") in {found.point for found in read_mounts()}


def test_every_command_was_thought_of():
    """A new command says what it reads and writes, or stands here, where it needs no folder."""
    needs_none = {"doctor", "prompts", "evaluate"}
    assert set(mounts._WRITTEN) | needs_none == set(_COMMANDS)
    assert set(mounts._READ) <= set(mounts._WRITTEN)


def test_it_is_quick_to_import():
    """It runs before every command: nothing but the standard library."""
    program = (
        "import sys; before = set(sys.modules);"
        "import interactivenet.mounts, interactivenet.first_process;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["interactivenet"]
