"""What all cases of an output came to: ``summary.csv``, contact sheets and ``report.html``.

Made of the cases' records and pictures alone, whichever runs have written them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.case_report import case_report
from interactivenet.inference.outputs import Output
from interactivenet.inference.record_checks import DIAMETERS
from interactivenet.inference.timings import check_timings
from interactivenet.pipeline.reporting import SEGMENTED, Reporter, recorded_reasons
from interactivenet.plotting.contact_sheets import PER_SHEET, save_sheet
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import read_object, sha256, write_json, write_text
from interactivenet.system.spreadsheets import csv_text
from interactivenet.system.written import FILES, WrittenFiles, noted_files

SUMMARY, REPORT, SHEETS = "summary.csv", "report.html", "sheets"
#: in the folder of the sheets, where no case's record can lie: which files are ours
_RECORD = "summary.json"
#: in it, sheet -> what it was made from; changed with what sheets look like
_OF_SHEETS, _LAYOUT = "sheets", 1


@dataclass(frozen=True)
class _Case:
    """What the summary keeps of a case: its rows, and its picture's checksum ('' for none)."""

    name: str
    rows: tuple[dict[str, Any], ...]
    picture: str

    @property
    def doubt(self) -> tuple[bool, bool, float, str]:
        """Key by which cases are looked at: flagged, then the lowest expected Dice, first."""
        dice = [row["expected_dice"] for row in self.rows if row["expected_dice"] is not None]
        flagged = any(row["look_first"] == "yes" for row in self.rows)
        return not flagged, not dice, min(dice, default=0.0), self.name


def check_summary(output: Output) -> None:
    """Raise RequestError where a summary would replace what this program did not write.

    For the start of a stage: nothing is refused after hours of work.
    """
    for place in (output.folder / SHEETS, output.picture("a").parent):
        if os.path.lexists(place) and not place.is_dir():
            raise RequestError(
                f"{place}: is no folder", expected="a folder for results alone",
                remedy="move it away, or write elsewhere",
            )  # fmt: skip
    written = _earlier(output.folder)
    for path in (output.folder / SUMMARY, output.folder / REPORT, *_sheets_there(output.folder)):
        if not written.is_own(path):
            known = not written.unnamed([path])
            raise _refused(path, "was changed since" if known else "was not written by")
    check_timings(output.folder)


def write_summary(
    output: Output,
    cases: Sequence[str],
    failures: Mapping[str, str],
    seconds: Mapping[tuple[str, str], float],
    *,
    title: str,
    reporter: Reporter,
    tell: bool = True,
) -> None:
    """Write ``summary.csv``, ``sheets/`` and ``report.html`` of all cases of an output.

    cases: names of all, segmented or not.  failures: case -> why it failed, or was not compared.
    seconds: (case, digest of its result) -> how long it took, see
    :func:`~interactivenet.inference.timings.read_seconds`.  tell: say where the report is.

    A row per object, by case; of a case without a result, one. What is unchanged is not written
    again, sheets of earlier runs that are no longer there to be made are removed, and it can be
    killed and called again at any time. No scan is read. Raises RequestError as
    :func:`check_summary` does.
    """
    check_summary(output)
    folder = output.folder
    reasons = recorded_reasons(failures, reporter)
    found = [
        _case(output, case, failures.get(case, ""), seconds, reporter)
        for case in sorted(dict.fromkeys(cases))
    ]
    rows = [row for case in found for row in case.rows]
    looked = sorted(found, key=lambda case: case.doubt)
    drawn = [case for case in looked if case.picture]
    batches = [drawn[first : first + PER_SHEET] for first in range(0, len(drawn), PER_SHEET)]
    digits = max(3, len(str(len(batches))))
    sheets = {
        folder / SHEETS / f"sheet_{number:0{digits}d}.jpg": batch
        for number, batch in enumerate(batches, 1)
    }
    record, targets = folder / SHEETS / _RECORD, [folder / SUMMARY, folder / REPORT, *sheets]
    earlier, before = _earlier(folder), _of_sheets(folder)
    made_from = {_relative(folder, path): _made_from(batch) for path, batch in sheets.items()}
    unchanged = [
        path
        for path in sheets
        if before.get(name := _relative(folder, path)) == made_from[name]
        and path.exists() and earlier.files.get(name) == sha256(path)
    ]  # fmt: skip
    kept = {_relative(folder, path) for path in unchanged}
    writing = [path for path in targets if path not in unchanged]
    # while files change, all are known to be ours, and none is taken for what it was
    write_json(record, {
        _OF_SHEETS: {name: before[name] for name in kept},
        FILES: dict(earlier.files) | earlier.begun(writing),
    })  # fmt: skip
    stale = [path for path in earlier.paths if path not in targets]
    left = earlier.remove(stale)
    for path, batch in sheets.items():
        if path not in unchanged:
            save_sheet(path, [(case.name, output.picture(case.name)) for case in batch])
    _replace(folder / SUMMARY, csv_text(rows))
    notes = [f"{path.name} is of an earlier run and was changed since: it stays" for path in left]
    page = case_report(
        title=title,
        rows=[row for case in looked for row in case.rows],
        failures={case: reasons[case] for case in sorted(reasons)},
        cases=len(found),
        pictures=[case.name for case in drawn],
        sheets=list(made_from),
        notes=notes,
    )
    _replace(folder / REPORT, page)
    write_json(record, {_OF_SHEETS: made_from, FILES: noted_files(folder, targets)})
    if tell:
        reporter.say(f"all cases: {folder / REPORT}")


