"""Files that say something of each case in a word: ``subtypes.json``, ``groups.json``."""

from __future__ import annotations

from pathlib import Path

from interactivenet.errors import naming
from interactivenet.system.fields import field_of_kind
from interactivenet.system.files import read_json
from interactivenet.system.names import SafeName


def read_case_list(path: Path, kind: str) -> dict[str, str]:
    """Read a file of ``{"CASE": "word", ...}``; kind: what the words are, for messages.

    Raises DataError, naming file and field, where it holds anything else, or the name of a case is
    none that a case can have.
    """
    with naming(path):
        content = field_of_kind(read_json(path), dict, f"of cases and their {kind}s")
        return {
            SafeName(case, "case"): str(field_of_kind(word, (str, int), f"{case} ({kind})"))
            for case, word in content.items()
        }


def read_subtypes(path: Path) -> dict[str, str]:
    """Read case -> subtype; raises as :func:`read_case_list` does."""
    return read_case_list(path, "subtype")
