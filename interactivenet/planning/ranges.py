"""The ranges that the numbers of a plan must lie in, whoever makes it: a file or a person."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_ranges(item: Any, **ranges: tuple[float, float]) -> None:
    """Raise ValueError, naming the field, where a number of a data class is out of its range.

    ranges: field -> smallest and largest value; of nested tuples, every number counts, and None
    stands for no value.
    """
    for name, (low, high) in ranges.items():
        numbers = _numbers(item, name)
        if not ((low <= numbers) & (numbers <= high)).all():
            raise ValueError(
                f"{name} must be from {low:g} to {high:g}, got {getattr(item, name)!r}"
            )


def check_positive(item: Any, *names: str) -> None:
    """Raise ValueError, naming the field, where a number is not finite and above 0; as above."""
    for name in names:
        numbers = _numbers(item, name)
        if not ((numbers > 0) & np.isfinite(numbers)).all():
            raise ValueError(f"{name} must be above 0, got {getattr(item, name)!r}")


def _numbers(item: Any, name: str) -> NDArray[np.float64]:
    value = getattr(item, name)
    return np.asarray([] if value is None else value, dtype=np.float64)
