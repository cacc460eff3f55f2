"""What validation measured on a fold, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interactivenet.metric_names import METRIC
from interactivenet.models.fold_results import FoldResults
from interactivenet.pipeline.reporting import Table

#: of what is measured of an object: what was measured otherwise is measured again
MEASURES_VERSION = 2
#: metrics of the table, in its order
SHOWN = ("dice", "nsd", "hd95")


@dataclass(frozen=True)
class Validated:
    """How well one checkpoint does on a fold's validation cases.

    Attributes:
        checkpoint: 'best' or 'last'.
        epoch: Of its weights.
        cases: Name to 'objects', a row for each ('label', 'name', 'prompt', and the metrics, None
            where one is not defined; 'agreement', of the 'mirrored' members and of a 'single' one;
            'postprocessed', name of a postprocessing that changes something to its metrics),
            'error', why the case could not be segmented, or '', and 'notes', what is doubtful
            about its images.
    """

    checkpoint: str
    epoch: int
    cases: Mapping[str, Mapping[str, Any]]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """A row per object, 'case' included."""
        return [
            {"case": name, **row} for name, case in self.cases.items() for row in case["objects"]
        ]

    @property
    def failures(self) -> dict[str, str]:
        """Why a case could not be segmented."""
        return {name: case["error"] for name, case in self.cases.items() if case["error"]}

    @property
    def notes(self) -> dict[str, list[str]]:
        """What is doubtful about the images of a case, where anything is."""
        return {name: case["notes"] for name, case in self.cases.items() if case.get("notes")}

    @property
    def missed(self) -> int:
        """How many objects were not found at all: they have no distances."""
        return sum(row["hd95"] is None for row in self.objects)

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over the objects that have it; None where there is none."""
        values = [row[metric] for row in self.objects if row[metric] is not None]
        return statistics.fmean(values) if values else None


@dataclass(frozen=True)
class ValidatedFold:
    """How well the checkpoints of a fold do on its validation cases.

    Attributes:
        results: The fold's files.
        checkpoints: The 'best' one, then the 'last'.
        warning: Why they do too well: the model that training started from had seen the cases;
            '' where that is not so.
    """

    results: FoldResults
    checkpoints: tuple[Validated, ...]
    warning: str = ""

    @property
    def failures(self) -> Mapping[str, str]:
        """Case to why it could not be segmented."""
        return {
            case: reason
            for checkpoint in self.checkpoints
            for case, reason in checkpoint.failures.items()
        }

    @property
    def notes(self) -> dict[str, list[str]]:
        """What is doubtful about the images of a case, where anything is."""
        return {
            case: notes
            for checkpoint in self.checkpoints
            for case, notes in checkpoint.notes.items()
        }


def ranked(objects: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Choose the 'best', the 'median' and the 'worst' object by Dice."""
    order = sorted(objects, key=lambda row: (-row["dice"], row["case"], row["label"]))
    if not order:
        return {}
    return {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}


def csv_rows(checkpoints: Sequence[Validated]) -> list[dict[str, Any]]:
    """Return the rows of ``metrics.csv``: one for each checkpoint and object."""
    rows = []
    for validated in checkpoints:
        for row in validated.objects:
            agreement = row["agreement"]["mirrored"]
            plain = {name: value for name, value in row.items() if name != "postprocessed"}
            rows.append({"checkpoint": validated.checkpoint, **plain, "agreement": agreement})
    return rows


def object_name(row: Mapping[str, Any]) -> str:
    """Name an object in a title: its case and its label."""
    return f"{row['case']} {row['name'] or row['label']}"


def validation_table(checkpoints: Sequence[Validated]) -> Table:
    """Return the mean metrics of each checkpoint, and the best, median and worst object.

    Objects that were missed altogether have a Dice of 0 and no distance.
    """
    rows = [
        (
            f"{validated.checkpoint} checkpoint, epoch {validated.epoch}, mean",
            str(len(validated.objects)),
            str(validated.missed),
            *(METRIC[metric].text(validated.mean(metric)) for metric in SHOWN),
        )
        for validated in checkpoints
    ]
    for rank, row in ranked(checkpoints[0].objects).items():
        values = (METRIC[metric].text(row[metric]) for metric in SHOWN)
        rows.append((f"{rank}: {object_name(row)}", "", "", *values))
    return Table(("", "n", "missed", *(METRIC[metric].heading for metric in SHOWN)), tuple(rows))
