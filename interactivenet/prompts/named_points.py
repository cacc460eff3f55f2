"""Points with names, as text formats have them: which of them make up which object."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, NoPoints
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.open_labels import label_objects
from interactivenet.prompts.point_names import (
    BACKGROUND,
    NAMELESS,
    RUNNING,
    NamedPoint,
    Position,
    family_of,
    is_background,
)
from interactivenet.prompts.prompt import LabelNames, Prompt, is_number


@dataclass
class GatheredPoints:
    """The objects of one file, or of several, and the background's points (M, 3) RAS+ mm."""

    prompts: list[Prompt] = field(default_factory=list)
    background: list[Position] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_prompts(self) -> list[Prompt]:
        """Return the prompts; each has the background's points, the first one the notes.

        Raises NoPoints where there are none.
        """
        if not self.prompts:
            count = len(self.background)
            reason = f"holds {count} background points, but none of an object" if count else (
                "holds no points"
            )  # fmt: skip
            raise NoPoints(": ".join([reason, *self.notes]))
        background = tuple(Correction(place, False, BACKGROUND) for place in self.background)
        prompts = [
            replace(prompt, corrections=(*prompt.corrections, *background))
            for prompt in self.prompts
        ]
        prompts[0] = replace(prompts[0], notes=(*prompts[0].notes, *self.notes))
        return prompts


def to_named_points(prompts: Sequence[Prompt]) -> list[NamedPoint]:
    """Flatten prompts; a second object of the same label is named ``name#2`` and so on.

    The background's points come last, each once.
    """
    points = []
    count: dict[str, int] = {}
    for prompt in prompts:
        name = prompt.name or str(prompt.label)
        count[name] = count.get(name, 0) + 1
        if count[name] > 1:
            name = f"{name}#{count[name]}"
        points += [NamedPoint(name, (x, y, z)) for x, y, z in prompt.points.tolist()]
    negative, _ = shared_background(prompts)
    return points + [NamedPoint(BACKGROUND, (x, y, z)) for x, y, z in negative.tolist()]


def shared_background(prompts: Sequence[Prompt]) -> tuple[NDArray[np.float64], bool]:
    """Return all points of the background (M, 3), each once, and whether all prompts have them."""
    every = [tuple(point) for prompt in prompts for point in prompt.negative.tolist()]
    unique = list(dict.fromkeys(every))
    shared = all({*map(tuple, prompt.negative.tolist())} == {*unique} for prompt in prompts)
    return np.array(unique, np.float64).reshape(-1, 3), shared


def from_named_points(points: Sequence[NamedPoint], labels: LabelNames | None) -> list[Prompt]:
    """Gather points into prompts by their names; see :func:`gather`.

    Raises NoPoints where no point belongs to an object.
    """
    return gather(points, labels).as_prompts()


def gather(points: Sequence[NamedPoint], labels: LabelNames | None) -> GatheredPoints:
    """Gather points into objects by their names, in order of appearance.

    A name is a label's name or value, with ``#2`` for a second object, or numbered as 3D Slicer
    does: ``tumour-1``, ``tumour-2``, in a second list ``tumour_1-1``, ``tumour_1-2``. Where a
    point's name is of no label, its list's may be. Names of no label (Slicer's ``F-1`` ...
    ``F-6``, and ``F_1-1`` ... of a second list) mean the only label of a task where they are all
    alike. Anything else is refused. Without ``labels``, numbers are label values; a single name
    has no value yet: its prompts carry the name, and label 1 in place of the value. Points named
    ``background``, or in a list of that name, are the background's. Where ``labels`` are open, any
    name is one of a label: see :func:`~interactivenet.prompts.open_labels.label_objects`.
    """
    if labels is not None and labels.open:
        points, labels = label_objects(points, labels)
    gathered = GatheredPoints()
    objects: dict[tuple[int, int, str], list[int]] = {}
    called: dict[int, str] = {}  # names that no list of labels explains
    foreground = []
    for number, point in enumerate(points):
        if is_background(point, labels):
            gathered.background.append(point.position)
        else:
            foreground.append((number, point))
    names = _Names([point for _, point in foreground], labels)
    for number, point in foreground:
        value, index, copy, name = names.resolve(point)
        objects.setdefault((value, index, copy), []).append(number)
        if labels is None and not is_number(name):
            called[value] = name
    gathered.notes += names.notes
    for (value, _, _), numbers in objects.items():
        name = labels.names[value] if labels else called.get(value, "")
        positions = np.array([points[number].position for number in numbers])
        own = tuple(points[number].name.strip() for number in numbers)
        if "" in own or len(set(own)) < len(own):  # all are called as their label: count them
            own = tuple(str(number + 1) for number in numbers)
        gathered.prompts.append(Prompt(value, positions, name, own))
    return gathered


