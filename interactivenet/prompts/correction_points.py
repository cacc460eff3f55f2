"""Corrections as files have them: which object each point corrects, by names, lists and numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from interactivenet.errors import DataError
from interactivenet.prompts.corrections import BACKGROUND, SIGNS, Correction
from interactivenet.prompts.point_names import (
    NAMELESS,
    RUNNING,
    NamedPoint,
    family_of,
    part_name,
)
from interactivenet.prompts.prompt import LabelNames, Prompt, is_number

#: a name in small letters, and which list of it: '1' for 3D Slicer's second one, tumour_1
Address = tuple[str, str]
#: numbers of a file and of a list in it
Place = tuple[int, int]


@dataclass(frozen=True)
class Origin:
    """How the points of an object are called, and where they stand.

    addresses: all names that mean it.  number: what follows '#'; None where nothing does.
    places: the files, and lists, that have points of it.
    """

    addresses: frozenset[Address]
    number: int | None
    places: frozenset[Place]


@dataclass(frozen=True)
class _Source:
    """A name that may say which object a correction is of: the point's own, or its list's.

    text: it, without its sign.  addresses: what it may mean, the first that there is counts.
    firm: whether the object must exist; else the name may mean nothing.
    """

    text: str
    addresses: tuple[Address, ...]
    firm: bool


@dataclass(frozen=True)
class CorrectionPoint:
    """A correction that has not found its object yet; one without sources is all objects'.

    number: what follows '#'.  place: where it stands.
    labelled: whether all labels were known, so that what looks like a sign is one.
    """

    correction: Correction
    sources: tuple[_Source, ...]
    number: int | None
    place: Place
    labelled: bool = True


def addresses_of(name: str) -> list[Address]:
    """Return what the name of a list may mean: itself, or a second list of its kind."""
    name = name.strip().lower()
    family, copy = family_of(name)
    return [(name, ""), *([(family, copy)] if copy else [])]


def background_point(point: NamedPoint, place: Place) -> CorrectionPoint:
    """Return a point of the background: a negative correction of all objects."""
    return CorrectionPoint(Correction(point.position, False, BACKGROUND), (), None, place)


def correction_point(
    point: NamedPoint, positive: bool, labels: LabelNames | None, place: Place
) -> CorrectionPoint:
    """Return a correction as the names of its point and lists say.

    Raises DataError where something else than a number follows '#'.
    """
    own = part_name(point.name, labels)
    lists = [part_name(name, labels, of_list=True) for name in point.lists]
    number = next((parted.number for parted in (own, *lists) if parted.number), "")
    if number and not (is_number(number) and int(number) > 0):
        raise DataError(f"has a point named '{point.name}', expected a number after '#'")
    forms = addresses_of(own.base)
    match = RUNNING.fullmatch(own.base)
    # tumour_1+ is of the object tumour_1, but tumour_7, described so, may be the seventh point
    if match and not (own.positive is not None and own.base[len(match[1])] == "_"):
        forms[1:1] = addresses_of(match[1])
    text = match[1] if match and own.positive is None else own.base
    sources = [_source(text, forms, labels, firm=True)]
    sources += [
        _source(parted.base, addresses_of(parted.base), labels, firm=parted.positive is not None)
        for parted in lists
    ]
    correction = Correction(point.position, positive, point.name.strip())
    return CorrectionPoint(
        correction, tuple(sources), int(number) if number else None, place,
        labelled=labels is not None,
    )  # fmt: skip


def _source(
    text: str, forms: Sequence[Address], labels: LabelNames | None, *, firm: bool
) -> _Source:
    nameless = NAMELESS - {"tumor"} if labels and labels.open else NAMELESS
    means_nothing = any(name in nameless for name, _ in forms) and not (
        labels and any(labels.value_of(name) is not None for name, _ in forms if name)
    )
    return _Source(text, tuple(forms), firm and not means_nothing)


def with_corrections(
    prompts: Sequence[Prompt], origins: Sequence[Origin], points: Sequence[CorrectionPoint]
) -> list[Prompt]:
    """Give every correction to its object, in the order of ``points``.

    origins: of the prompts. An object of the correction's own list goes before others of its file,
    and these before those of other files. Raises DataError where there is no object, or several.
    """
    own: list[list[Correction]] = [[] for _ in prompts]
    for point in points:
        objects = [_owner(point, prompts, origins)] if point.sources else range(len(prompts))
        for number in objects:
            own[number].append(point.correction)
    return [
        replace(prompt, corrections=_with_clear_names(corrections))
        for prompt, corrections in zip(prompts, own, strict=True)
    ]


def _with_clear_names(corrections: Sequence[Correction]) -> tuple[Correction, ...]:
    """Return an object's corrections, without their names where these do not tell them apart."""
    names = [each.name for each in corrections if each.name != BACKGROUND]
    if "" not in names and len(set(names)) == len(names):
        return tuple(corrections)
    return tuple(
        each if each.name == BACKGROUND else replace(each, name="") for each in corrections
    )


