"""The objects of all folds, pooled: as a postprocessing leaves them, and what that is worth."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from interactivenet.pipeline.validation_results import SHOWN
from interactivenet.postprocessing.calibration import Calibration, calibrate, left_out
from interactivenet.postprocessing.components import Postprocessing

Row = Mapping[str, Any]


def as_processed(row: Row, candidate: Postprocessing) -> dict[str, Any]:
    """Return an object's row as a postprocessing leaves it."""
    plain = {name: value for name, value in row.items() if name != "postprocessed"}
    return {**plain, **row["postprocessed"].get(candidate.name, {})}


def mean_metrics(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the mean of each shown metric, 'objects' and how many were 'missed'."""
    means: dict[str, float | None] = {}
    for metric in SHOWN:
        values = [row[metric] for row in rows if row[metric] is not None]
        means[metric] = statistics.fmean(values) if values else None
    return {**means, "objects": len(rows), "missed": sum(row["hd95"] is None for row in rows)}


def calibrations_of(objects: Sequence[Row]) -> dict[str, Calibration]:
    """Return what an agreement lets expect, by the predictions that agree: 'mirrored', ..."""
    calibrations = {}
    for members in ("mirrored", "single", "adaptive"):
        if any(members not in row["agreement"] for row in objects):
            continue  # a fold was validated by an earlier version
        calibration = calibrate(
            [row["agreement"][members] for row in objects],
            [row["dice"] for row in objects],
            [row["case"] for row in objects],
        )
        if calibration is not None:
            calibrations[members] = calibration
    return calibrations


def with_expected_dice(
    objects: Sequence[Row], calibrations: Mapping[str, Calibration]
) -> list[dict[str, Any]]:
    """Return the rows with the Dice to be expected, by calibrations that never saw their case."""
    agreements = [row["agreement"]["mirrored"] for row in objects]
    expected = left_out(
        calibrations["mirrored"], agreements, [row["dice"] for row in objects],
        [row["case"] for row in objects],
    )  # fmt: skip
    return [
        {**row, "agreement": agreement, "expected_dice": value}
        for row, agreement, value in zip(objects, agreements, expected.tolist(), strict=True)
    ]
