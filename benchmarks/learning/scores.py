"""How good a segmentation is, and how much better than another one's."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.evaluation.metrics import evaluate_masks
from interactivenet.evaluation.statistics import bootstrap_interval
from interactivenet.imaging.geometry import Geometry

METRICS = ("dice", "nsd", "hd95")
_DIGITS = {"dice": 4, "nsd": 4, "hd95": 3}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """A mean over n objects of some cases, and its 95 % interval by bootstrap over the cases."""

    n: int
    cases: int
    mean: float
    interval: tuple[float, float] | None


def score(mask: NDArray[np.bool_], truth: NDArray[np.bool_], grid: Geometry) -> dict[str, Any]:
    """Compare a mask with an object on a scan's own RAS grid: Dice, NSD at 2 mm, HD95 in mm.

    A mask without a voxel has no distance: HD95 is then the diagonal of the scan, mm, so that who
    finds nothing is not left out of the mean.
    """
    found = evaluate_masks(mask, truth, grid.spacing)
    if math.isnan(found["hd95"]):
        found["hd95"] = float(np.linalg.norm(np.array(grid.shape) * grid.spacing))
    return {metric: round(found[metric], _DIGITS[metric]) for metric in METRICS}


def estimate(rows: Sequence[Row], metric: str) -> Estimate:
    """Estimate the mean of a metric."""
    return _estimate([row[metric] for row in rows], [row["case"] for row in rows])


def paired(rows: Sequence[Row], reference: Sequence[Row], metric: str) -> Estimate | None:
    """Estimate by how much rows differ from those of the same objects in another arm.

    None where the two have no object in common.
    """
    others = {(row["case"], row["object"]): row[metric] for row in reference}
    both = [row for row in rows if (row["case"], row["object"]) in others]
    if not both:
        return None
    differences = [row[metric] - others[row["case"], row["object"]] for row in both]
    return _estimate(differences, [row["case"] for row in both])


def _estimate(values: list[float], cases: list[str]) -> Estimate:
    interval = bootstrap_interval(values, cases)
    return Estimate(len(values), len(set(cases)), statistics.fmean(values), interval)