def _owner(point: CorrectionPoint, prompts: Sequence[Prompt], origins: Sequence[Origin]) -> int:
    """Return the number of the prompt that a correction is of."""
    everything = range(len(prompts))
    of_file = [
        number
        for number in everything
        if any(file == point.place[0] for file, _ in origins[number].places)
    ]
    of_list = [number for number in of_file if point.place in origins[number].places]
    found: Collection[int] = ()
    for scope, numbered in ((of_list, of_file), (of_file, of_file), (everything, everything)):
        found = _fitting(point, scope, origins, _numbers(numbered, prompts, origins))
        if found:
            break
    if len(found) == 1:
        return next(iter(found))
    said = f"has a correction named '{point.correction.name}'"
    text = next((source.text for source in point.sources if source.firm), "")
    if found:
        sign = SIGNS[point.correction.positive]
        names = [prompts[number].name or str(prompts[number].label) for number in sorted(found)]
        if len(set(names)) < len(names):
            names = [f"{text or names[0]}{sign}#{number}" for number in (1, 2)]
        else:
            names = [f"{name}{sign}" for name in names]
        raise DataError(
            f"{said} that may be of {len(found)} objects: which is meant? Name it"
            f" {' or '.join(names)}"
        )
    what = f"{text}#{point.number}" if point.number else text
    missing = f"'{what}', of which there are no points" if what else "an object without points"
    hint = "" if point.labelled else " (where a label is called so, give the task or `labels`)"
    raise DataError(
        f"{said} of {missing}: expected points of the object, too, named without a sign{hint}"
    )


def _fitting(
    point: CorrectionPoint,
    scope: Collection[int],
    origins: Sequence[Origin],
    numbers: dict[int, int],
) -> set[int]:
    """Return those of the objects that a correction may be of."""
    found = set(scope)
    named = False
    for source in point.sources:
        matches = (
            {number for number in scope if address in origins[number].addresses}
            for address in source.addresses
        )
        match = next((each for each in matches if each), set())
        if match or source.firm:
            found &= match
            named = named or source.firm
    if point.number is not None:
        return {number for number in found if numbers[number] == point.number}
    if named:  # tumour+ is of tumour, or tumour#1, but not of tumour#2
        found = {number for number in found if origins[number].number in (None, 1)}
    return found


def _numbers(
    objects: Collection[int], prompts: Sequence[Prompt], origins: Sequence[Origin]
) -> dict[int, int]:
    """Number the objects of each label: as their names do after '#', the others in between."""
    numbers: dict[int, int] = {}
    taken: dict[tuple[int, str], set[int]] = {}
    keys = {number: (prompts[number].label, prompts[number].name) for number in objects}
    for number in objects:
        if (stated := origins[number].number) is not None:
            numbers[number] = stated
            taken.setdefault(keys[number], set()).add(stated)
    for number in objects:
        if number not in numbers:
            used = taken.setdefault(keys[number], set())
            following = 1
            while following in used:
                following += 1
            used.add(following)
            numbers[number] = following
    return numbers
