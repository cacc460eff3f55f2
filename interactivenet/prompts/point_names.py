"""The names that points and their lists have: what people and programs make of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from interactivenet.errors import DataError
from interactivenet.prompts.corrections import BACKGROUND, SIGNS
from interactivenet.prompts.prompt import LabelNames, is_number

Position = tuple[float, float, float]


@dataclass(frozen=True)
class NamedPoint:
    """A point as text formats have it.

    name: says which object it belongs to.  position: RAS+ mm.
    group: number of the list that it is in, where a file has several (each is an object).
    lists: names of this list, and perhaps of its file, where they may name a label.
    positive: what its description, or its column, makes it: a positive correction (True), a
        negative one (False), or nothing (None), so that its names decide.
    """

    name: str
    position: Position
    group: int = 0
    lists: tuple[str, ...] = ()
    positive: bool | None = None


@dataclass(frozen=True)
class NamedPoints:
    """The points of a file, and what a user should know of how it was read.

    depth_mm: how deep they lie in their objects, along R, A, S, where the file says so.
    depth_points: where the margin points lay when that was written, RAS+ mm; None where unknown.
    """

    points: Sequence[NamedPoint]
    notes: tuple[str, ...] = ()
    depth_mm: Position | None = None
    depth_points: Sequence[Position] | None = None


#: numbering of the points of a list: 3D Slicer's F-1, and Point 1
RUNNING = re.compile(r"(.+?)[-_ ]\d+")
#: what programs call points and lists that nobody has named, in small letters; autoPET's clicks
#: are all of a 'tumor', or of the foreground
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
    "foreground",
    "point list",
    "pointlist",
    "interior margin points",
    "interior-margin-points",
    "tumor",
}
#: how 3D Slicer names a second list: F_1
_COPY = re.compile(r"(.+?)_(\d+)")
#: what follows '#': the number of an object, perhaps a sign, and perhaps a running number
_NUMBERED = re.compile(r"\s*(\d+)\s*([+-]?)(?:[-_ ]\d+)?\s*")
#: what marks a point as a correction in its description, or in a column; in small letters
_WORDS = {"+": True, "positive": True, "-": False, "negative": False}
_SIGNS = {sign: positive for positive, sign in SIGNS.items()}


@dataclass(frozen=True)
class PartedName:
    """The name of a point or of a list in its parts: ``tumour_1+#2-5``.

    base: what it says of the object, as '' or 'tumour_1'; the running number of the points of a
        list is gone where there is a sign only.
    number: what follows '#', perhaps no number; '' where nothing does.
    positive: its sign; None where it has none.
    """

    base: str
    number: str = ""
    positive: bool | None = None


def part_name(name: str, labels: LabelNames | None, *, of_list: bool = False) -> PartedName:
    """Part the name of a point, or of a list, into object, number and sign.

    A name that is a label's is that, whatever it ends with: HER2+ among labels HER2 and HER2+.
    What 3D Slicer appends to the name of a list stands behind the sign: points ``tumour+-1``, a
    second list ``tumour+_1``, its points ``tumour+_1-1``.
    """
    base, mark, number = name.strip().partition("#")
    base, sign = base.strip(), ""
    if mark and (match := _NUMBERED.fullmatch(number)):
        number, sign = match[1], match[2]
    if sign:
        return PartedName(base, number, _SIGNS[sign])
    forms = [base]
    if not of_list and (match := RUNNING.fullmatch(base)):
        forms.append(match[1])
    for number_of_form, form in enumerate(forms):
        family, copy = family_of(form)
        if labels and any(labels.value_of(each) is not None for each in (form, family)):
            break
        # F_1 among points is a running number, and a copy among lists
        of_a_list = of_list or number_of_form == 1
        for stem, suffix in ((form, ""), *([(family, f"_{copy}")] if copy and of_a_list else [])):
            if stem[-1:] in _SIGNS:
                return PartedName(f"{stem[:-1].rstrip()}{suffix}", number, _SIGNS[stem[-1]])
    return PartedName(base, number)


def sign_of_text(text: object) -> bool | None:
    """Return what a description makes of its point: a positive or negative correction, or none."""
    return _WORDS.get(text.strip().lower()) if isinstance(text, str) else None


def sign_of_point(point: NamedPoint, labels: LabelNames | None) -> bool | None:
    """Return whether a point is a positive correction, a negative one, or none (None).

    Raises DataError where its name, its list and its description contradict each other.
    """
    said = {f"named '{point.name}'": part_name(point.name, labels).positive}
    for name in point.lists:
        said[f"in the list '{name}'"] = part_name(name, labels, of_list=True).positive
    said["described as positive" if point.positive else "described as negative"] = point.positive
    signs = {positive: where for where, positive in said.items() if positive is not None}
    if len(signs) == 2:
        raise DataError(
            f"has a point {signs[True]} and {signs[False]}: is it a positive correction or a"
            " negative one?"
        )
    return next(iter(signs), None)


def family_of(name: str) -> tuple[str, str]:
    """Part the name of a list into that of the first one of its kind, and its number or ''."""
    match = _COPY.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def is_background(point: NamedPoint, labels: LabelNames | None) -> bool:
    """Whether a point is of the background; raises DataError where names contradict each other."""
    name = part_name(point.name, labels).base
    match = RUNNING.fullmatch(name)
    stems = {name, family_of(name)[0]} | ({match[1], family_of(match[1])[0]} if match else set())
    named = BACKGROUND in map(str.casefold, stems)
    listed = {part_name(each, labels, of_list=True).base.casefold() for each in point.lists}
    if not named and BACKGROUND not in {family_of(each)[0] for each in listed}:
        return False
    if not named and labels and any(
        labels.value_of(stem) is not None for stem in stems if not is_number(stem)
    ):  # fmt: skip
        raise DataError(
            f"has a point named '{point.name}' in the list '{BACKGROUND}': which of the two is"
            " meant? Rename one of them"
        )
    if sign_of_point(point, labels):
        raise DataError(
            f"has a positive point '{point.name}' of the background: which of the two is meant?"
        )
    return True
