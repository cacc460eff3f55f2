"""What is measured of one object: a row of every table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from interactivenet.evaluation.diameters import largest_diameters
from interactivenet.evaluation.metrics import TOLERANCE_MM, Mask, evaluate_masks

Row = Mapping[str, Any]
Outcome = Literal["found", "missed", "false", "empty"]


@dataclass(frozen=True)
class Metric:
    """How a metric is shown: its title, its unit ('' for none) and its decimals."""

    name: str
    title: str
    unit: str
    decimals: int

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float | None, *, signed: bool = False) -> str:
        """Write a value as it is shown, '' for None."""
        if value is None:
            return ""
        rounded = round(value, self.decimals) + 0.0  # no -0.0
        return f"{rounded:{'+' if signed else ''}.{self.decimals}f}"


#: in the order of every table
METRICS = (
    Metric("dice", "Dice", "", 3),
    Metric("nsd", "NSD", "", 3),
    Metric("hd95", "HD95", "mm", 2),
    Metric("hd", "Hausdorff", "mm", 2),
    Metric("assd", "ASSD", "mm", 2),
    Metric("volume_prediction_ml", "Volume, prediction", "ml", 2),
    Metric("volume_label_ml", "Volume, label", "ml", 2),
    Metric("volume_difference_ml", "Volume difference", "ml", 2),
    Metric("diameter_axial_prediction_mm", "Axial diameter, prediction", "mm", 1),
    Metric("diameter_axial_label_mm", "Axial diameter, label", "mm", 1),
    Metric("diameter_3d_prediction_mm", "3D diameter, prediction", "mm", 1),
    Metric("diameter_3d_label_mm", "3D diameter, label", "mm", 1),
)
METRIC = {metric.name: metric for metric in METRICS}


def measure_object(
    prediction: ArrayLike, label: ArrayLike, spacing: ArrayLike, tolerance_mm: float = TOLERANCE_MM
) -> dict[str, float | None]:
    """Measure a mask against a label's, both (X, Y, Z) along RAS+; spacing: (3,) mm.

    Returns what :func:`evaluate_masks` does, ``volume_difference_ml`` (prediction minus label),
    and the largest diameters of both, see :mod:`interactivenet.evaluation.diameters`. What is
    not defined is None, as JSON knows no NaN. Raises DataError as :func:`evaluate_masks`.
    """
    prediction, label = _cropped(np.asarray(prediction) != 0, np.asarray(label) != 0)
    pair = evaluate_masks(prediction, label, spacing, tolerance_mm)
    found: dict[str, float | None] = {
        name: None if math.isnan(value) else value for name, value in pair.items()
    }
    found["volume_difference_ml"] = pair["volume_prediction_ml"] - pair["volume_label_ml"]
    for side, mask in (("prediction", prediction), ("label", label)):
        axial, whole = largest_diameters(mask, spacing)
        found |= {f"diameter_axial_{side}_mm": axial, f"diameter_3d_{side}_mm": whole}
    return found


def _cropped(prediction: Mask, label: Mask) -> tuple[Mask, Mask]:
    """Cut both masks to the box around them, once: a whole scan is slow to go through."""
    if prediction.shape != label.shape or prediction.ndim != 3:
        return prediction, label  # for evaluate_masks to refuse
    either = prediction | label
    where = []
    for axes in ((1, 2), (0, 2), (0, 1)):
        inside = np.flatnonzero(either.any(axis=axes))
        where.append(slice(inside[0], inside[-1] + 1) if len(inside) else slice(0, 1))
    box = (where[0], where[1], where[2])
    return prediction[box], label[box]


def outcome(row: Row) -> Outcome:
    """Say whether both masks have voxels (found), one, or none.

    missed: the prediction alone is empty; false: the label alone; empty: both.
    """
    if row["volume_label_ml"]:
        return "found" if row["volume_prediction_ml"] else "missed"
    return "false" if row["volume_prediction_ml"] else "empty"


def title_of(row: Row) -> str:
    """Name an object within its case: by its label's name or value, and its prompt's number."""
    name = row["name"] or f"label {row['label']}"
    return f"{name} #{row['nth']}" if row.get("nth", 1) > 1 else str(name)


def worst_first(row: Row) -> tuple[Any, ...]:
    """Key by which objects are sorted: lowest Dice first, then the largest distance."""
    far = row["hd95"] if row["hd95"] is not None else math.inf
    return row["dice"], row["nsd"], -far, row["case"], row["label"], row["prompt"] or 0
