"""What the tests of commands that use trained folds share."""

import shutil

from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.task import Task
from tests.training.trained_task import NAME

CPU = ["--device", "cpu", "--precision", "fp32"]


def run(root, *words, results=None, raw=True):
    where = ["--processed", root / "processed", "--results", results or root / "results"]
    where += ["--raw", root / "raw"] * raw
    return CliRunner().invoke(main, [str(word) for word in (*words, *where)])


def copied(root, target):
    shutil.copytree(root / "results", target / "results")
    return target / "results"


def copied_root(root, target):
    for part in ("raw", "processed", "results"):
        shutil.copytree(root / part, target / part)
    return target


def files(folder):
    return sorted(
        one.relative_to(folder).as_posix()
        for one in folder.rglob("*")
        if one.is_file() and one.name != ".lock"
    )


def case_of(root):
    return Task.load(root / "raw" / NAME).test[0]


def infer(root, *words, results, **more):
    return run(root, "infer", "-t", NAME, *CPU, *words, results=results, raw=False, **more)
