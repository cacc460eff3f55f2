"""Ctrl-C is status 130 and SIGTERM 143, with one line, in every command at every moment."""

import os
import signal
import subprocess
import sys
import time

import click
import pytest

from interactivenet.cli import main
from interactivenet.cli.base import Command, Group
from interactivenet.system.signals import Ended, ending_by_signals

LINE = "ended by {}: run the same command again to finish its work\n"
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def commands(group=main, *words):
    """Yield the words of all commands of a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, *words, name)


def started(code, *arguments):
    """Start Python in a group of its own, with signals as a terminal leaves them."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


#: sends the signal to itself when a module is imported
WHEN_IMPORTED = """
import os, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
from interactivenet.__main__ import main
sys.argv[0] = "interactivenet"
main()
"""


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize(
    ("words", "module"),
    [
        ("doctor", "interactivenet.cli"),
        ("doctor", "click"),
        ("evaluate -p . -l .", "interactivenet.cli.evaluate"),
        ("models list", "interactivenet.models.registry"),
        ("doctor", "interactivenet.doctor"),
        ("dataset -t Task501_X -m CT -l a", "numpy"),
        ("train -t Task501_X -f 0", "torch"),
    ],
)
def test_while_modules_are_imported(words, module, number, status):
    process = started(WHEN_IMPORTED.format(module=module, number=int(number)), *words.split())
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said, errors) == (
        status, LINE.format(signal.Signals(number).name), "",
    )  # fmt: skip


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_before_anything_is_imported(number, status):
    """And at the very end, when the interpreter tidies up."""
    code = (
        "import os, sys, builtins; real = builtins.__import__\n"
        "def importing(name, *more):\n"
        f"    if name == 'interactivenet.system.signals': os.kill(os.getpid(), {int(number)})\n"
        "    return real(name, *more)\n"
        "builtins.__import__ = importing; import interactivenet.__main__"
    )
    process = started(code)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, "")
    assert said == LINE.format(signal.Signals(number).name)
    code = (
        f"import atexit, os, sys; atexit.register(lambda: os.kill(os.getpid(), {int(number)}))\n"
        "from interactivenet.__main__ import main; sys.argv[1:] = ['--version']; main()"
    )
    process = started(code)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == status and said.startswith("interactivenet, version")
    assert errors == ""


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_while_each_command_is_parsed(words, number, status, capsys):
    """In this process: a signal while the last command of these words reads its options."""
    context = click.Context(main)
    command = main
    for word in words:
        command = command.get_command(context, word)
    option = command.params[0]
    before = option.type

    class Type(click.ParamType):
        name = "signalled"

        def convert(self, *_):
            signal.raise_signal(number)
            time.sleep(5)

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    option.type = Type()
    word = option.opts[0] if isinstance(option, click.Option) else None
    flag = isinstance(option, click.Option) and (option.is_flag or option.nargs != 1)
    try:
        with pytest.raises(SystemExit) as ended:
            extra = [] if flag else [word, "x"] if word else ["x"]
            if flag:
                option.callback, kept = (lambda *_: option.type.convert()), option.callback
            main([*words, *extra, *([word] if flag else [])], "interactivenet")
    finally:
        option.type = before
        if flag:
            option.callback = kept
        signal.signal(signal.SIGINT, handlers[signal.SIGINT])
    assert ended.value.code == status
    out = capsys.readouterr()
    assert out.out == LINE.format(signal.Signals(number).name) and out.err == ""
    assert signal.getsignal(signal.SIGTERM) == handlers[signal.SIGTERM]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_a_question_is_asked(number, status, monkeypatch):
    """Click takes Ctrl-C there for an answer, and ends with status 1."""

    def ask():
        signal.raise_signal(number)
        time.sleep(5)

    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: ask())
    monkeypatch.setattr(signal, "default_int_handler", signal.default_int_handler)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    command = Command("ask", callback=lambda: click.confirm("Sure?"))
    try:
        with pytest.raises(SystemExit) as ended:
            Group("group", commands=[command]).main(["ask"], "group")
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == status


def test_what_comes_again_is_the_same_and_later_ends_at_once():
    code = (
        "import os, sys; from interactivenet.system import signals\n"
        "with signals.ending_by_signals() as ending:\n"
        "    try: os.kill(os.getpid(), 15); print('no')\n"
        "    except signals.Ended as ended: print(ended, flush=True)\n"
        "    os.kill(os.getpid(), 15); print('tidying up', flush=True)\n"
        "    signals._SAME = 0; os.kill(os.getpid(), 15); print('no')"
    )
    process = started(code)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, "")
    assert said == "ended by SIGTERM\ntidying up\n"


def test_who_has_chosen_otherwise_keeps_that():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ending_by_signals() as ending:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            with ending_by_signals() as inner, pytest.raises(Ended):
                assert inner is ending
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


def test_temporary_files_of_an_ended_command_are_removed(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; import click\n"
        "from interactivenet.cli.base import Command\n"
        "from interactivenet.system.files import replacing\n"
        "from interactivenet.system.folders import replacing_folder\n"
        "def write():\n"
        "    root = Path(sys.argv[1])\n"
        "    with replacing_folder(root / 'folder') as folder, replacing(root / 'f') as file:\n"
        "        file.touch(); (folder / 'x').touch(); os.kill(os.getpid(), 15)\n"
        "Command('write', callback=write).main([], 'write')"
    )
    process = started(code, str(tmp_path))
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said, errors) == (143, LINE.format("SIGTERM"), "")
    assert list(tmp_path.iterdir()) == []


WORKERS = """
import sys, time, interactivenet.cli.base as base
from tests.cli.slow_function import slow
from interactivenet.system.parallel import Workers
def work():
    with Workers(2) as workers:
        print("on", flush=True)
        list(workers.map(slow, range(400)))  # longer than any delay below
base.Command("work", callback=work).main([], "work")
"""


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.4, 1.2])
def test_workers_say_nothing(delay):
    """Ctrl-C goes to the whole group, also to workers that are just being started."""
    process = started(f"if __name__ == '__main__':\n    exec({WORKERS!r})")
    assert process.stdout.readline() == "on\n"
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said, errors) == (130, LINE.format("SIGINT"), "")
