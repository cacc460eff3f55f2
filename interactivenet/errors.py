"""The errors a user may see: each is one line of what was found, what was expected, and where.

Texts name parameters and stages as a Python user writes them, in backticks: `overwrite`,
`overwrite=True`, `train(task="Task101_LIVER", fold="all")`. The command line translates these into
its own options and commands; nothing else knows how those are spelled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

#: characters of a message
_LONGEST = 2000


class Unknown(Enum):
    """The value of a parameter that an error does not tell."""

    UNKNOWN = "unknown"  # a member of an Enum is the same object in another process, too


UNKNOWN = Unknown.UNKNOWN


class InteractiveNetError(Exception):
    """Any failure that the user can understand and mend.

    All parts but the message are optional; ``str()`` joins those that are given into one line, such
    as "`memory_gb=0`: expected a number above 0".

    Args:
        message: what was found, and where.
        field: the parameter at fault, by its Python name.
        value: what the parameter was.
        expected: what it should have been, as it reads after the word "expected".
        remedy: what to do about it.
    """

    def __init__(
        self,
        message: str = "",
        *,
        field: str = "",
        value: Any = UNKNOWN,
        expected: str = "",
        remedy: str = "",
    ) -> None:
        self.message, self.expected, self.remedy = message, expected, remedy
        self.field, self.value = field, value
        super().__init__(message)

    def __str__(self) -> str:
        given = "" if self.value is UNKNOWN else f"={_as_python(self.value)}"
        named = f"`{self.field}{given}`" if self.field else ""
        expected = f"expected {self.expected}" if self.expected else ""
        line = ": ".join(part for part in (named, self.message, expected) if part)
        if not (line and self.remedy):
            return line or self.remedy
        return f"{line}{'; ' if expected else ': '}{self.remedy}"


class RequestError(InteractiveNetError):
    """The request itself is wrong: nothing can be done until it is changed (exit status 2)."""


class DataError(InteractiveNetError):
    """A file or a case cannot be used; other cases are not affected."""


class NoPoints(DataError):
    """A file of points holds none."""


def sanitize_text(text: str, keep: str = "") -> str:
    """Return a stranger's text with '?' in place of characters that control a terminal.

    keep: characters that stay, though they are not printable.
    """
    return "".join(char if char.isprintable() or char in keep else "?" for char in text)


def one_line(error: BaseException | str) -> str:
    """Return the message of an error on one line of bounded length, safe to print.

    White space is folded into single spaces; what a stranger's file may have put into it, such
    as escape sequences, becomes '?'.
    """
    line = " ".join(str(error)[: 4 * _LONGEST].split())
    line = sanitize_text(line)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def describe_failure(error: BaseException) -> str:
    """Say in one line why a case, or anything else that must not end the rest, failed.

    One of our own errors speaks for itself, and so does what the system refuses of a file; any
    other is a fault of the program, and is called so.
    """
    if isinstance(error, InteractiveNetError):
        return one_line(error)
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes) and error.strerror:
        return one_line(f"{os.fsdecode(error.filename)}: {error.strerror}")
    return f"unexpected {type(error).__name__}: {one_line(error)} (please report it)"


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put the file's name before the message of a :class:`DataError` raised inside."""
    try:
        yield
    except DataError as error:
        if str(error).startswith(f"{path}: "):
            raise
        message = f"{path}: {error.message}" if error.message else f"{path}"
        raise type(error)(
            message,
            field=error.field,
            value=error.value,
            expected=error.expected,
            remedy=error.remedy,
        ) from error


def _as_python(value: Any) -> str:
    """Write a value as one types it in Python; paths as text, numbers of NumPy as numbers."""
    if isinstance(value, Path):
        value = str(value)
    elif isinstance(value, (list, tuple)):
        parts = ", ".join(map(_as_python, value))
        if isinstance(value, list):
            return f"[{parts}]"
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    elif not isinstance(value, type) and callable(getattr(value, "item", None)):
        value = value.item() if getattr(value, "ndim", 1) == 0 else value
    return repr(value).replace("`", "\\x60")  # the backtick ends what it names
