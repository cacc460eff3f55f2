"""What a measurement has noted of its cases: in its record, and since then in its journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import naming
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import read_object
from interactivenet.system.journal import Journal

#: in a case's record, what is to be told of it
NOTES = "notes"


def all_rows(cases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the records of all cases."""
    return [row for record in cases.values() for row in record["rows"]]


def recorded_cases(record: Path, journal: Path) -> dict[str, dict[str, Any]]:
    """Return what a record and its journal hold: case -> its record.

    Raises DataError, naming the file and the field, where one cannot be used.
    """
    with naming(record):
        cases = dict(field_of_kind(read_object(record).get("cases", {}), dict, "cases"))
        for name, content in cases.items():
            _check_case(name, content)
    with naming(journal):
        for row in Journal(journal).rows():
            name = str(row.get("case"))
            _check_case(name, row.get("record"))
            cases[name] = row["record"]
    return cases


def _check_case(name: str, content: Any) -> None:
    fields_of_kinds(content, {MADE_FROM: dict, "rows": list}, f"cases.{name}", whole=True)
    fields_of_kinds(content, {NOTES: list}, f"cases.{name}")
