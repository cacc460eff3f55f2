"""A fold's results on disk: its weights, how its training went, and its validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.errors import RequestError, naming
from interactivenet.metric_names import METRIC
from interactivenet.models.start_saw import StartSaw
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import read_fold
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import read_object, read_text, sha256

#: checkpoint -> its weights, in a fold's results
WEIGHTS = {"best": "model_best.safetensors", "last": "model_last.safetensors"}
#: what an interrupted training continues from, and the table of its epochs
CHECKPOINT, METRICS = "checkpoint.ckpt", "metrics.csv"
VALIDATION, VALIDATION_METRICS = "validation", "metrics.json"


@dataclass(frozen=True)
class FoldResults:
    """The folder ``fold_K`` of a task's results.

    results: the task's folder of results.  number: of the fold.
    """

    results: Path
    number: int

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return self.results / f"fold_{self.number}"

    def weights(self, checkpoint: str) -> Path:
        """Return the path of a checkpoint's weights: 'best' or 'last'."""
        return self.folder / WEIGHTS[checkpoint]

    def digest(self, checkpoint: str) -> str:
        """SHA-256 of a checkpoint's weights; raises DataError where they cannot be read."""
        return sha256(self.weights(checkpoint))

    def check_current(self, planned: PlannedTask, checkpoint: str) -> None:
        """Raise RequestError unless a checkpoint was trained by the task's plan, on its regions.

        Weights of an earlier version, which do not say on what, are taken as they are.
        """
        path, task = self.weights(checkpoint), planned.name
        facts = read_object(path.with_suffix(".json"))
        again = f"`train(task={task!r}, fold='all', overwrite=True)`"
        if facts.get("plan", planned.plan.digest) != planned.plan.digest:
            raise RequestError(
                f"{path}: was trained with another plan than that of {planned.path}",
                remedy=f"plan with the options that it was trained with, or run {again}",
            )
        if "regions" in facts and facts["regions"] != read_fold(planned, self.number).digest:
            raise RequestError(
                f"{path}: is out of date: scans, labels, points or folds of the task have changed"
                f" since it was trained, and {planned.path} follows them",
                remedy=f"run {again}",
            )

    @property
    def is_finished(self) -> bool:
        """Whether the fold was trained to its end: its last weights are written then."""
        return all(self.weights(checkpoint).exists() for checkpoint in WEIGHTS)

    @property
    def start_warning(self) -> str:
        """Why its validation is too good, or may be: what its start had seen of it; else ''.

        Raises DataError where what is known of its weights cannot be read.
        """
        saw = StartSaw.of_facts(read_object(self.weights("best").with_suffix(".json")))
        return saw.warning(self.number) if saw else ""

    @property
    def epochs(self) -> int | None:
        """How many epochs are trained; None where no training was begun."""
        path = self.folder / METRICS
        if path.exists():
            return max(len(read_text(path).splitlines()) - 1, 0)
        return 0 if (self.folder / CHECKPOINT).exists() or self.is_finished else None

    @property
    def validation(self) -> Path:
        """Folder of the segmented validation cases."""
        return self.folder / VALIDATION

    def read_validation(self) -> dict[str, Any]:
        """Read what was measured on the validation cases, by checkpoint; {} where nothing was.

        Raises DataError, naming file and field, where one is of another type.
        """
        path = self.validation / VALIDATION_METRICS
        with naming(path):
            content = read_object(path)
            for checkpoint, record in content.items():
                check_validated(record, checkpoint)
        return content


def check_validated(record: Any, field: str) -> None:
    """Raise DataError, naming the field, where what was measured is not as it is written."""
    kinds = {"made_from": dict, "epoch": int, "cases": dict, "warning": str}
    fields_of_kinds(record, kinds, field)
    for case, measured in record.get("cases", {}).items():
        place = f"{field}.cases.{case}"
        fields_of_kinds(measured, {"objects": list, "error": str}, place, whole=True)
        for number, row in enumerate(measured["objects"]):
            _check_row(row, f"{place}.objects[{number}]")


def _check_row(row: Any, field: str) -> None:
    number = (int, float)
    kinds: dict[str, type | tuple[type, ...]] = {
        "label": int, "name": str, "dice": number, "agreement": dict, "postprocessed": dict,
    }  # fmt: skip
    fields_of_kinds(row, kinds, field)
    agreement, postprocessed = row.get("agreement", {}), row.get("postprocessed", {})
    for name in ("mirrored", "single", "adaptive"):
        if name in agreement:
            field_of_kind(agreement[name], number, f"{field}.agreement.{name}")
    for place, metrics in (
        (field, row),
        *((f"{field}.postprocessed.{name}", changed) for name, changed in postprocessed.items()),
    ):
        for name in field_of_kind(metrics, dict, place):
            if name in METRIC and name != "agreement" and metrics[name] is not None:
                field_of_kind(metrics[name], number, f"{place}.{name}")