def _case(
    output: Output,
    case: str,
    reason: str,
    seconds: Mapping[tuple[str, str], float],
    reporter: Reporter,
) -> _Case:
    """Read what the record of a case says; reason: why it failed, '' where it did not."""
    error = reporter.text(reason) if reason else ""
    record = output.read_kept(case)
    made_from, objects = record.get(MADE_FROM), record.get("objects")
    # of a case that failed, what is there is of other files or settings than those of this run
    failed = reason and not reason.startswith(SEGMENTED)
    if failed or not isinstance(made_from, dict) or not isinstance(objects, list):
        return _Case(case, (_row(case, error=error or "there is no result of it"),), "")
    of_case = {
        "notes": "; ".join(reporter.text(str(note)) for note in record.get("notes") or ()),
        "seconds": seconds.get((case, CacheKey(made_from).digest)),
        "error": error,
    }
    rows = [_object_row(case, number, each, reporter) | of_case
            for number, each in enumerate(objects, 1)]  # fmt: skip
    picture = output.picture(case)
    named = record.get(FILES, {}).get(_relative(output.folder, picture), "")
    there = named and output.pictures and picture.is_file()
    return _Case(case, tuple(rows) or (_row(case) | of_case,), named if there else "")


def _row(case: str, **values: Any) -> dict[str, Any]:
    """Return a row of the table; what nothing is known of is None, text that is not there ''."""
    return {
        "case": case, "object": None, "label": None, "name": "", "volume_ml": None,
        "axial_diameter_mm": None, "diameter_3d_mm": None, "expected_dice": None,
        "look_first": "", "reasons": "", "notes": "", "seconds": None, "error": "", **values,
    }  # fmt: skip


def _object_row(
    case: str, number: int, segmented: Mapping[str, Any], reporter: Reporter
) -> dict[str, Any]:
    diameters = segmented.get(DIAMETERS) or {}
    look = segmented.get("look")
    return _row(
        case,
        object=number,
        label=segmented.get("label"),
        name=str(segmented.get("name") or segmented.get("label")),
        volume_ml=_rounded(segmented.get("volume_ml"), 6),
        axial_diameter_mm=_rounded(diameters.get("axial"), 3),
        diameter_3d_mm=_rounded(diameters.get("3d"), 3),
        expected_dice=_rounded(segmented.get("expected_dice"), 4),
        look_first="" if look is None else "yes" if look else "no",
        reasons="; ".join(reporter.text(str(reason)) for reason in segmented.get("reasons") or ()),
    )


def _rounded(value: Any, digits: int) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value, digits) if is_number and math.isfinite(value) else None


def _made_from(batch: Sequence[_Case]) -> str:
    """Return the digest of all that decides a sheet."""
    content = [_LAYOUT, [[case.name, case.picture] for case in batch]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _replace(path: Path, text: str) -> None:
    """Write a text, unless it is there already: whoever watches a file sees what has changed."""
    data = text.encode("utf-8", "backslashreplace")
    if not path.is_file() or sha256(path) != hashlib.sha256(data).hexdigest():
        write_text(path, text)


def _sheets_there(folder: Path) -> Iterator[Path]:
    return iter(sorted((folder / SHEETS).glob("sheet_*.jpg")))


def _earlier(folder: Path) -> WrittenFiles:
    """Return which files an earlier summary has written; raises RequestError as check_summary."""
    path = folder / SHEETS / _RECORD
    try:
        content = read_object(path)
        if content and not (isinstance(content.get(_OF_SHEETS), dict) and FILES in content):
            raise DataError("is not the record of a summary")
        return WrittenFiles.of_record(folder, content, ())
    except DataError as error:
        raise _refused(path, "was not written by") from error


def _of_sheets(folder: Path) -> dict[str, Any]:
    """Return sheet -> what it was made from, as it was noted."""
    return dict(read_object(folder / SHEETS / _RECORD).get(_OF_SHEETS, {}))


def _relative(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _refused(path: Path, fault: str) -> RequestError:
    wrote = " this program wrote it" if fault.endswith("since") else " this program"
    return RequestError(
        f"{path}: {fault}{wrote}, and would be replaced",
        remedy="move it away, or write elsewhere",
    )
