"""One piece of work: an arm on a fold of a data set with a budget; what it is known by."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.learning.arms import ARMS, DATASETS, Arm
from benchmarks.learning.datasets import Dataset, LabelledCase, validation_names
from interactivenet import __version__
from interactivenet.system.files import sha256

Options = TypeVar("Options")


class Unavailable(Exception):
    """An arm cannot be measured here; says why."""


@dataclass(frozen=True)
class Budget:
    """What a training may cost.

    minutes: of the clock; 0 for none.  epochs: 0 for the default, where ``minutes`` is none, too.
    preset: size of the network.  device: 'cpu' or 'cuda'.  threads: of the CPU; 0 for all.
    """

    minutes: float = 0.0
    epochs: int = 0
    preset: str = "small"
    device: str = "cpu"
    threads: int = 2

    @property
    def name(self) -> str:
        """Of folders, and of the table's groups."""
        device = f"cpu{self.threads}" if self.device == "cpu" else self.device
        if self.minutes:
            return f"{self.minutes:g}min-{device}"
        return f"{self.epochs}epochs-{device}" if self.epochs else f"full-{device}"


@dataclass(frozen=True)
class Job:
    """An arm on a fold (-1: on all cases at once, where nothing is trained).

    shared: folder of the data.  work: folder of all that is kept.  limit: to so many cases, for a
    trial; 0 for none.
    """

    arm: str
    dataset: str
    fold: int
    budget: Budget
    shared: Path
    work: Path
    seed: int = 0
    limit: int = 0

    @property
    def of(self) -> tuple[Arm, Dataset]:
        """The arm and the data set themselves."""
        return ARMS[self.arm], DATASETS[self.dataset]

    def cases(self) -> tuple[list[LabelledCase], list[LabelledCase]]:
        """Return the cases that train, and those that are tested; never one of both."""
        arm, dataset = self.of
        cases = dataset.cases(self.shared, self.limit)
        names = [case.name for case in cases]
        tested = set(validation_names(names, self.fold))
        training = set(dataset.training_names(names, self.fold)) if arm.trains else set()
        if both := sorted(tested & training):
            raise ValueError(f"{self.dataset}, fold {self.fold}: {both[0]} trains and is tested")
        return [c for c in cases if c.name in training], [c for c in cases if c.name in tested]

    def training_identity(self, starter: str) -> dict[str, Any]:
        """Return what a training must agree in to be used again; starter: digest of its weights."""
        arm, dataset = self.of
        training, _ = self.cases()
        parts = {} if arm.trains else {"arm": self.arm}
        budget = asdict(self.budget) if arm.trains else {}
        return {
            "how": arm.how, "planning": dict(arm.planning), "training": dict(arm.training),
            "starter": starter, "budget": budget, "seed": self.seed, "version": __version__,
            "images": list(dataset.images), "modalities": list(dataset.modalities),
            "inputs": hashes(training, tested=False), **parts,
        }  # fmt: skip

    def identity(self, starter: str) -> dict[str, Any]:
        """Return what a result must agree in to be kept."""
        arm, dataset = self.of
        return {
            **self.training_identity(starter), "arm": self.arm, "mirrored": arm.mirrored,
            "fold": self.fold, "tested": hashes(self.cases()[1], tested=True),
            "objects": [list(dataset.values), dataset.every_value],
        }  # fmt: skip

    @property
    def record(self) -> Path:
        """The file of its result."""
        budget = self.budget.name if self.of[0].trains else "untrained"
        trial = f"first-{self.limit}" if self.limit else "all"
        name = f"fold_{self.fold}" if self.fold >= 0 else "all"
        seed = f"-seed{self.seed}" if self.seed else ""
        return (
            self.work / "records" / trial / budget / self.dataset / self.arm / f"{name}{seed}.json"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the job as JSON data."""
        content = asdict(self)
        return {**content, "shared": str(self.shared), "work": str(self.work)}

    @staticmethod
    def parse(content: Mapping[str, Any]) -> Job:
        """Read what :meth:`as_json` gave."""
        paths = {name: Path(content[name]) for name in ("shared", "work")}
        return Job(**{**content, **paths, "budget": Budget(**content["budget"])})


def hashes(cases: list[LabelledCase], *, tested: bool) -> dict[str, str]:
    """SHA-256 of the cases' files, by case and file name."""
    found = {}
    for case in cases:
        for path in (*(case.tested if tested else case.training), case.label):
            found[f"{path.parent.name}/{path.name}"] = sha256(path)
    return found


def digest(content: Mapping[str, Any]) -> str:
    """A short name for JSON data."""
    text = json.dumps(content, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def filled(default: Options, wanted: Mapping[str, Any]) -> Options:
    """Return a dataclass of options with other values; mappings go into options within options.

    Raises Unavailable where this version of the program has no such option.
    """
    known = {field.name for field in fields(default)}  # type: ignore[arg-type]
    changes = {}
    for name, value in wanted.items():
        if name not in known:
            kind = type(default).__name__
            raise Unavailable(f"this version has no option {name} ({kind})")
        inner = getattr(default, name)
        nested = isinstance(value, Mapping) and dataclasses.is_dataclass(inner)
        changes[name] = filled(inner, value) if nested else value
    return dataclasses.replace(default, **changes)  # type: ignore[type-var]
