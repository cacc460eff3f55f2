"""One fold of a processed task: what trains and what validates, and what identifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from interactivenet.errors import RequestError
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.region_records import record_path, region_record
from interactivenet.preprocessing.storage import REGIONS, is_empty


@dataclass(frozen=True)
class Fold:
    """One fold of a processed task.

    training, validation: names of regions.  cases: names of the validation cases.
    """

    processed: Path
    plan: Plan
    number: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    cases: tuple[str, ...]

    @cached_property
    def empty(self) -> tuple[str, ...]:
        """Those regions of whose object no voxel is left on the target grid, sorted."""
        names = sorted({*self.training, *self.validation})
        return tuple(name for name in names if is_empty(self.processed / REGIONS, name))

    def check_learnable(self) -> None:
        """Raise RequestError where the target grid holds no object to train on, or to validate."""
        if not self.learnable or not self.measurable:
            raise RequestError(
                f"{self.processed}: of fold {self.number}, the target grid holds"
                f" {len(self.learnable)} objects to train on and {len(self.measurable)} to"
                " validate",
                expected="at least one of each",
                remedy=f"run `plan(task={self.plan.task!r})` again with a finer `spacing`",
            )

    @property
    def learnable(self) -> tuple[str, ...]:
        """Regions to train on: those that are not empty."""
        empty = set(self.empty)
        return tuple(name for name in self.training if name not in empty)

    @property
    def measurable(self) -> tuple[str, ...]:
        """Regions to validate an epoch on: those that are not empty."""
        empty = set(self.empty)
        return tuple(name for name in self.validation if name not in empty)

    @property
    def seed(self) -> int:
        """Of everything random in its training."""
        return self.plan.seed + self.number

    @cached_property
    def inputs(self) -> dict[str, str]:
        """SHA-256 of the regions' records, by their path, which hold those of the scans' files."""
        return {
            path.relative_to(self.processed).as_posix(): region_record(path).sha256
            for path in self._records.values()
        }

    @cached_property
    def images(self) -> dict[str, frozenset[str]]:
        """Of each case, what identifies its images, whoever calls them what: by their files."""
        images = {}
        for name, path in self._records.items():
            images[name.rpartition("__")[0]] = region_record(path).images
        return images

    @property
    def training_images(self) -> frozenset[str]:
        """What identifies the images that train it."""
        cases = {name.rpartition("__")[0] for name in self.training}
        return frozenset[str]().union(*(self.images[case] for case in cases))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its regions: which they are, which train, and what they were made from."""
        digests = [region_record(path).digest for path in self._records.values()]
        content = [*self.training, "", *self.validation, "", *digests]
        return hashlib.sha256("\n".join(content).encode()).hexdigest()

    @cached_property
    def _records(self) -> dict[str, Path]:
        names = sorted({*self.training, *self.validation})
        return {name: record_path(self.processed / REGIONS, name) for name in names}


def read_fold(planned: PlannedTask, number: int) -> Fold:
    """Return one fold of a planned task.

    Raises RequestError where there is no such fold, naming those that there are, or where it has
    nothing to train on or to validate.
    """
    count = len(planned.splits)
    if not 0 <= number < count:
        numbers = ", ".join(map(str, range(count)))
        raise RequestError(
            f"{planned.path} has no such fold", field="fold", value=number,
            expected=f"one of {numbers}",
        )  # fmt: skip

    def regions_of(cases: Sequence[str]) -> tuple[str, ...]:
        wanted = set(cases)
        return tuple(sorted(n for n in planned.coverage if n.rpartition("__")[0] in wanted))

    split = planned.splits[number]
    training, validation = regions_of(split.training), regions_of(split.validation)
    if not training or not validation:
        raise RequestError(
            f"{planned.path}: fold {number} has {len(training)} objects to train on and"
            f" {len(validation)} to validate",
            expected="at least one of each",
            remedy=f"run `plan(task={planned.name!r})` again",
        )
    return Fold(planned.folder, planned.plan, number, training, validation, split.validation)
