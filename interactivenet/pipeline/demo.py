"""The demo: every stage, one after the other, on a small task that a CPU can train.

Each stage is the function that its command calls. What is called is shown with paths in the
demo's folder, where the default folders (``data/raw``, ``data/processed``, ``results``) are its
own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.formats import find_source
from interactivenet.datasets.roots import EVALUATION, Roots
from interactivenet.errors import RequestError
from interactivenet.pipeline.demo_stages import SEGMENTATIONS, STARTED, TASK, DemoOptions, Step
from interactivenet.pipeline.demo_steps import coarser_plan, demo_steps, planned_spacing
from interactivenet.pipeline.reporting import SILENT, Reporter
from interactivenet.system.files import interpreting, read_object, write_json
from interactivenet.system.signals import Signals

#: what the demo in a folder was begun with
RECORD = "demo.json"


@dataclass(frozen=True)
class DemoResult:
    """What came of the demo.

    Attributes:
        folder: Of the demo.
        dice: Of the test cases: 'n', 'mean', 'min', 'max' ...; {} for none.
        failures: Case to why a stage could not use it.
    """

    folder: Path
    dice: Mapping[str, Any]
    failures: Mapping[str, str]

    @property
    def report(self) -> Path:
        """Of the test cases."""
        return self.folder / "results" / TASK / EVALUATION / "report.html"

    @property
    def model(self) -> Path:
        """Folder of the deployed model."""
        return self.folder / "results" / "models" / TASK

    @property
    def segmentations(self) -> Path:
        """Folder of the new scans' segmentations."""
        return self.folder / SEGMENTATIONS

    @property
    def starter_segmentations(self) -> Path:
        """Folder of the segmentations of the same scans that needed no training."""
        return self.folder / STARTED


def demo(
    output: Path | str = Path("demo"),
    *,
    data: Path | str | None = None,
    modalities: Sequence[str] = (),
    labels: Sequence[str] = (),
    merge_labels: str = "",
    cases: int | None = None,
    test_cases: int | None = None,
    epochs: int | None = None,
    deterministic: bool = False,
    reporter: Reporter = SILENT,
    during: Callable[[Step], AbstractContextManager[object]] = nullcontext,
) -> DemoResult:
    """Run every stage on a small task: make or import it, train, test, deploy, infer.

    At the end the starter, which needs no training, segments the same scans. Called again, the demo
    continues where it was.

    Args:
        output: Folder for everything.
        data: Folder of your own scans, of which some are taken and none is altered; by default
            synthetic ones are made.
        modalities: Names of the images, where the data does not tell.
        labels: Names of the labels, where the data does not tell.
        merge_labels: Merge all labels into one with this name.
        cases: Number of training cases: 24, of own scans at most 20.
        test_cases: Number of test cases: 6, of own scans at most 4.
        epochs: Of the training: 50, on own scans 30.
        deterministic: Train the same weights every time.
        during: Gives the context that surrounds each step.
        reporter: Receives the messages and the progress.

    Returns:
        Where everything is, and the Dice of the test cases.

    Raises:
        RequestError: The folder holds something else, or the data cannot be used.
        Interrupted: A signal came; called again, it continues.
    """
    output, data = Path(output), None if data is None else Path(data)
    if data is None and (modalities or labels or merge_labels):
        raise RequestError("`modalities`, `labels` and `merge_labels` can only be used with `data`")
    count, test_count = choose_counts(data) if data else (24, 6)
    options = DemoOptions(
        data="" if data is None else str(data.resolve()), modalities=tuple(modalities),
        labels=tuple(labels), merge_labels=merge_labels, cases=cases or count,
        test_cases=test_cases or test_count, epochs=epochs or (30 if data else 50),
        deterministic=deterministic,
    )  # fmt: skip
    roots = demo_roots(output)
    steps = demo_steps(options, planned_spacing(roots))
    begin(output, options)
    failures: dict[str, str] = {}
    signals = Signals()

    def take(step: Step, number: int) -> None:
        reporter.say(f"\n[{number}/{len(steps)}] {step.purpose}\n>>> {step.call}")
        if step.made and (output / step.made).exists():
            reporter.say(f"{step.made} exists already")
            return
        with during(step), as_found():
            failures.update(step.run(roots, reporter))
        signals.check()

    with signals.noted():
        for number, step in enumerate(steps, start=1):
            take(step, number)
            first_plan = step.function == "plan" and "spacing" not in step.arguments
            if first_plan and (again := coarser_plan(options, roots)):
                take(again, number)
    return DemoResult(output, read_dice(output), failures)


def demo_roots(folder: Path) -> Roots:
    """Return a demo's own folders, which are the default ones for whoever works in it."""
    return Roots(folder / "data" / "raw", folder / "data" / "processed", folder / "results")


def choose_counts(data: Path) -> tuple[int, int]:
    """Say how many cases of a folder to train with and to test: few, and all where it has fewer."""
    source = find_source(data.resolve())
    labelled = sum(case.subset == "Tr" and case.label is not None for case in source.cases)
    test = max(1, min(4, labelled // 5))
    return max(2, min(20, labelled - test)), test


def begin(folder: Path, options: DemoOptions) -> None:
    """Note what the demo in a folder is made of.

    Raises RequestError where the folder holds something else, or a demo with other options.
    """
    path = folder / RECORD
    content = {name: list(value) if isinstance(value, tuple) else value
               for name, value in asdict(options).items()}  # fmt: skip
    if not options.deterministic:  # as in demos of before
        del content["deterministic"]
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RequestError(
                f"{folder}: exists and is not a demo", remedy="choose a new folder with `output`"
            )
        write_json(path, content)
    elif read_object(path) != content:
        raise RequestError(
            f"{folder}: holds a demo that was started with other settings",
            remedy="remove it, or choose another folder with `output`",
        )


def read_dice(folder: Path) -> dict[str, Any]:
    """Return what the test cases' Dice is: 'n', 'mean', 'low', 'high' ..., {} for none."""
    path = folder / "results" / TASK / EVALUATION / "metrics.json"
    content = read_object(path)
    with interpreting(path):
        return dict(content.get("summary", {}).get("all", {}).get("metrics", {}).get("dice", {}))


@contextmanager
def as_found() -> Iterator[None]:
    """Leave the process as a stage found it: the next one runs as in a process of its own.

    Training chooses among the kernels of torch, and sets variables of the environment.
    """
    from interactivenet.models.device import kept_choice_of_kernels

    environment = dict(os.environ)
    try:
        with kept_choice_of_kernels():
            yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
