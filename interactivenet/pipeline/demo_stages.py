"""The stages that the demo calls, each as a step with its purpose and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.formats import find_source, some_of
from interactivenet.datasets.phantom import PhantomSettings
from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.imaging.io import read_label
from interactivenet.models.starter import STARTER, has_starter
from interactivenet.pipeline.reporting import Reporter
from interactivenet.prompts.prompt import LabelNames

TASK, NEW = "Task999_DEMO", "Task998_NEW"
#: in the demo's folder, what the trained model and what the starter has segmented
SEGMENTATIONS, STARTED = "new_segmentations", "starter_segmentations"
#: of the phantoms: CT, whose contrasts a small network learns within minutes
_MODALITY, _SHAPE, _SPACING = "CT", (64, 64, 32), (1.0, 1.0, 2.0)
Failures = Mapping[str, str]
Numbers = tuple[float, float, float]


@dataclass(frozen=True)
class DemoOptions:
    """What the demo is made of.

    data: a folder with images and labels, a Decathlon or an nnU-Net dataset; '' for phantoms.
    modalities, labels: their names, where the data does not tell.  merge_labels: name of the one
    label that all become.  cases, test_cases: how many.  deterministic: the same weights every
    time.
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
    deterministic: bool = False


@dataclass(frozen=True)
class Step:
    """A stage of the demo.

    purpose: what it is for.  function, arguments: of the stage, as messages name them, with paths
    in the demo's folder.  run: calls it; returns case -> why it could not be used.  made: a path
    in the demo's folder that is there when the step needs no repeating.
    """

    purpose: str
    function: str
    arguments: Mapping[str, Any]
    run: Callable[[Roots, Reporter], Failures]
    made: str = ""

    @property
    def call(self) -> str:
        """The call, as messages name stages."""
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"`{self.function}({given})`"


def phantom_step(purpose: str, task: str, cases: int, test_cases: int, *, seed: int = 0) -> Step:
    """Make phantoms as a task."""
    shown = {
        "task": task, "cases": cases, "test_cases": test_cases, "modalities": [_MODALITY],
        "shape": _SHAPE, "spacing": _SPACING,
    } | ({"seed": seed} if seed else {})  # fmt: skip

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.dataset import make_phantoms

        settings = PhantomSettings(
            cases=cases, test_cases=test_cases, modalities=(_MODALITY,), shape=_SHAPE,
            spacing=_SPACING, seed=seed,
        )  # fmt: skip
        return make_phantoms(task, settings, roots=roots, reporter=reporter).failures

    return Step(purpose, "make_phantoms", shown, run, made=f"data/raw/{task}")


def simulate_step(purpose: str, task: str) -> Step:
    """Simulate the prompts of a task."""

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.simulate import simulate

        return simulate(task, roots=roots, reporter=reporter).failures

    return Step(purpose, "simulate", {"task": task}, run)


def check_step(purpose: str) -> Step:
    """Check the dataset."""

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.dataset import check_dataset

        return check_dataset(TASK, roots=roots, reporter=reporter).failures

    return Step(purpose, "check_dataset", {"task": TASK}, run)


def plan_step(purpose: str, options: DemoOptions, spacing: Numbers | None = None) -> Step:
    """Plan; spacing: of the voxels, mm, None for what suits the data."""
    shown: dict[str, Any] = {"task": TASK, "preset": options.preset, "folds": options.folds}
    if spacing:
        shown["spacing"] = spacing

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.plan import plan
        from interactivenet.planning.options import PlanningOptions

        planning = PlanningOptions(preset=options.preset, spacing=spacing)
        return plan(TASK, planning, folds=options.folds, roots=roots, reporter=reporter).failures

    return Step(purpose, "plan", shown, run)


def train_step(options: DemoOptions) -> Step:
    """Train and validate all folds."""
    shown: dict[str, Any] = {"task": TASK, "fold": "all", "epochs": options.epochs}
    if options.deterministic:
        shown["deterministic"] = True

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.train import train
        from interactivenet.training.options import TrainingOptions

        training = TrainingOptions(epochs=options.epochs, deterministic=options.deterministic)
        failures: dict[str, str] = {}
        for fold in train(TASK, "all", training, roots=roots, reporter=reporter):
            failures.update(fold.failures)
        return failures

    return Step("train and validate every fold", "train", shown, run)


