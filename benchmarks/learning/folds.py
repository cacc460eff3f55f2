"""The pipeline on one fold: a raw task of its training cases alone, planned and trained.

The task holds nothing of the cases that the fold is tested on: the plan cannot be made from them,
no checkpoint be chosen on them. Training watches a few of its own cases, and its last weights are
what is tested, never the best.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning.datasets import Dataset, LabelledCase
from benchmarks.learning.job import Job, digest, filled, hashes
from interactivenet import (
    LabelNames,
    PlanningOptions,
    Roots,
    TrainingOptions,
    check_dataset,
    plan,
    simulate,
    train,
)
from interactivenet.datasets.splits import Split
from interactivenet.imaging.io import write_label_array
from interactivenet.models.fold_results import FoldResults
from interactivenet.models.model import Model
from interactivenet.planning.plan import Encoding
from interactivenet.planning.planned_task import PLANS, PlannedTask

#: of a fold's training cases, those that an epoch is watched on
WATCHED = 8
_TASK = "Task001_FOLD"


def train_fold(job: Job, starter: Path | None, starter_digest: str) -> tuple[Model, dict[str, Any]]:
    """Plan and train the fold, or go on; returns the model and what it cost.

    starter: folder of the bundle to begin at.
    Raises Unavailable where this version of the program cannot do what the arm asks.
    """
    _, dataset = job.of
    training, _ = job.cases()
    raw = raw_task(dataset, training, job.work)
    options = training_options(job, starter)
    planning, more = planning_options(job, starter)
    name = digest(job.training_identity(starter_digest))
    asked = {"planning": repr(planning), "more": str(more), "raw": raw.parent.name,
             "starter": starter_digest}  # fmt: skip
    processed = job.work / "processed" / digest(asked)
    roots = Roots(raw.parent, processed, job.work / "results" / name)
    jobs = job.budget.threads or None
    planned = _planned(roots, planning, {**more, "jobs": jobs})
    (fold,) = train(_TASK, 0, options, validate=False, mlflow=False, roots=roots)
    weights = FoldResults(roots.results / _TASK, 0).weights("last")
    history = fold.trained.history
    cost = {
        "plan": planned.plan.digest,
        "sample_shape": list(planned.plan.sample_shape),
        "features": list(planned.plan.network.features),
        "batch": planned.plan.batch_size,
        "epochs": len(history),
        "train_seconds": round(sum(row["seconds"] for row in history), 1),
        "weights": str(weights.relative_to(job.work)),
    }
    return Model(planned.plan, (weights,), (0,), "last"), cost


def raw_task(dataset: Dataset, cases: list[LabelledCase], work: Path) -> Path:
    """Make the raw task of some cases in the work folder, unless it is there; returns its folder.

    Images are links to the shared ones; label maps become 1 in the object.
    """
    content = {"cases": hashes(cases, tested=False), "modalities": list(dataset.modalities)}
    folder = work / "raw" / digest(content) / _TASK
    if (folder / "dataset.json").exists():
        return folder
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for case in cases:
        for index, image in enumerate(case.training):
            suffix = "".join(image.suffixes[-2:])
            link = folder / "imagesTr" / f"{case.name}_{index:04d}{suffix}"
            if not link.is_symlink():
                link.symlink_to(image.resolve())
        label = dataset.read_label(case)
        path = folder / "labelsTr" / f"{case.name}.nii.gz"
        write_label_array(path, (label.array[0] > 0).astype(np.uint8), label.source)
    roots = Roots(folder.parent, folder.parent, folder.parent)
    simulated = simulate(_TASK, roots=roots)
    checked = check_dataset(
        _TASK, modalities=dataset.modalities, labels=LabelNames({1: "object"}), roots=roots
    )
    if failures := {**simulated.failures, **checked.failures}:
        (folder / "dataset.json").unlink(missing_ok=True)
        raise ValueError(f"{dataset.name}: a case cannot be used: {failures}")
    return folder


def planning_options(job: Job, starter: Path | None) -> tuple[PlanningOptions, dict[str, Any]]:
    """Return what is asked of the plan, and further arguments of ``plan``."""
    wanted = _named(job.of[0].planning, starter)
    encoding = wanted.pop("encoding", None)
    options = PlanningOptions(seed=job.seed)
    if encoding is not None:
        options = replace(options, encoding=Encoding(**encoding))
    if "like" not in wanted:
        wanted = {"preset": job.budget.preset, **wanted}
    parameters = set(inspect.signature(plan).parameters)
    more = {name: wanted.pop(name) for name in list(wanted) if name in parameters}
    return filled(options, wanted), more


def training_options(job: Job, starter: Path | None) -> TrainingOptions:
    """Return how the fold is trained: as the arm says, within the budget."""
    budget = job.budget
    spent: dict[str, Any] = {}
    if budget.minutes:  # instead of the epochs that are usual
        spent = {"minutes": budget.minutes, "epochs": None}
    elif budget.epochs:
        spent = {"epochs": budget.epochs}
    wanted = {**_named(job.of[0].training, starter), **spent, "device": budget.device}
    return filled(TrainingOptions(), wanted)


def _named(options: Mapping[str, Any], starter: Path | None) -> dict[str, Any]:
    return {name: starter if value == "STARTER" else value for name, value in options.items()}


def _planned(roots: Roots, options: PlanningOptions, more: Mapping[str, Any]) -> PlannedTask:
    folder = roots.processed / _TASK
    if not (folder / PLANS).exists():
        made = plan(_TASK, options, folds=1, roots=roots, **more)
        if made.failures:
            raise ValueError(f"{folder}: a case cannot be used: {dict(made.failures)}")
    planned = PlannedTask.load(folder)
    (split,) = planned.splits
    if len(split.validation) > WATCHED or split.validation == split.training:
        # every case would be watched after every epoch, in time that the training could use
        watched = split.training[:WATCHED]
        planned = replace(planned, splits=(Split(split.training, watched),))
        planned.save()
    return planned
