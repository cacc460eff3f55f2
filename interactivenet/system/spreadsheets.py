"""Tables as text, which spreadsheets open without running what is in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

#: what makes a cell a formula
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a CSV table, headed by the keys of the first; empty for no rows.

    A text that a spreadsheet would take for a formula gets a "'" first, as OWASP recommends against
    the injection of formulas into CSV; numbers stay numbers.
    """
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
