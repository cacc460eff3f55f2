"""Points with names, as text formats have them: which of them make up which object."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from interactivenet.errors import DataError, NoPoints
from interactivenet.prompts.correction_points import (
    Address,
    CorrectionPoint,
    Origin,
    addresses_of,
    background_point,
    correction_point,
    with_corrections,
)
from interactivenet.prompts.open_labels import label_objects
from interactivenet.prompts.point_names import (
    NAMELESS,
    RUNNING,
    NamedPoint,
    family_of,
    is_background,
    part_name,
    sign_of_point,
)
from interactivenet.prompts.prompt import LabelNames, Prompt, is_number


@dataclass
class GatheredPoints:
    """The objects of one file, or of several, and the corrections of any of them.

    prompts: without their corrections.  origins: how the points of each are called.
    corrections: in the order of the files, points of the background among them.
    """

    prompts: list[Prompt] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    corrections: list[CorrectionPoint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: GatheredPoints) -> None:
        """Take in what another file holds."""
        self.prompts += other.prompts
        self.origins += other.origins
        self.corrections += other.corrections
        self.notes += other.notes

    def as_prompts(self) -> list[Prompt]:
        """Return the prompts; each has its corrections, the first one the notes.

        Raises NoPoints where there are none, DataError where a correction has no object.
        """
        own = [point for point in self.corrections if point.sources]
        if not self.prompts and not own:
            count = len(self.corrections)
            reason = f"holds {count} background points, but none of an object" if count else (
                "holds no points"
            )  # fmt: skip
            raise NoPoints(": ".join([reason, *self.notes]))
        prompts = with_corrections(self.prompts, self.origins, self.corrections)
        prompts[0] = replace(prompts[0], notes=(*prompts[0].notes, *self.notes))
        return prompts


def from_named_points(points: Sequence[NamedPoint], labels: LabelNames | None) -> list[Prompt]:
    """Gather points into prompts by their names; see :func:`gather`.

    Raises NoPoints where no point belongs to an object.
    """
    return gather(points, labels).as_prompts()


def gather(
    points: Sequence[NamedPoint], labels: LabelNames | None, file: int = 0
) -> GatheredPoints:
    """Gather points into objects by their names, in order of appearance, and their corrections.

    A name is a label's name or value, with ``#2`` for a second object, or numbered as 3D Slicer
    does: ``tumour-1``, ``tumour-2``, in a second list ``tumour_1-1``, ``tumour_1-2``. Where a
    point's name is of no label, its list's may be. Names of no label (Slicer's ``F-1`` ...
    ``F-6``, and ``F_1-1`` ... of a second list) mean the only label of a task where they are all
    alike. Anything else is refused. Without ``labels``, numbers are label values; a single name
    has no value yet: its prompts carry the name, and label 1 in place of the value. Points named
    ``background``, or in a list of that name, are the background's. A name, or its list's, that
    ends in ``+`` or ``-`` is of a correction, as is a point that its file describes so. Where
    ``labels`` are open, any name is one of a label: see
    :func:`~interactivenet.prompts.open_labels.label_objects`.

    file: number of the file, where there are several.
    """
    gathered = GatheredPoints()
    margin: dict[int, NamedPoint] = {}
    for number, point in enumerate(points):
        place = (file, point.group)
        if is_background(point, labels):
            gathered.corrections.append(background_point(point, place))
        elif (positive := sign_of_point(point, labels)) is not None:
            gathered.corrections.append(correction_point(point, positive, labels, place))
        else:
            margin[number] = point
    if labels is not None and labels.open:
        relabelled, labels = label_objects(list(margin.values()), labels)
        margin = dict(zip(margin, relabelled, strict=True))
    objects: dict[tuple[int, int, str], list[int]] = {}
    addresses: dict[int, set[Address]] = {}
    called: dict[int, str] = {}  # names that no list of labels explains
    names = _Names(list(margin.values()), labels)
    for number, point in margin.items():
        value, index, copy, name = names.resolve(point)
        objects.setdefault((value, index, copy), []).append(number)
        addresses[number] = names.addresses(point, value, copy, name)
        if labels is None and not is_number(name):
            called[value] = name
    gathered.notes += names.notes
    for (value, index, _), numbers in objects.items():
        name = labels.names[value] if labels else called.get(value, "")
        positions = np.array([points[number].position for number in numbers])
        own = tuple(points[number].name.strip() for number in numbers)
        if "" in own or len(set(own)) < len(own):  # all are called as their label: count them
            own = tuple(str(number + 1) for number in numbers)
        gathered.prompts.append(Prompt(value, positions, name, own))
        gathered.origins.append(
            Origin(
                addresses=frozenset().union(*(addresses[number] for number in numbers)),
                number=index if any("#" in points[number].name for number in numbers) else None,
                places=frozenset((file, points[number].group) for number in numbers),
            )
        )
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
        text = part_name(point.name, self.labels).number or text
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

    def addresses(self, point: NamedPoint, value: int, copy: str, name: str) -> set[Address]:
        """Return what means a point's object, beside its number.

        value, copy, name: what :meth:`resolve` has returned.
        """
        base = self._base(point.name.strip().partition("#")[0]).strip()
        called = set(addresses_of(base)) if base else set()
        for each in point.lists:
            called.update(addresses_of(part_name(each, self.labels, of_list=True).base))
        if self.labels and not any(
            self.labels.value_of(each) is not None for each in (base, family_of(base)[0])
        ):
            of_list = self._value_of_list(point)  # which then says which copy it is
            if of_list is not None:
                whole = self.labels.value_of(of_list[1]) is not None
                copy = "" if whole else family_of(of_list[1].strip())[1]
        own = self.labels.names[value] if self.labels else name
        return called | {(str(value), copy), (own.lower(), copy)}

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
