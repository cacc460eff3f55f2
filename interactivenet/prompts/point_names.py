"""The names that points and their lists have: what people and programs make of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from interactivenet.errors import DataError
from interactivenet.prompts.prompt import LabelNames, is_number

#: what points are called that lie outside of the objects
BACKGROUND = "background"
Position = tuple[float, float, float]


@dataclass(frozen=True)
class NamedPoint:
    """A point as text formats have it.

    name: says which object it belongs to.  position: RAS+ mm.
    group: number of the list that it is in, where a file has several (each is an object).
    lists: names of this list, and perhaps of its file, where they may name a label.
    """

    name: str
    position: Position
    group: int = 0
    lists: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedPoints:
    """The points of a file, and what a user should know of how it was read.

    depth_mm: how deep they lie in their objects, along R, A, S, where the file says so.
    """

    points: Sequence[NamedPoint]
    notes: tuple[str, ...] = ()
    depth_mm: Position | None = None


#: numbering of the points of a list: 3D Slicer's F-1, and Point 1
RUNNING = re.compile(r"(.+?)[-_ ]\d+")
#: what programs call points and lists that nobody has named, in small letters; autoPET's clicks
#: are all of a 'tumor'
NAMELESS = {
    "",
    "f",
    "p",
    "point",
    "points",
    "markupsfiducial",
    "fiducial",
    "fiducials",
    "markups",
    "click",
    "clicks",
    "point list",
    "pointlist",
    "interior margin points",
    "interior-margin-points",
    "tumor",
}
#: how 3D Slicer names a second list: F_1
_COPY = re.compile(r"(.+?)_(\d+)")


def family_of(name: str) -> tuple[str, str]:
    """Part the name of a list into that of the first one of its kind, and its number or ''."""
    match = _COPY.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def is_background(point: NamedPoint, labels: LabelNames | None) -> bool:
    """Whether a point is of the background; raises DataError where name and list contradict."""
    name = point.name.strip().partition("#")[0]
    match = RUNNING.fullmatch(name)
    stems = {name, family_of(name)[0]} | ({match[1], family_of(match[1])[0]} if match else set())
    if BACKGROUND in map(str.casefold, stems):
        return True
    if BACKGROUND not in {family_of(each.strip().casefold())[0] for each in point.lists}:
        return False
    if labels and any(labels.value_of(stem) is not None for stem in stems if not is_number(stem)):
        raise DataError(
            f"has a point named '{point.name}' in the list '{BACKGROUND}': which of the two is"
            " meant? Rename one of them"
        )
    return True