def test_step(purpose: str) -> Step:
    """Choose the postprocessing, segment the test cases, and evaluate."""

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.test import test

        return test(TASK, roots=roots, reporter=reporter).failures

    return Step(purpose, "test", {"task": TASK}, run)


def deploy_step(purpose: str) -> Step:
    """Deploy the model, as a zip as well."""

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.deploy import deploy

        return deploy(TASK, zip=True, roots=roots, reporter=reporter).failures

    return Step(purpose, "deploy", {"task": TASK, "zip": True}, run)


def infer_step(purpose: str, task: str, subset: str) -> Step:
    """Segment a subset of a task, 'Tr' or 'Ts', with the deployed model, and compare."""
    kinds = ("images", "interactions", "labels")
    images, points, labels = (f"data/raw/{task}/{kind}{subset}" for kind in kinds)
    output = SEGMENTATIONS
    shown = {
        "task": TASK, "images": [images], "interactions": points, "labels": labels,
        "output": output, "model": "deployed",
    }  # fmt: skip

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.infer import infer

        folder = roots.results.parent
        return infer(
            TASK, folder / images, folder / points, folder / output, labels=folder / labels,
            model="deployed", roots=roots, reporter=reporter,
        ).failures  # fmt: skip

    return Step(purpose, "infer", shown, run)


def starter_step(task: str, subset: str, *, compared: bool) -> Step:
    """Segment a subset of a task with the starter.

    compared: with labels, of which there is but one: the starter numbers names as they come.
    """
    kinds = ("images", "interactions", "labels") if compared else ("images", "interactions")
    images, points, *labels = (f"data/raw/{task}/{kind}{subset}" for kind in kinds)
    shown = {
        "images": [images], "interactions": points, **({"labels": labels[0]} if labels else {}),
        "output": STARTED, "model": STARTER,
    }  # fmt: skip

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.infer import infer

        if not has_starter():
            reporter.say("skipped: this installation has no starter model")
            return {}
        folder = roots.results.parent
        return infer(
            None, folder / images, folder / points, folder / STARTED,
            labels=folder / labels[0] if labels else None, model=STARTER, roots=roots,
            reporter=reporter,
        ).failures  # fmt: skip

    purpose = "the same without any training: the starter, which segments any object"
    return Step(purpose, "infer", shown, run)


def import_step(options: DemoOptions) -> Step:
    """Import own scans, with names for labels that the data does not name."""
    from interactivenet.pipeline.convert import check_modalities

    folder = Path(options.data).resolve()
    source = find_source(folder, LabelNames.parse(options.labels) if options.labels else None)
    try:
        source = some_of(source, options.cases, options.test_cases, 0)
    except RequestError as error:
        raise RequestError(str(error), remedy="take fewer with `cases` and `test_cases`") from error
    modalities = options.modalities
    check_modalities(source, modalities or tuple(filter(None, source.modalities)))
    labels = options.labels
    if not labels and not options.merge_labels and not source.labels.names:
        values: set[int] = set()
        for case in source.cases:
            assert case.label is not None
            values |= set(np.unique(read_label(case.label).array).tolist())
        labels = tuple(f"{value}=label_{value}" for value in sorted(values - {0}))
    shown: dict[str, Any] = {"source": str(folder), "task": TASK, "cases": options.cases,
                             "test_cases": options.test_cases}  # fmt: skip
    if modalities:
        shown["modalities"] = list(modalities)
    if labels:
        shown["labels"] = list(labels)
    if options.merge_labels:
        shown["merge_labels"] = options.merge_labels

    def run(roots: Roots, reporter: Reporter) -> Failures:
        from interactivenet.pipeline.convert import convert_dataset

        return convert_dataset(
            folder, TASK, modalities=modalities,
            labels=LabelNames.parse(labels) if labels else None,
            merge_labels=options.merge_labels or None, cases=options.cases,
            test_cases=options.test_cases, roots=roots, reporter=reporter,
        ).failures  # fmt: skip

    purpose = "take some scans with labels as a task, and check them"
    return Step(purpose, "convert_dataset", shown, run)
