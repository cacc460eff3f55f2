"""A planned task on disk: ``plans.json``, parsed once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interactivenet.datasets.splits import Split
from interactivenet.errors import DataError, RequestError, naming
from interactivenet.planning.plan import Plan
from interactivenet.planning.plan_file import read_plans
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import write_json
from interactivenet.system.names import SafeName

PLANS = "plans.json"


@dataclass(frozen=True)
class PlannedTask:
    """What ``plans.json`` of a processed task holds.

    folder: of the processed task.  splits: which cases train and validate, fold by fold.
    coverage: region -> fraction of its object's voxels that the planned cut holds.
    fingerprint: what was measured on the dataset, as JSON data.
    """

    folder: Path
    plan: Plan
    splits: tuple[Split, ...]
    coverage: Mapping[str, float] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The task's name."""
        return self.plan.task

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.folder / PLANS

    @staticmethod
    def load(folder: Path) -> PlannedTask:
        """Read a processed task's plan and folds.

        Raises RequestError where it is not planned or has no folds, DataError, naming the field,
        where the file cannot be used.
        """
        path = folder / PLANS
        content = read_plans(path)
        plan = Plan.parse(content["plan"], path)
        with naming(path):
            splits = tuple(
                _split(fold, f"splits[{number}]")
                for number, fold in enumerate(
                    field_of_kind(content.get("splits", []), list, "splits")
                )
            )
            covered = field_of_kind(content.get("coverage", {}), dict, "coverage")
            coverage = {name: _part(part, name) for name, part in covered.items()}
            fingerprint = field_of_kind(content.get("fingerprint", {}), dict, "fingerprint")
        if not splits:
            raise RequestError(
                f"{path}: has no folds", remedy=f"run `plan(task={plan.task!r})` again"
            )
        return PlannedTask(folder, plan, splits, coverage, fingerprint)

    def save(self) -> Path:
        """Write ``plans.json`` and return its path."""
        content = self.plan.as_json()
        content["splits"] = [asdict(split) for split in self.splits]
        content["coverage"] = dict(self.coverage)
        content["fingerprint"] = dict(self.fingerprint)
        write_json(self.path, content)
        return self.path


def _split(content: Any, field: str) -> Split:
    """Return a fold of what the file holds; raises DataError, naming the field at fault."""
    fields_of_kinds(content, {"training": list, "validation": list}, field, whole=True)
    left_out = field_of_kind(content.get("left_out", ""), str, f"{field}.left_out")
    for part in ("training", "validation"):
        for case in content[part]:
            SafeName(case, f"field {field}.{part}: case")
    return Split(tuple(content["training"]), tuple(content["validation"]), left_out)


def _part(value: Any, region: str) -> float:
    """Return which part of a region's object its cut holds; raises DataError for anything else."""
    case, _, label = region.rpartition("__")
    SafeName(case, "field coverage: the case of a region")
    field = f"coverage.{region}"
    if not re.fullmatch(r"\d{1,12}(_\d{1,12})?", label, re.ASCII):
        raise DataError(f"field {field}: expected a region's name, CASE__LABEL")
    if not 0 <= field_of_kind(value, (int, float), field) <= 1 + 1e-9:
        raise DataError(f"field {field} is {value}, expected a number from 0 to 1")
    return float(value)