class _Names:
    """What the names of a file's points mean, which depends on all of them."""

    def __init__(self, points: Sequence[NamedPoint], labels: LabelNames | None) -> None:
        self.labels = labels
        self.numbered = labels is not None or _is_one_numbering(points)
        self.seen: set[tuple[str, int]] = set()
        self.notes: dict[str, None] = {}
        names = [self._base(point.name.strip().partition("#")[0]) for point in points]
        self.names = list(dict.fromkeys(names))
        self.families = {family_of(name)[0] for name in names}

    def resolve(self, point: NamedPoint) -> tuple[int, int, str, str]:
        """Return a point's label, which of its objects, the copy of its list, and its name.

        Raises DataError where it cannot be told.
        """
        full, mark, text = point.name.strip().partition("#")
        if mark and not (is_number(text) and int(text) > 0):
            raise DataError(f"has a point named '{point.name}', expected a number after '#'")
        number = int(text) if mark else point.group + 1
        base = self._base(full)
        if base != full and (full, number) in self.seen:
            raise DataError(
                f"has several points named '{full}': name them {base}#1, {base}#2 for two objects"
            )
        self.seen.add((full, number))
        value, copy, name = self._value(base, point)
        return value, number, copy, name

    def _base(self, full: str) -> str:
        """Strip the running number of a list's points off a name that is not itself a label."""
        if not self.numbered or is_number(full):
            return full
        if self.labels and self.labels.value_of(full) is not None:
            return full
        match = RUNNING.fullmatch(full)
        return match[1] if match else full

    def _value(self, name: str, point: NamedPoint) -> tuple[int, str, str]:
        if is_number(name) and int(name) == 0:
            raise DataError(f"has points named '{name}', expected a foreground label")
        family, copy = family_of(name)
        labels = self.labels
        if labels is None:
            if is_number(name):
                return int(name), "", name
            if len(self.names) == 1:
                return 1, "", name
            if len(self.families) == 1:
                return 1, copy, family
            raise DataError(
                f"has points named {', '.join(map(repr, self.names))}: which label value does each"
                " mean? (give the task, or its `labels` in order)"
            )
        value = labels.value_of(name)
        if value is not None:
            copy = ""
        elif copy and not is_number(family) and not self._numbers_labels(family):
            value = labels.value_of(family)
        of_list = self._value_of_list(point)
        if value is not None:
            if of_list is not None and of_list[0] != value:
                raise DataError(
                    f"has a point named '{point.name}' in the list '{of_list[1]}': which of the two"
                    " labels is meant? Rename one of them"
                )
            return value, copy, name
        if of_list is not None:
            return of_list[0], copy, name
        if len(self.families) == 1 and len(labels.names) == 1 and not is_number(name):
            if family.casefold() not in NAMELESS:
                only = next(iter(labels.names.values()))
                self.notes[f"points named '{family}' are taken for {only}, the only label"] = None
            return next(iter(labels.names)), copy if len(self.names) > 1 else "", name
        raise DataError(f"has points named '{name}', expected one of the labels {labels}")

    def _numbers_labels(self, family: str) -> bool:
        """Whether labels themselves are named so: of node_1 and node_2, node_3 is no copy."""
        assert self.labels is not None
        pattern = re.compile(re.escape(family) + r"_\d+", re.IGNORECASE)
        return any(pattern.fullmatch(name) for name in self.labels.names.values())

    def _value_of_list(self, point: NamedPoint) -> tuple[int, str] | None:
        """Return the label that a point's list, or its file, is named after, and that name."""
        assert self.labels is not None
        for name in point.lists:
            for part in (name.strip(), family_of(name.strip())[0]):
                value = None if is_number(part) else self.labels.value_of(part)
                if value is not None:
                    return value, name
        return None


def _is_one_numbering(points: Sequence[NamedPoint]) -> bool:
    """Whether the points are as Slicer numbers them: F-1, F-2 ..., in a second list F_1-1 ..."""
    names = [(point.name.strip(), point.group) for point in points]
    matches = [RUNNING.fullmatch(name) for name, _ in names]
    stems = {family_of(match[1])[0] if match else None for match in matches}
    return None not in stems and len(stems) == 1 and len(set(names)) == len(names)
