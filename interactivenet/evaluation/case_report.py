"""The report of cases that were segmented, also without labels: one HTML file beside them."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interactivenet.evaluation.pages import page_template

Row = Mapping[str, Any]

#: columns of the page's table: name in a row, heading, unit, decimals (None for text)
_COLUMNS: tuple[tuple[str, str, str, int | None], ...] = (
    ("case", "Case", "", None),
    ("name", "Object", "", None),
    ("volume_ml", "Volume", "ml", 2),
    ("axial_diameter_mm", "Largest axial diameter", "mm", 1),
    ("diameter_3d_mm", "Largest diameter", "mm", 1),
    ("expected_dice", "Expected Dice", "", 3),
    ("look_first", "Look first", "", None),
    ("reasons", "Why", "", None),
    ("notes", "Notes", "", None),
    ("seconds", "Seconds", "s", 1),
    ("error", "Error", "", None),
)
#: rows, failures and contact sheets that a page has: a browser bears no more of it at once
_ROWS, _LISTED, _SHEETS = 1000, 500, 50
#: a step of expected Dice, and the steps of volumes within a decade
_STEP, _DECADE = 0.05, (1.0, 2.0, 5.0)
#: volumes are alike where the largest is not so many times the smallest
_ALIKE = 5.0


def case_report(
    *,
    title: str,
    rows: Sequence[Row],
    failures: Mapping[str, str],
    cases: int,
    pictures: Iterable[str],
    sheets: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """Return the page as text: of very many cases, of those to be looked at first.

    rows: of ``summary.csv``, those to be looked at first on top.  failures: case -> reason.
    cases: how many there are.  pictures: cases that have ``pictures/CASE.png`` beside the page.
    sheets: paths of the contact sheets relative to the page.  notes: on all of them, a sentence
    each.
    """
    objects = [row for row in rows if row["object"] is not None]
    shared = {row["notes"] for row in objects} if len(objects) > 1 else set()
    if len(shared) == 1 and (note := shared.pop()):  # once, not in every row
        notes = [f"Of all that were segmented: {note}", *notes]
        rows = [{**row, "notes": ""} for row in rows]
    shown = rows[:_ROWS]
    columns = [
        column
        for column in _COLUMNS
        if column[0] == "case" or any(row[column[0]] not in (None, "") for row in shown)
    ]
    flagged = {row["case"] for row in objects if row["look_first"] == "yes"}
    drawn = set(pictures)
    listed = dict(list(failures.items())[:_LISTED])
    return page_template("case_report.html.j2").render(
        title=title,
        cases=cases,
        objects=len(objects),
        flagged=len(flagged),
        flagged_beyond=len(flagged - {row["case"] for row in shown}),
        flags=any(row["look_first"] for row in objects),
        failures=listed,
        failed=len(failures),
        notes=notes,
        sheets=sheets[:_SHEETS],
        all_sheets=len(sheets),
        all_rows=len(rows),
        ranked=any(row["look_first"] or row["expected_dice"] is not None for row in objects),
        columns=columns,
        table=[
            [*(_shown(row[name], digits) for name, _, _, digits in columns), row["case"] in drawn]
            for row in shown
        ],
        distributions=[
            (heading, bars)
            for heading, bars in (
                ("Volume, ml", _volumes([row["volume_ml"] for row in objects])),
                ("Expected Dice", _dice([row["expected_dice"] for row in objects])),
            )
            if bars
        ],
    )


def _shown(value: Any, digits: int | None) -> Any:
    """Return a value of the table: a number of so many decimals or digits, text, or ''."""
    if value is None:
        return ""
    if digits is None or isinstance(value, str):
        return value
    # small volumes keep two digits that say something
    return round(value, digits) if abs(value) >= 10**-digits * 10 else float(f"{value:.2g}")


def _volumes(values: Iterable[float | None]) -> list[tuple[str, int]]:
    """Count volumes between 1, 2, 5, 10 and so on; those of nothing apart.

    Where all are of one size or nearly so, the steps between them are equal.
    """
    found = [value for value in values if value is not None]
    positive = [value for value in found if value > 0]
    bars = [("0", len(found) - len(positive))] if len(positive) < len(found) else []
    if positive:
        low, high = (math.floor(math.log10(value)) for value in (min(positive), max(positive)))
        edges = [step * 10.0**decade for decade in range(low, high + 2) for step in _DECADE]
        if max(positive) < _ALIKE * min(positive):
            step = 10.0**high / 2
            edges = [step * place for place in range(round(max(positive) / step) + 2)]
        bars += _counted(positive, edges)
    return bars


def _dice(values: Iterable[float | None]) -> list[tuple[str, int]]:
    """Count expected Dice in steps of 0.05."""
    known = [value for value in values if value is not None]
    return _counted(known, [place * _STEP for place in range(round(1 / _STEP) + 1)])


def _counted(values: Sequence[float], edges: Sequence[float]) -> list[tuple[str, int]]:
    """Count values between edges, from the first to the last with any."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        place = bisect.bisect_right(edges, value + 1e-9) - 1
        counts[min(max(place, 0), len(counts) - 1)] += 1
    used = [place for place, count in enumerate(counts) if count]
    return [
        (f"{edges[place]:g} to {edges[place + 1]:g}", counts[place])
        for place in (range(used[0], used[-1] + 1) if used else ())
    ]
