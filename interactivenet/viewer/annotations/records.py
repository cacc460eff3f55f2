"""What is known of cases from records: ``CASE.json``, of the viewer's own and of ``infer``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interactivenet.datasets.file_matching import stems
from interactivenet.datasets.simulated import simulation_settings
from interactivenet.errors import DataError
from interactivenet.imaging.io import READABLE
from interactivenet.inference.export_formats import EXPORT_FAILURES, EXPORTS
from interactivenet.inference.sources import SOURCES
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.files import read_object
from interactivenet.system.written import FILES
from interactivenet.viewer.annotations.annotation_files import (
    DRAWN,
    MADE_BY,
    AnnotationFiles,
    TaskAnnotationFiles,
)

if TYPE_CHECKING:
    from interactivenet.viewer.worklist.worklist import WorklistEntry

#: names of other scans that are looked through: CASE-2, CASE-3 and so on
_NAMES = 100


class CaseFiles:
    """Files of points and label maps of the cases of raw tasks, each folder listed once."""

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, list[Path]]] = {}

    def points(self, entry: WorklistEntry) -> Path | None:
        """Return the file of points that a scan has now, if any."""
        if not entry.task:
            return entry.points
        return self._of(entry.task / f"interactions{entry.subset}", PROMPT_SUFFIXES, entry.case)

    def label(self, entry: WorklistEntry) -> Path | None:
        """Return the label map that a scan has in its task, if any."""
        if not entry.task:
            return None
        return self._of(entry.task / f"labels{entry.subset}", READABLE, entry.case)

    def _of(self, folder: Path, suffixes: Sequence[str], case: str) -> Path | None:
        if folder not in self._listed:
            self._listed[folder] = stems(folder, suffixes)
        return next(iter(self._listed[folder].get(case, [])), None)


def is_simulated(points: Path, case: str) -> bool:
    """Whether a raw task's file of points was simulated, and nobody has changed it."""
    try:
        return simulation_settings(points, case) is not None
    except DataError:  # nobody knows: it may be a person's
        return False


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
    if entry.task and (same_path(entry.task, task) if task else not output):
        files = TaskAnnotationFiles(entry.task, subset=entry.subset)
        return _finished(files.read_record(entry.case))
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
            return _finished(record)
    return None


def same_path(one: Path, other: Path) -> bool:
    """Whether two paths are the same, however they are spelled; links are not followed."""
    return os.path.abspath(one) == os.path.abspath(other)  # noqa: PTH100


def mark_of(record: Mapping[str, Any] | None) -> str:
    """Return what tells a record of what was saved from every other; '' where nothing was."""
    if not record or MADE_FROM not in record:
        return ""
    # what was exported later is of the same outlines
    files = record.get(FILES)
    exports = record.get(EXPORTS)
    entries = exports.values() if isinstance(exports, dict) else ()
    exported = {str(each.get("file")) for each in entries if isinstance(each, dict)}
    later = (EXPORTS, EXPORT_FAILURES)
    outlined = {name: value for name, value in record.items() if name not in later}
    if isinstance(files, dict):
        outlined[FILES] = {name: each for name, each in files.items() if name not in exported}
    text = json.dumps(outlined, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _finished(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the record of a case all of whose files were written; None for another."""
    return record if MADE_FROM in record else None


def drawn_notes(record: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Say which outlines of a record were drawn by hand: no points can bring them back."""
    objects = (record or {}).get("objects") or ()
    drawn = [str(each.get("name") or each.get("label")) for each in objects
             if each.get(MADE_BY) in DRAWN]  # fmt: skip
    if not drawn:
        return ()
    return (
        f"{', '.join(drawn)}: drawn by hand when it was saved; the points alone give another"
        " outline, and what was drawn is set aside when that is saved",
    )


def saved_points(record: Mapping[str, Any] | None, folder: Path | None) -> Path | None:
    """Return the file of points that a record was saved with; None where there is none now.

    folder: that the record's paths are relative to.
    """
    files: Any = (record or {}).get(FILES)
    if folder is None or not isinstance(files, dict):
        return None
    places = [folder / str(n) for n in files if str(n).startswith(("points/", "interactions"))]
    return next((path for path in places if path.is_file()), None)


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
