"""Labels of models that segment any object: the points' own names are labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from interactivenet.errors import DataError, RequestError
from interactivenet.prompts.point_names import (
    NAMELESS,
    RUNNING,
    NamedPoint,
    family_of,
    is_background,
)
from interactivenet.prompts.prompt import OBJECT, LabelNames, is_number

#: autoPET's clicks are all called so; where any object may be meant, so may a tumour
_NAMES = NAMELESS - {"tumor"}
#: a name such as rib_3 that more points than these have is not the running number of one of them
_FEW = 2
#: so many points, each with a name of its own, mark one object: no object has a single point
_ONE_OBJECT = 4


def label_objects(
    points: Sequence[NamedPoint], labels: LabelNames
) -> tuple[list[NamedPoint], LabelNames]:
    """Take the names of points for those of labels; return what :func:`gather` needs of both.

    An object is called as its points are, without the number that tells these apart; where that
    says nothing (3D Slicer's ``F-1``), as their list, or their file, is; else 'object'. A name that
    is a number is a label's value. Where every point has a name of its own (left, right, top ...),
    the names are the points', and not objects'. Of other names, each that is new gets the lowest
    value that is free, in order of appearance.

    labels: open, with the names that have a value already.  Raises DataError for a name that cannot
    be one of a label.
    """
    names = _Names([point for point in points if not is_background(point, None)])
    called: list[str] = []
    relabelled: list[NamedPoint] = []
    for point in points:
        if is_background(point, None):
            relabelled.append(point)
            continue
        name = names.of_point(point)
        if name:  # which alone decides
            relabelled.append(replace(point, lists=()))
        else:
            name = names.of_list(point)
            relabelled.append(replace(point, lists=(name,)))
        called.append(name)
    if len(called) >= _ONE_OBJECT and len({name.lower() for name in called}) == len(called):
        return label_objects([_unnamed(point) for point in points], labels)
    return relabelled, _with_values(labels, called)


def _unnamed(point: NamedPoint) -> NamedPoint:
    return point if is_background(point, None) else replace(point, name="")


class _Names:
    """What the names of points and of their lists say of objects: all of them decide that."""

    def __init__(self, points: Sequence[NamedPoint]) -> None:
        counts = Counter((point.name.strip().lower(), point.group) for point in points)
        self._repeated = {name for (name, _), count in counts.items() if count > _FEW}
        self._points = {self._base(point.name).lower() for point in points}
        self._lists = {name.strip().lower() for point in points for name in point.lists}

    def of_point(self, point: NamedPoint) -> str:
        """Return what a point's own name says of its object; '' for nothing."""
        base = self._base(point.name)
        if family_of(base)[0].lower() in _NAMES:
            return ""
        repeated = point.name.strip().lower() in self._repeated
        return base if repeated else _first_of_its_kind(base, self._points)

    def of_list(self, point: NamedPoint) -> str:
        """Return what the name of a point's list, or of its file, says."""
        for name in map(str.strip, point.lists):
            if family_of(name)[0].lower() not in _NAMES and not is_number(name):
                return _first_of_its_kind(name, self._lists)
        return OBJECT

    def _base(self, name: str) -> str:
        """Strip the number of a second object, and the running one of a list's points."""
        full = name.partition("#")[0].strip()
        match = RUNNING.fullmatch(full)
        if match is None:
            return full
        whole = name.strip().lower() in self._repeated
        nameless = family_of(match[1])[0].lower() in _NAMES
        return full if whole and not nameless else match[1]


def _first_of_its_kind(name: str, names: Collection[str]) -> str:
    """Return tumour for tumour_1, as 3D Slicer calls a second list, where both are there."""
    first = family_of(name)[0]
    return first if first.lower() in names else name


def _with_values(labels: LabelNames, called: Sequence[str]) -> LabelNames:
    names = dict(labels.names)
    for value in sorted({int(name) for name in called if is_number(name)} - {0}):
        names.setdefault(value, labels.name_of(value))
    taken = {name.lower() for name in names.values()}
    following = 1
    for name in called:
        if is_number(name) or name.lower() in taken:
            continue
        while following in names:
            following += 1
        names[following] = name
        taken.add(name.lower())
    try:
        return LabelNames(names)
    except RequestError as error:
        raise DataError(f"has points whose name cannot be that of an object: {error}") from error
