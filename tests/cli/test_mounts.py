"""What commands say in the image about folders that are not mounted, before they do anything."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from interactivenet.cli import folders, main
from interactivenet.cli.folders import DataPath
from interactivenet.system.mounts import Mount, lasts

#: what the image sets
ENVIRONMENT = {
    "INTERACTIVENET_IMAGE": "1",
    "interactivenet_raw": "/data/raw",
    "interactivenet_processed": "/data/processed",
    "interactivenet_results": "/results",
}
ROOT = Mount(Path("/"), "/")
ANONYMOUS = f"/var/lib/docker/volumes/{'0123456789abcdef' * 4}/_data"
INFER = "infer -t X -i /in -in /in"


class Started(Exception):
    """A command was not refused."""


def every_command(group=main, words=()):
    """Yield all commands, each with the words that call it."""
    yield words, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            yield from every_command(group.get_command(context, name), (*words, name))


@pytest.fixture
def lacks(monkeypatch):
    """Return a function: what is said about a command in a container with some mounts.

    None where its folders are as it needs them; then nothing of the command runs.
    """
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    check = folders.describe_missing_folder

    def check_alone(ctx):
        if message := check(ctx):
            return message
        raise Started

    monkeypatch.setattr("interactivenet.cli.base.describe_missing_folder", check_alone)
    monkeypatch.setattr(folders, "_exists", lambda path: True)  # the mounts are not real

    def run(words, *mounts):
        table = [ROOT, *(item if isinstance(item, Mount) else mount(item) for item in mounts)]
        monkeypatch.setattr(folders, "read_mounts", lambda: table)
        done = CliRunner().invoke(main, words.split())
        if "unexpected Started" in done.stderr:
            return None
        assert done.exit_code == 2 and done.stdout == "", done.output
        message = done.stderr.removeprefix("Error: ")
        assert message.count("\n") == 1 and message.endswith("\n")
        return message.strip()

    return run


def mount(point, root="/home/me/somewhere"):
    return Mount(Path(point), root)


@pytest.fixture
def writable(monkeypatch):
    """All that is mounted can be written to."""
    monkeypatch.setattr(folders, "_why_unwritable", lambda folder: None)


@pytest.mark.parametrize("words", ["", "-h", "--version", "plan -h", "train --help", "dataset -h"])
def test_help_needs_no_folder(monkeypatch, words):
    monkeypatch.setenv("INTERACTIVENET_IMAGE", "1")
    monkeypatch.setattr(folders, "read_mounts", lambda: [ROOT])
    done = CliRunner().invoke(main, words.split())
    assert "nothing is mounted" not in done.output and done.output


@pytest.mark.parametrize("words", ["doctor", "doctor --json"])
def test_the_doctor_needs_no_folder(lacks, words):
    assert lacks(words) is None


@pytest.mark.parametrize(
    ("words", "mounted", "volume"),
    [
        ("dataset -t X", [], "/data"),
        ("dataset phantom -t X", [], "/data"),
        ("simulate -t X", ["/results"], "/data"),
        ("plan -t X", [], "/data"),
        ("train -t X -f 0", ["/data"], "/results"),
        ("train -t X -f 0", ["/results"], "/data"),
        ("postprocess -t X", ["/results"], "/data"),
        ("predict -t X", ["/data"], "/results"),
        ("ensemble -t X", ["/results"], "/data"),
        ("test -t X", ["/results"], "/data"),
        ("deploy -t X", ["/data"], "/results"),
        ("deploy -t X --grand-challenge /algorithm", ["/results"], "/algorithm"),
        ("models list", [], "/results"),
        ("models show X", [], "/results"),
        ("models download X", [], "/results"),
        ("models remove X", [], "/results"),
        (f"{INFER} -o /out", ["/in", "/results"], "/out"),
        (f"{INFER} -o /out", ["/in", "/out"], "/results"),
        (f"{INFER} -o /out", ["/out", "/results"], "/in"),
        (f"{INFER} -o /in/out --model deployed", ["/in"], "/results"),
        (f"{INFER} -o /in/out --model own", ["/in"], "/results"),
        # MLflow's database would be lost
        (f"{INFER} -o /in/out --model /model -m", ["/in"], "/results"),
        (f"{INFER} -o /in/out -m", ["/in"], "/results"),
        ("demo -o /elsewhere", ["/results"], "/elsewhere"),
        ("evaluate -p /in/p -l /in/l -o /out", ["/in"], "/out"),
        ("evaluate -p /predictions -l /in/l", ["/in"], "/predictions"),
        ("evaluate -p /predictions -l /in/l -o /in/out", ["/in"], "/predictions"),
        ("robustness -t X", ["/data"], "/results"),
        ("robustness -t X -o /out", ["/data", "/results"], "/out"),
        ("evaluate-corrections -t X", ["/data"], "/results"),
        ("evaluate-corrections -t X", ["/results", "/data/raw"], "/data"),
        ("evaluate-corrections -t X -o /out", ["/data", "/results"], "/out"),
        # MLflow's database would be lost
        ("evaluate-corrections -t X -o /out --model starter", ["/data", "/out"], "/results"),
        ("evaluate --robustness -t X", [], "/results"),
        ("evaluate --robustness -t X", ["/results"], "/data"),
        ("evaluate --robustness -t X -o /out", ["/results", "/data"], "/out"),
        ("prompts convert /in/a.json /out/b.csv", ["/in"], "/out"),
        ("prompts convert /in/a.json /in/b.csv", [], "/in"),
        ("prompts convert /in/a.json /in/b.csv -t X", ["/in"], "/data"),
    ],
)
def test_what_is_not_mounted_is_named(lacks, writable, words, mounted, volume):
    message = lacks(words, *mounted)
    assert message.startswith(words.split()[0]) and f"-v FOLDER:{volume}," in message
    assert message.endswith(f"-B FOLDER:{volume}")


@pytest.mark.parametrize(
    ("words", "mounted"),
    [
        ("dataset -t X", ["/data"]),
        # the group's own default does not count
        ("dataset phantom -t X --raw /here", ["/here"]),
        ("plan -t X", ["/data"]),
        ("plan -t X", ["/data/raw", "/data/processed"]),
        ("plan -t X --raw /a/b --processed=/c", ["/a", "/c"]),
        ("train -t X -f 0", ["/data", "/results"]),
        ("train -t X -f 0 --results /data/results", ["/data"]),
        ("train -t X -f 0 --no-validate", ["/data/processed", "/results"]),
        ("postprocess -t X", ["/results", "/data/processed"]),
        ("deploy -t X", ["/results"]),
        (f"{INFER} -o /out", ["/in", "/out", "/results"]),
        (f"{INFER} -o /out --model /model", ["/in", "/out"]),
        (f"{INFER} -o /out --model /model -m", ["/in", "/out", "/results"]),
        ("evaluate -p /in/p -l /in/l", ["/in"]),
        ("evaluate -p /in/p -l /in/l -o /out", ["/in", "/out"]),
        ("evaluate --robustness -t X -o /out", ["/data", "/results", "/out"]),
        ("robustness -t X", ["/data", "/results"]),
        ("evaluate-corrections -t X", ["/data", "/results"]),
        ("evaluate-corrections -t X -o /out --model starter --no-mlflow", ["/data/raw", "/out"]),
        ("prompts convert /in/a.json /out/b.csv", ["/in", "/out"]),
        ("demo -o /out", ["/out"]),
        ("models download X", ["/results"]),
        # as it is typed without a container
        ("interactivenet plan -t X", ["/data"]),
        ("--debug plan -t X", ["/data"]),
    ],
)
def test_what_is_mounted_will_do(lacks, writable, words, mounted):
    assert lacks(words, *mounted) is None


def test_a_whole_message(lacks):
    assert lacks("train -t X -f 0", "/data") == (
        "train needs /results (--results), but nothing is mounted there, so that its output would"
        " be lost with the container: use docker run -v FOLDER:/results, or apptainer run -B"
        " FOLDER:/results"
    )


def test_a_server_of_mlflow_keeps_its_records_itself(lacks, writable, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert lacks(f"{INFER} -o /in/out --model /model -m", "/in") is None


def test_outside_of_the_image_nothing_is_checked(lacks, monkeypatch):
    monkeypatch.delenv("INTERACTIVENET_IMAGE")
    assert lacks("plan -t X") is None


def test_no_mount_table_is_no_reason_to_refuse(lacks, monkeypatch):
    monkeypatch.setattr(folders, "read_mounts", list)
    context = click.Context(main.get_command(click.Context(main), "plan"), info_name="plan")
    assert folders.describe_missing_folder(context) is None


def test_an_option_that_is_given_twice(lacks, writable):
    for words in ("--raw /lost --raw /here", "--raw /here --raw /lost"):
        message = lacks(f"simulate -t X {words}", "/here")
        assert "--raw: is given 2 times, expected once" in message


@pytest.mark.parametrize(
    "words", [f"{INFER} -o/out", f"{INFER} -wo /out", f"{INFER} --output=/out", f"{INFER} -mo /out"]
)
def test_options_are_read_as_click_does(lacks, writable, words):
    assert "-v FOLDER:/out," in lacks(words, "/in", "/results")


def test_a_relative_output_is_below_the_working_folder(lacks, writable, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert lacks("demo", tmp_path) is None
    assert f"-v FOLDER:{tmp_path / 'demo'}" in lacks("demo")


def test_what_was_put_into_the_image_can_be_read(lacks, writable, tmp_path):
    """Of an image that is built on this one, with data in it."""
    words = f"postprocess -t X --processed {tmp_path}"
    assert lacks(words, "/results") is None
    assert "--processed" in lacks(f"{words}/missing", "/results")
    # there, but empty: an engine made it for a volume that the image declares
    assert "--processed" in lacks(words, "/results", mount(tmp_path, ANONYMOUS))


def test_a_path_of_the_host_is_not_one_of_the_container(lacks, writable, monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "_exists", os.path.lexists)
    (tmp_path / "here").mkdir()
    words = f"dataset convert {tmp_path}/there -t X"
    assert lacks(words.replace("there", "here"), tmp_path, "/data") is None
    message = lacks(words, tmp_path, "/data")
    assert f"{tmp_path}/there" in message or "SOURCE" in message
    assert "does not exist in this container" in message and "-v FOLDER:PLACE" in message


def test_a_relative_file_is_written_below_the_working_folder(
    lacks, writable, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)  # as /results in the image
    words = "prompts convert /in/a.json out.json"
    assert lacks(words, "/in", tmp_path) is None
    for lost in ([], [mount(tmp_path, ANONYMOUS)], [Mount(tmp_path, "/", "tmpfs")]):
        assert f"-v FOLDER:{tmp_path}," in lacks(words, "/in", *lost)


def test_a_result_of_every_command_with_an_output_would_be_lost(lacks, writable):
    """Whatever option names it: /tmp and the root are the container's own."""
    seen = 0
    for words, command in every_command():
        for parameter in command.params:
            if not isinstance(parameter.type, DataPath):
                continue
            given = {item.name: None for item in command.params}
            given |= {"task": "X", parameter.name: (Path("/tmp/o"),)}
            given |= {"robustness": True, "images": (), "interactions": None}
            if parameter.type.access(given) != "writes":
                continue
            needs = [need for need in folders._needs(_context(command, given)) if need.written]
            lost = [need for need in needs if need.path == Path("/tmp/o")]
            assert lost and not lasts(lost[0].folder, [ROOT]), (words, parameter.name)
            seen += 1
    assert seen > 15


