import subprocess
import sys
from pathlib import Path

import pytest

from interactivenet.cli import _COMMANDS
from interactivenet.system import mounts
from interactivenet.system.mounts import Mount, missing, read_mounts

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
    assert "by its owner, mode" in lacks(words, *found)
    monkeypatch.setattr(mounts.os, "getuid", lambda: tmp_path.stat().st_uid + 1)
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
    needs_none = {"doctor", "prompts"}
    known = {words.split()[0] for words in mounts._WRITTEN}
    assert known | needs_none == set(_COMMANDS) and not known & needs_none
    assert {words.split()[0] for words in mounts._READ} <= known


def test_it_is_quick_to_import():
    """It runs before every command: nothing but the standard library."""
    program = (
        "import sys; before = set(sys.modules);"
        "import interactivenet.system.mounts, interactivenet.first_process;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["interactivenet"]


@pytest.mark.parametrize(
    ("words", "volume"),
    [
        ("--debug train -t X -f 0", "/results"),
        ("infer -t X -i /in -in /in -o/out", "/out"),
        ("infer -t X -i /in -in /in -wo /out", "/out"),
        ("infer -t X -i /in -in /in -o /here --model deployed", "/results"),
        ("infer -t X -i /in -in /in -o /here --model own", "/results"),
        ("evaluate -p /here/p -l /here/l -o /out", "/out"),
        ("evaluate --robustness -t X", "/results"),
        ("deploy -t X --results /here --grand-challenge /algorithm", "/algorithm"),
        ("models install /here/x.zip", "/results"),
        ("models list", "/results"),
    ],
)
def test_what_would_be_lost_is_refused(writable, words, volume):
    assert f"-v FOLDER:{volume}," in lacks(words, mount("/here"))


def test_the_last_of_an_option_counts(writable):
    words = "simulate -t X --raw /lost --raw /here"
    assert lacks(words, mount("/here")) is None
    assert "/lost" in lacks("simulate -t X --raw /here --raw /lost", mount("/here"))


def test_only_what_a_command_needs(writable):
    assert lacks("postprocess -t X", mount("/results"), mount("/data/processed")) is None
    words = "train -t X -f 0 --no-validate"
    assert lacks(words, mount("/results"), mount("/data/processed")) is None
    assert "--raw" in lacks("train -t X -f 0", mount("/results"), mount("/data/processed"))


def test_models_are_listed_from_a_folder_that_may_only_be_read(monkeypatch):
    monkeypatch.setattr(mounts, "_unwritable", lambda path: "it is mounted read-only")
    assert lacks("models list", mount("/results")) is None
    assert "read-only" in lacks("models remove X", mount("/results"))


@pytest.mark.parametrize(
    "root",
    [
        ANONYMOUS,
        f"/var/lib/nerdctl/1935db59/volumes/default/{'ab' * 32}/_data",
        f"/io.containerd.grpc.v1.cri/containers/x/volumes/{'ab' * 32}",
        f"/home/me/.local/share/containers/storage/volumes/{'ab' * 32}/_data",
    ],
)
def test_volumes_that_engines_make_by_themselves(writable, root):
    assert "-v FOLDER:/data" in lacks("simulate -t X", mount("/data", root))


def test_memory_does_not_last(writable, monkeypatch, tmp_path):
    memory = Mount(Path("/tmp"), "/", "tmpfs")
    words = "infer -t X -i /in -in /in -o /tmp/out --model /in"
    assert "-v FOLDER:/tmp/out" in lacks(words, memory)
    monkeypatch.setattr(mounts, "_APPTAINER", tmp_path)  # where it is the host's
    assert lacks(words, memory) is None


def test_a_task_of_ones_own_in_a_folder_of_others(monkeypatch, tmp_path):
    task = tmp_path / "Task101_MINE"
    task.mkdir()
    monkeypatch.setattr(mounts.os, "access", lambda path, *_: Path(path) == task)
    monkeypatch.setattr(mounts, "_read_only", lambda path: False)
    assert lacks(f"simulate -t Task101_MINE --raw {tmp_path}", mount(tmp_path)) is None
    said = lacks(f"simulate -t Task102_OTHER --raw {tmp_path}", mount(tmp_path))
    assert "mode" in said  # its owner is who runs this test
