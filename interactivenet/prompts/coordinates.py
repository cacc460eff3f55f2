"""What all text formats of points share: coordinate systems and numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from interactivenet.errors import DataError
from interactivenet.prompts.point_names import NamedPoint
from interactivenet.system.files import read_text

#: mm: positions that differ by less are one, whatever wrote them, and with how many decimals
_SAME = 1e-3
#: signs that turn coordinates of a system into RAS
_SIGNS = {"RAS": (1, 1, 1), "LPS": (-1, -1, 1)}


def named_point(
    name: str,
    position: Any,
    system: str,
    group: int = 0,
    lists: tuple[str, ...] = (),
    positive: bool | None = None,
) -> NamedPoint:
    """Make a point of coordinates in a system, RAS or LPS; raises DataError for any other."""
    if system not in _SIGNS:
        stated = f"coordinate system '{system}'" if system else "no coordinate system"
        raise DataError(f"has {stated}, expected RAS or LPS")
    signs = _SIGNS[system]
    x, y, z = (value * sign + 0.0 for value, sign in zip(coordinates(position), signs, strict=True))
    return NamedPoint(name, (x, y, z), group, lists, positive)


def in_system(point: NamedPoint, system: str) -> list[float]:
    """Return a point's coordinates in a system, RAS or LPS."""
    signs = _SIGNS[system]
    return [value * sign + 0.0 for value, sign in zip(point.position, signs, strict=True)]


def system_of(text: str | None) -> str:
    """Return the name of a coordinate system as it is compared."""
    return (text or "").strip().upper()


def coordinates(position: Any) -> tuple[float, float, float]:
    """Return three numbers; raises DataError where they are not, or are not finite."""
    try:
        if any(isinstance(value, bool) for value in position):
            raise TypeError
        x, y, z = (float(value) for value in position)
    except (TypeError, ValueError):
        raise DataError(f"has a point {position!r}, expected three numbers") from None
    if not all(math.isfinite(value) for value in (x, y, z)):
        raise DataError(f"has a point {position!r}, expected finite numbers")
    return x, y, z


def depth_of(content: Any) -> tuple[float, float, float] | None:
    """Return how deep the points of JSON data lie, mm along R, A, S; None where it does not say.

    Raises DataError where ``depth_mm`` is neither a number nor three, from 0 to below 1000.
    """
    stated = content.get("depth_mm") if isinstance(content, dict) else None
    if stated is None:
        return None
    values = stated if isinstance(stated, list) else [stated] * 3
    numbers = [
        float(value)
        for value in values
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1000
    ]
    if not len(values) == len(numbers) == 3:
        raise DataError(
            f"has the depth_mm {stated!r}, expected a number of mm, or three (R, A, S), from 0 to"
            " below 1000"
        )
    x, y, z = numbers
    return x, y, z


def depth_points_of(content: Any) -> list[tuple[float, float, float]] | None:
    """Return where the points of JSON data lay when their depth was written, as the file has them.

    None where it does not say. Raises DataError where ``depth_points`` is no list of positions.
    """
    stated = content.get("depth_points") if isinstance(content, dict) else None
    if stated is None:
        return None
    try:
        if not isinstance(stated, list):
            raise DataError("no list")
        return [coordinates(position) for position in stated]
    except DataError:
        raise DataError(
            f"has the depth_points {str(stated)[:100]}, expected a list of positions"
        ) from None


def are_still(points: ArrayLike, lay: ArrayLike, *, some_left_out: bool = False) -> bool:
    """Whether points (N, 3) lie where they did (M, 3), mm, in whatever order.

    some_left_out: a user has named points that do not count, so that there may be fewer.
    """
    now, before = (np.reshape(np.asarray(at, np.float64), (-1, 3)) for at in (points, lay))
    if len(now) != len(before) and not some_left_out:
        return False
    if not len(now) or not len(before):
        return len(now) == 0
    near = np.abs(now[:, None] - before).max(axis=2) < _SAME
    return bool(near.any(axis=1).all() and (some_left_out or near.any(axis=0).all()))


def text_of(path: Path) -> str:
    """Return the text of a file; raises DataError where it cannot be read."""
    try:
        return read_text(path)
    except UnicodeDecodeError as error:
        raise DataError(f"is not a text file: {error}") from error
