import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner
from packaging.version import Version

from interactivenet import __version__
from interactivenet.cli import main
from interactivenet.cli.base import Command, Group
from interactivenet.imaging.io import write_label_array
from interactivenet.system.signals import Interrupted
from tests.raw_task import GRID, label_array

COMMANDS = [[], ["dataset"], ["dataset", "convert"], ["dataset", "phantom"], ["simulate"],
            ["prompts"], ["prompts", "convert"]]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help(command, flag):
    result = CliRunner().invoke(main, [*command, flag])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout and "--debug" in result.stdout


@pytest.mark.parametrize(("commit", "shown"), [("", ""), ("abc123", ", commit abc123")])
def test_the_version_is_told(monkeypatch, commit, shown):
    monkeypatch.setattr("interactivenet.system.provenance.revision", lambda: commit)
    done = CliRunner().invoke(main, ["--version"])
    assert done.stdout == f"interactivenet, version {__version__}{shown}\n"


def test_the_version_is_above_the_originals():
    assert Version(__version__) > Version("0.2.1")


@pytest.mark.parametrize("command", [["--help"], ["dataset", "--help"], ["simulate", "-h"]])
def test_help_imports_nothing_heavy(command):
    code = (
        "import sys; from interactivenet.cli import main\n"
        f"try: main({command})\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'nibabel', 'SimpleITK', 'rich', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("ended", "line", "status"),
    [
        (Interrupted(signal.SIGTERM), "ended by SIGTERM: run the same command again", 143),
        (Interrupted(signal.SIGINT), "ended by SIGINT: run the same command again", 130),
        (KeyboardInterrupt(), "ended by SIGINT: run the same command again", 130),
    ],
)
def test_a_signal_is_told_and_is_the_exit_status(ended, line, status):
    """Nothing is promised to be kept: what is, differs."""

    def end():
        raise ended

    done = CliRunner().invoke(Group("group", commands=[Command("stage", callback=end)]), ["stage"])
    assert done.exit_code == status and done.output == f"{line} to finish its work\n"


def test_an_unknown_command_is_refused():
    result = CliRunner().invoke(main, ["segmnt"])
    assert result.exit_code == 2
    assert "No such command 'segmnt'" in result.stderr


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_no_finite_number_is_refused(value):
    words = ["evaluate", "-p", "p", "-l", "l", "--tolerance-mm", value]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and "--tolerance-mm" in done.output, done.output


def test_letters_that_the_output_cannot_show_end_nothing(tmp_path):
    """An old locale, or Windows' code page: the table's plus-minus, and names of cases."""
    label = tmp_path / "日.nii.gz"
    write_label_array(label, label_array(), GRID)
    words = [sys.executable, "-m", "interactivenet", "evaluate", "-p", str(label), "-l", str(label)]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words += ["-o", str(tmp_path / "out"), "--no-pictures"]
    done = subprocess.run(words, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"Dice" in done.stdout and b"\\xb1" in done.stdout
