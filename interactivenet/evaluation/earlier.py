"""What an earlier evaluation has left in a folder, and what there is somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.report import CAPTIONS
from interactivenet.system.files import read_object
from interactivenet.system.written import FILES, WrittenFiles

METRICS, REPORT, FIGURES = "metrics.json", "report.html", "figures"


def evaluation_files(folder: Path, cases: Iterable[str]) -> list[Path]:
    """Return all that an evaluation of these cases may write beside its ``metrics.json``."""
    figures = folder / FIGURES
    return [
        (folder / METRICS).with_suffix(".csv"),
        folder / REPORT,
        *(figures / f"{name}.png" for name in CAPTIONS),
        *(figures / "cases" / f"{case}.png" for case in cases),
    ]


def earlier_evaluation(folder: Path, cases: Iterable[str]) -> WrittenFiles:
    """Return which files of a folder an evaluation before this one has written.

    Raises RequestError, naming the file, where one that is about to be written is there already,
    and no evaluation wrote it or somebody has changed it since.
    """
    path = folder / METRICS
    content: Mapping[str, Any] = {}
    try:
        content = read_object(path)
        if content and not _is_ours(content):
            raise DataError("is not the record of an evaluation")
        rows = content.get("rows", [])
        before = [str(row.get("case")) for row in rows if isinstance(row, dict)]
        formerly = evaluation_files(folder, before) if content else ()
        written = WrittenFiles.of_record(folder, content, formerly)
    except DataError as error:
        raise _refused(path, "was not written by this program") from error
    for target in evaluation_files(folder, cases):
        if not written.is_own(target):
            changed = written.unnamed([target]) == []
            raise _refused(
                target,
                "was changed since an evaluation wrote it"
                if changed
                else "was not written by an evaluation",
            )
    return written


def _is_ours(content: Mapping[str, Any]) -> bool:
    return (
        isinstance(content.get("rows"), list)
        and isinstance(content.get("summary"), dict)
        and isinstance(content.get(FILES, {}), dict)
    )


def _refused(path: Path, fault: str) -> RequestError:
    return RequestError(
        f"{path}: {fault}, and would be replaced",
        remedy="move it away, or evaluate into a new folder",
    )