def _context(command, given):
    context = click.Context(command, info_name=command.name)
    context.params = given
    return context


def test_beside_a_single_file_the_folder_is_written(lacks, writable, tmp_path):
    """A file may be mounted alone: what is written beside it is lost."""
    file = tmp_path / "case.nii.gz"
    file.touch()
    words = f"evaluate -p {file} -l {file}"
    assert f"-v FOLDER:{tmp_path}," in lacks(words, file)
    assert lacks(words, tmp_path) is None
    assert lacks(f"{words} -o /out", file, "/out") is None


def test_a_file_in_the_root_is_mounted_itself(lacks, writable):
    words = "deploy -t X --grand-challenge /results/algorithm --settings"
    message = lacks(f"{words} /s.json", "/results")
    assert "needs /s.json (--settings)" in message and "-v FOLDER:/s.json," in message
    assert "-v FOLDER:/in," in lacks(f"{words} /in/s.json", "/results")
    assert lacks(f"{words} /s.json", "/results", "/s.json") is None


def test_a_folder_that_cannot_be_written_to_is_named(lacks, monkeypatch, tmp_path):
    words = f"simulate -t X --raw {tmp_path}/raw"
    assert lacks(words, tmp_path) is None  # the folder is made later
    monkeypatch.setattr(folders.os, "access", lambda *_: False)
    assert f"writes into {tmp_path}/raw" in lacks(words, tmp_path)
    assert "by its owner, mode" in lacks(words, tmp_path)
    monkeypatch.setattr(folders.os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    assert "docker run --user" in lacks(words, tmp_path)
    monkeypatch.setattr(folders, "_is_read_only", lambda folder: True)
    assert "without :ro" in lacks(words, tmp_path)


def test_what_is_only_read_may_be_read_only(lacks, monkeypatch):
    monkeypatch.setattr(folders, "_why_unwritable", lambda folder: "it is mounted read-only")
    assert lacks("models list", "/results") is None
    assert "read-only" in lacks("models remove X", "/results")
    monkeypatch.setattr(
        folders, "_why_unwritable", lambda folder: None if "results" in str(folder) else "no"
    )
    assert lacks("train -t X -f 0", "/data", "/results") is None


def test_a_task_of_ones_own_in_a_folder_of_others(lacks, monkeypatch, tmp_path):
    task = tmp_path / "Task101_MINE"
    task.mkdir()
    monkeypatch.setattr(
        folders.os, "access", lambda path, mode: mode == os.R_OK or Path(path) == task
    )
    monkeypatch.setattr(folders, "_is_read_only", lambda folder: False)
    assert lacks(f"simulate -t Task101_MINE --raw {tmp_path}", tmp_path) is None
    message = lacks(f"simulate -t Task102_OTHER --raw {tmp_path}", tmp_path)
    assert "mode" in message  # its owner is who runs this test


def test_every_path_of_every_command_says_what_is_done_there():
    """A new option must say whether its command reads or writes: DataPath, not click.Path."""
    undeclared, declared = [], 0
    for words, command in every_command():
        for parameter in command.params:
            if isinstance(parameter.type, DataPath):
                declared += 1
            elif isinstance(parameter.type, (click.Path, click.File)):
                undeclared.append((" ".join(words), parameter.name))
    assert undeclared == [] and declared > 40


def test_every_command_with_folders_of_tasks_is_checked():
    """By the base class: a command that is none of it would be checked by nobody."""
    from interactivenet.cli.base import Command, Group

    assert all(isinstance(command, (Command, Group)) for _, command in every_command())
