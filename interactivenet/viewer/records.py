"""What is known of cases from records: ``CASE.json``, of the viewer's own and of ``infer``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interactivenet.errors import DataError
from interactivenet.inference.sources import SOURCES
from interactivenet.system.files import read_object
from interactivenet.viewer.annotation_files import AnnotationFiles, TaskAnnotationFiles

if TYPE_CHECKING:
    from interactivenet.viewer.worklist import WorklistEntry

#: names of other scans that are looked through: CASE-2, CASE-3 and so on
_NAMES = 100


def scan_sources(images: Sequence[Path], series: str) -> dict[str, Any]:
    """Return where a scan comes from, as the record of a case says it."""
    paths = [os.path.abspath(path) for path in images]  # noqa: PTH100
    return {"images": paths, "points": None, "series": [series] if series else []}


def record_of(
    entry: WorklistEntry, task: Path | None, output: Path | None
) -> Mapping[str, Any] | None:
    """Return the record of what was saved of a scan in the viewer; None where nothing was.

    task, output: the raw task, or else the folder, that scans of others are saved to.
    """
    files: AnnotationFiles
    if entry.task:
        files = TaskAnnotationFiles(entry.task, subset=entry.subset)
        return files.read_record(entry.case) or None
    if task:
        files = TaskAnnotationFiles(task)
    elif output:
        files = AnnotationFiles(output)
    else:
        return None
    mine = scan_sources(entry.images, entry.series)
    for number in range(1, _NAMES):
        record = files.read_record(entry.case if number == 1 else f"{entry.case}-{number}")
        if not record:
            return None
        if record.get(SOURCES) == mine:
            return record
    return None


def expected_dice(record: Mapping[str, Any] | None, others: Sequence[Path]) -> float | None:
    """Return the Dice to be expected of the object of which the least is; None where unknown.

    record: of what was saved.  others: records of results, where nothing was saved.
    """
    records = [record] if record else []
    if not record:
        for path in others:
            try:
                records.append(read_object(path))
            except DataError:
                continue
    for each in records:
        objects = each.get("objects")
        found = [
            float(dice)
            for segmented in (objects if isinstance(objects, list) else [])
            if isinstance(segmented, dict)
            and isinstance(dice := segmented.get("expected_dice"), (int, float))
        ]
        if found:
            return min(found)
    return None
