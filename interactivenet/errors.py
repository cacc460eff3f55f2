"""The errors a user may see: each message is one line that says what was found and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InteractiveNetError(Exception):
    """Any failure that the user can understand and mend."""


class RequestError(InteractiveNetError):
    """The request itself is wrong: nothing can be done until it is changed (exit status 2)."""


class DataError(InteractiveNetError):
    """A file or a case cannot be used; other cases are not concerned by it."""


def one_line(error: BaseException | str) -> str:
    """Return the message of an error with all white space folded into single spaces."""
    return " ".join(str(error).split())


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put the file's name before the message of a :class:`DataError` raised inside."""
    try:
        yield
    except DataError as error:
        message = str(error)
        raise DataError(
            message if message.startswith(f"{path}: ") else f"{path}: {message}"
        ) from error
