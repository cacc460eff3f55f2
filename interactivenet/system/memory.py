"""How much memory there is, and refusing what would take more before any of it is taken."""

from __future__ import annotations

import os

from interactivenet.errors import DataError, RequestError
from interactivenet.system.resources import read_limits

#: sets how many GB of voxels an image may have
VARIABLE = "interactivenet_max_gb"
#: bytes that are not worth a question
SMALL = 2**26
#: what reading an image takes, in terms of its voxels as they are stored: the file's bytes, the
#: array, and what is made of it
_TIMES = 3


def available_memory() -> int:
    """Return the bytes that this process can still take.

    Those of the machine, or of the tightest control group around it, if that has fewer.
    """
    import psutil

    available = int(psutil.virtual_memory().available)
    limits = read_limits()
    if limits.memory is not None:
        available = min(available, max(0, limits.memory - (limits.used or 0)))
    return available


def largest_image(max_gb: float | None = None) -> int:
    """Return how many bytes of voxels an image may have.

    max_gb: what a user allows; by default what the variable says, or a third of the memory that is
    available. Raises RequestError where the variable is no number above 0.
    """
    if max_gb is None and (text := os.environ.get(VARIABLE, "").strip()):
        try:
            max_gb = float(text)
            if not max_gb > 0:
                raise ValueError
        except ValueError:
            raise RequestError(
                f"the variable {VARIABLE} is {text!r}", expected="a number of GB above 0"
            ) from None
    return available_memory() // _TIMES if max_gb is None else int(min(max_gb, 1e9) * 1e9)


def in_gb(count: float) -> str:
    """Write a number of bytes in GB."""
    gb = count / 1e9
    return f"{gb:.2f} GB" if gb < 10 else f"{gb:.0f} GB"


def check_memory(needed: int, purpose: str, remedy: str = "") -> None:
    """Raise DataError where more bytes are needed than there are.

    purpose: what takes them, as it reads before "takes 12 GB".
    """
    if needed > SMALL and needed > (available := available_memory()):
        raise DataError(
            f"{purpose} takes {in_gb(needed)} of memory, {in_gb(available)} are available",
            remedy=remedy,
        )
