"""The demo: every stage, one command after the other, on a small task that a CPU can train.

Each stage runs as the command that is printed, in the demo's folder, where the default folders
(``data/raw``, ``data/processed``, ``results``) are its own.
"""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.formats import find_source, some_of
from interactivenet.datasets.task import EVALUATION
from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_label
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import read_object, write_json
from interactivenet.system.signals import passed_on

TASK, NEW = "Task999_DEMO", "Task998_NEW"
#: what the demo in a folder was begun with
RECORD = "demo.json"
#: of a sample: more take a CPU too long; what is aimed at where there are more, as a share
_VOXELS, _MARGIN = 80_000, 0.5
#: variables that would lead the stages elsewhere
_ROOTS = ("interactivenet_raw", "interactivenet_processed", "interactivenet_results")
#: of the phantoms: CT, whose contrasts a small network learns within minutes
_PHANTOMS = ("-m", "CT", "--shape", "64", "64", "32", "--spacing", "1", "1", "2")


@dataclass(frozen=True)
class DemoOptions:
    """What the demo is made of.

    data: a folder with images and labels, a Decathlon or an nnU-Net dataset; '' for phantoms.
    modalities, labels: their names, where the data does not tell.  merge_labels: name of the one
        label that all become.  cases, test_cases: how many.
    """

    data: str = ""
    modalities: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    merge_labels: str = ""
    cases: int = 24
    test_cases: int = 6
    folds: int = 2
    epochs: int = 50
    preset: str = "tiny"


@dataclass(frozen=True)
class Step:
    """One command.  why: what it is for.  made: a path that is there when it needs no repeating."""

    why: str
    words: tuple[str, ...]
    made: str = ""


