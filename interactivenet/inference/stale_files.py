"""What is said of files of an earlier result of a case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def gone_notes(names: Sequence[str], stale: Sequence[Path]) -> list[str]:
    """Say which exports of an earlier result are no longer there."""
    kept = {path.name for path in stale}
    gone = [name for name in names if name not in kept]
    return [f"{', '.join(gone)} of an earlier result removed: export this one, too"] if gone else []


def stale_note(path: Path) -> str:
    """Say that a file of an earlier result stays."""
    return (
        f"{path.name} is of an earlier result, and was changed since: it stays, and is none of this"
        " one"
    )


def changed_note(name: str) -> str:
    """Say that a label map of a result that is kept is not what was written."""
    return (
        f"{name} was changed since this program wrote it: it stays, and what is said of its objects"
        " is of what it was"
    )
