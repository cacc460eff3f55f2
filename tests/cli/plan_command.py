"""The command ``plan`` on a small task of phantoms."""

import hashlib

from click.testing import CliRunner

from interactivenet.cli import main

NAME = "Task103_PLAN"


def unless_given(usual, words):
    """The usual options, option -> value, as words; without those that the words have."""
    return [word for option in usual if option not in words for word in (option, usual[option])]


def run(task, *options, jobs=1):
    processed = task.parent.parent / "processed"
    usual = {"-t": task.name, "--raw": task.parent, "--processed": processed, "--jobs": jobs,
             "--preset": "tiny", "-f": 3}  # fmt: skip
    arguments = ["plan", *unless_given(usual, options), *options]
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def plan(task, *options, **more):
    result = run(task, *options, **more)
    assert result.exit_code == 0, result.output
    return task.parent.parent / "processed" / task.name


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "sources.json", ".lock")
    }
