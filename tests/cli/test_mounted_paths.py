"""Which folder of each path must be mounted: of files, of relative paths, of every command."""

import os
from pathlib import Path

import click

from interactivenet.cli import folders
from interactivenet.cli.folders import DataPath
from interactivenet.system.mounts import Mount, lasts
from tests.cli.mounted_folders import ANONYMOUS, ROOT, every_command, mount


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
