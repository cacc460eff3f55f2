"""What a check noticed about a case: for tables, records and reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that a check noticed. Errors cost the case; warnings do not."""

    level: str  # "error", "warning" or "note"
    case: str
    message: str
