"""A planned task on disk: ``plans.json``, parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interactivenet.datasets.splits import Split
from interactivenet.errors import DataError, RequestError
from interactivenet.planning.plan import Plan
from interactivenet.planning.plan_file import read_plans
from interactivenet.system.files import write_json

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
        try:
            splits = tuple(
                Split(tuple(fold["training"]), tuple(fold["validation"]), fold.get("left_out", ""))
                for fold in content.get("splits", [])
            )
            coverage = {
                str(name): float(part) for name, part in content.get("coverage", {}).items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path}: its splits or coverage cannot be used: {error!r}") from error
        if not splits:
            raise RequestError(
                f"{path}: has no folds", remedy=f"run `plan(task={plan.task!r})` again"
            )
        return PlannedTask(folder, plan, splits, coverage, content.get("fingerprint", {}))

    def save(self) -> Path:
        """Write ``plans.json`` and return its path."""
        content = self.plan.as_json()
        content["splits"] = [asdict(split) for split in self.splits]
        content["coverage"] = dict(self.coverage)
        content["fingerprint"] = dict(self.fingerprint)
        write_json(self.path, content)
        return self.path