def chosen_counts(data: Path) -> tuple[int, int]:
    """Say how many cases of a folder to train with and to test: few, and all where it has fewer."""
    source = find_source(data.resolve())
    labelled = sum(case.subset == "Tr" and case.label is not None for case in source.cases)
    test = max(1, min(4, labelled // 5))
    return max(2, min(20, labelled - test)), test


def steps(settings: DemoOptions) -> list[Step]:
    """Return the demo's commands; raises RequestError where the data cannot be used."""
    task = ("-t", TASK)
    if settings.data:
        first = [Step("take some scans with labels as a task, and check them", _import(settings))]
        new = Path("data") / "raw" / TASK
        subset, what = "Ts", "segment scans that it has not seen with the deployed model"
        last: list[Step] = []
    else:
        counts = ("--cases", str(settings.cases), "--test-cases", str(settings.test_cases))
        making = ("dataset", "phantom", *task, *counts, *_PHANTOMS)
        first = [Step("make synthetic scans with tumours", making, f"data/raw/{TASK}")]
        new = Path("data") / "raw" / NEW
        subset, what = "Tr", "segment it with the deployed model"
        last = [
            Step("make one more scan, for the deployed model",
                 ("dataset", "phantom", "-t", NEW, "--cases", "1", "--test-cases", "0",
                  *_PHANTOMS, "--seed", "1"), str(new)),
            Step("and its points, as a clinician would click them", ("simulate", "-t", NEW)),
        ]  # fmt: skip
    images, points, labels = (f"{new}/{kind}{subset}" for kind in
                              ("images", "interactions", "labels"))  # fmt: skip
    return [
        *first,
        Step("place six interior margin points in every object", ("simulate", *task)),
        Step("check images, labels and points", ("dataset", *task)),
        Step("measure, plan and preprocess", _plan(settings)),
        Step("train and validate every fold", ("train", *task, "-f", "all", "-e",
                                               str(settings.epochs))),
        Step("choose the postprocessing, segment the test cases, write the report",
             ("test", *task)),
        Step("deploy: one folder that holds all that a user needs", ("deploy", *task, "--zip")),
        *last,
        Step(what, ("infer", *task, "-i", images, "-in", points, "-l", labels, "-o",
                    "new_segmentations", "--model", "deployed")),
    ]  # fmt: skip


def coarser(settings: DemoOptions, folder: Path) -> Step | None:
    """Return a command that plans again with larger voxels, where a CPU would take hours.

    None where the planned sample is small enough. The finest axes become coarser first.
    """
    plan = PlannedTask.load(folder / "data" / "processed" / TASK).plan
    if math.prod(plan.sample_shape) <= _VOXELS:
        return None
    spacing = np.array(plan.spacing)
    extent = spacing * plan.sample_shape
    finest, coarsest = float(spacing.min()), float(extent.max())
    for _ in range(40):  # by halves: of this least spacing, the sample has just as many voxels
        middle = (finest + coarsest) / 2
        many = np.prod(extent / np.maximum(spacing, middle)) > _VOXELS * _MARGIN
        finest, coarsest = (middle, coarsest) if many else (finest, middle)
    found = [f"{mm:.3g}" for mm in np.maximum(spacing, coarsest).tolist()]
    why = f"plan again, with voxels of {' x '.join(found)} mm: a demo for the CPU, not for use"
    return Step(why, (*_plan(settings), "--spacing", *found))


def begin(folder: Path, settings: DemoOptions) -> None:
    """Note what the demo in a folder is made of.

    Raises RequestError where the folder holds something else, or a demo with other settings.
    """
    path = folder / RECORD
    content = {name: list(value) if isinstance(value, tuple) else value
               for name, value in asdict(settings).items()}  # fmt: skip
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RequestError(f"{folder}: exists and is no demo: expected a new folder (-o)")
        write_json(path, content)
    elif read_object(path) != content:
        raise RequestError(
            f"{folder}: is a demo that was begun with other settings: remove it, or name another"
            " folder (-o)"
        )


def typed(step: Step) -> str:
    """Write a command as one would type it."""
    return shlex.join(["interactivenet", *step.words])


def run(step: Step, folder: Path) -> int:
    """Run a command in the demo's folder and return its exit status; signals reach it."""
    env = {name: value for name, value in os.environ.items() if name not in _ROOTS}
    words = [sys.executable, "-m", "interactivenet", *step.words]
    with passed_on() as running:
        running.append(subprocess.Popen(words, cwd=folder, env=env))
        return running[0].wait()


def outcome(folder: Path) -> dict[str, Any]:
    """Return what the test cases' Dice is: 'n', 'mean', 'low', 'high' ..., {} for none."""
    content = read_object(folder / "results" / TASK / EVALUATION / "metrics.json")
    found = content.get("summary", {}).get("all", {}).get("metrics", {}).get("dice", {})
    return dict(found)


def _plan(settings: DemoOptions) -> tuple[str, ...]:
    return ("plan", "-t", TASK, "--preset", settings.preset, "-f", str(settings.folds))


def _import(settings: DemoOptions) -> tuple[str, ...]:
    folder = Path(settings.data).resolve()
    named = LabelNames.parse(settings.labels) if settings.labels else None
    source = find_source(folder, named)
    try:
        source = some_of(source, settings.cases, settings.test_cases, 0)
    except RequestError as error:
        raise RequestError(f"{error}: --cases and --test-cases say how many to take") from error
    modalities = settings.modalities
    if not modalities and not all(source.modalities):
        count = len(source.modalities)
        modalities = ("image",) if count == 1 else tuple(f"image_{i}" for i in range(count))
    labels = settings.labels
    if not labels and not settings.merge_labels and not source.labels.names:
        values = set()
        for case in source.cases:
            assert case.label is not None
            values |= set(np.unique(read_label(case.label).array).tolist())
        labels = tuple(f"{value}=label_{value}" for value in sorted(values - {0}))
    words = ["dataset", "convert", str(folder), "-t", TASK, "--cases", str(settings.cases),
             "--test-cases", str(settings.test_cases)]  # fmt: skip
    for option, names in (("-m", modalities), ("-l", labels)):
        words += [word for name in names for word in (option, name)]
    if settings.merge_labels:
        words += ["--merge-labels", settings.merge_labels]
    return tuple(words)
