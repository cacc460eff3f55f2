"""The errors a user may see: each message is one line that says what was found and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: characters of a message
_LONGEST = 2000


class InteractiveNetError(Exception):
    """Any failure that the user can understand and mend."""


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
