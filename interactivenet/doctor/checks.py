"""What was found on one subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from interactivenet.errors import describe_failure

Status = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Check:
    """What was found on a subject, in one line.

    status: 'problem' where a command will fail, 'note' where it will be slow, or do less.
    remedy: what to do about it; '' for nothing.
    """

    subject: str
    status: Status
    found: str
    remedy: str = ""


def isolated(subject: str, checks: Callable[[], list[Check]]) -> list[Check]:
    """Return the checks; if they fail, that is one problem, and other checks go on."""
    try:
        return checks()
    except Exception as error:
        return [Check(subject, "problem", f"could not be checked: {describe_failure(error)}")]


def gigabytes(size: int) -> str:
    """Return '0.1 GB' of bytes."""
    return f"{size / 1e9:.1f} GB"
