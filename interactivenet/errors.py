"""The errors a user may see: each is one line of what was found, what was expected, and where.

Texts name parameters and stages as a Python user writes them, in backticks: `overwrite`,
`overwrite=True`, `train(task="Task101_LIVER", fold="all")`. The command line translates these into
its own options and commands; nothing else knows how those are spelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: characters of a message
_LONGEST = 2000
#: stands for a value that is not told
UNKNOWN: Any = object()


class InteractiveNetError(Exception):
    """Any failure that the user can understand and mend.

    message: what was found, and where.
    field, value: the parameter at fault, by its Python name, and what it was.
    expected: what it should have been.
    remedy: what mends it.

    All but the message are optional; ``str()`` joins those that are given into one line.
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
        given = f"={self.value!r}" if self.value is not UNKNOWN else ""
        named = f"`{self.field}{given}`" if self.field else ""
        expected = f"expected {self.expected}" if self.expected else ""
        return ": ".join(part for part in (named, self.message, expected, self.remedy) if part)


class RequestError(InteractiveNetError):
    """The request itself is wrong: nothing can be done until it is changed (exit status 2)."""


class DataError(InteractiveNetError):
    """A file or a case cannot be used; other cases are not concerned by it."""


class NoPoints(DataError):
    """A file of points holds none."""


def sanitize_text(text: str, keep: str = "") -> str:
    """Return a stranger's text without what would speak to a terminal: '?' in place of it.

    keep: characters that stay, though they are not printable.
    """
    return "".join(one if one.isprintable() or one in keep else "?" for one in text)


def one_line(error: BaseException | str) -> str:
    """Return the message of an error on one line of bounded length, sanitize_text to a terminal.

    White space is folded into single spaces; what a stranger's file may have put into it, such
    as escape sequences, becomes '?'.
    """
    line = " ".join(str(error)[: 4 * _LONGEST].split())
    line = sanitize_text(line)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def describe_failure(error: BaseException) -> str:
    """Say in one line why a case, or anything else that must not end the rest, failed.

    One of our own errors speaks for itself; any other is a fault of the program, and is called so.
    """
    if isinstance(error, InteractiveNetError):
        return one_line(error)
    return f"unexpected {type(error).__name__}: {one_line(error)} (please report it)"


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put the file's name before the message of a :class:`DataError` raised inside."""
    try:
        yield
    except DataError as error:
        message = str(error)
        raise type(error)(
            message if message.startswith(f"{path}: ") else f"{path}: {message}"
        ) from error
