"""A user without a name or a home: a container under a number of its own."""

import os
import subprocess
import sys

import pytest

from interactivenet.system.user import name_user

UNKNOWN = (
    "import os, pwd, sys\n"
    "def unknown(uid): raise KeyError(f'getpwuid(): uid not found: {uid}')\n"
    "pwd.getpwuid = unknown\n"
)


def run(code, **environment):
    """Run code as a user whom the system does not know."""
    dropped = ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "MPLCONFIGDIR")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return subprocess.run(
        [sys.executable, "-c", UNKNOWN + code], env=kept | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_known_user_is_left_alone(monkeypatch):
    monkeypatch.delenv("USER", raising=False)
    before = dict(os.environ)
    name_user()
    assert dict(os.environ) == before


def test_an_unknown_one_gets_a_name_and_no_home():
    code = (
        "from interactivenet.system.user import name_user; name_user(); import getpass\n"
        "from pathlib import Path\n"
        "print(getpass.getuser() == f'uid{os.getuid()}', Path.home())"
    )
    assert run(code).stdout == "True /nonexistent\n"
    assert run(code, LOGNAME="somebody", HOME="/").stdout == "False /\n"


@pytest.mark.parametrize("home", [None, "/proc/nothing"])
def test_what_training_imports_finds_a_name_and_is_silent(home):
    """MONAI asks for the name, and Matplotlib for the home, when they are imported."""
    code = (
        "import interactivenet.training, getpass; getpass.getuser()\n"
        "from interactivenet.plotting.canvas import new_figure; new_figure(1, 1)"
    )
    done = run(code, **({"HOME": home} if home else {}))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_line_takes_care_of_it():
    code = (
        "sys.argv = ['interactivenet', 'prompts', 'convert', 'none.json', 'out.csv']\n"
        "import atexit; atexit.register(lambda: print(os.environ['USER'], os.environ['HOME']))\n"
        "from interactivenet.__main__ import main; main()"
    )
    done = run(code)
    assert done.stdout == f"uid{os.getuid()} /nonexistent\n" and done.returncode == 2, done.stderr
