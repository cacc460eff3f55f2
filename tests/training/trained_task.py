"""A planned task of small phantoms, folds of it to train, and what a training left."""

import csv
from dataclasses import replace

import torch
from safetensors.torch import load_file

from interactivenet.cli import main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import read_fold
from interactivenet.training.options import TrainingOptions

NAME = "Task104_TRAIN"
#: as fast as it gets
QUICK = TrainingOptions(epochs=2, device="cpu", precision="fp32", workers=0)
EXACT = replace(QUICK, deterministic=True)


def make_task(root, planning=(), **changes):
    """Write, simulate, check and plan a task; returns the root with raw/ and processed/."""
    from click.testing import CliRunner

    folder = root / "raw" / NAME
    settings = {"cases": 4, "test_cases": 0, "shape": (24, 22, 16), "spacing": (1.5, 1.5, 2.5)}
    write_phantom_task(folder, PhantomSettings(**(settings | changes)))
    where = ["-t", NAME, "--raw", str(root / "raw")]
    plan = ["--processed", str(root / "processed"), "--preset", "tiny", "-f", "2", "--jobs", "1",
            *planning]  # fmt: skip
    for command in (["simulate", *where], ["dataset", *where, "-m", "MR", "-l", "tumour"],
                    ["plan", *where, *plan]):  # fmt: skip
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
    return root


def first_fold(root, number=0):
    return read_fold(PlannedTask.load(root / "processed" / NAME), number)


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def weights(folder, which="last"):
    return load_file(folder / f"model_{which}.safetensors")


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)
