"""The objects of an open image as the page sends them: all of them, every time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.label_values import MAX_LABEL
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import MARGIN_POINTS, OBJECT, LabelNames, Prompt, is_number
from interactivenet.system.names import printable
from interactivenet.viewer.settings import ViewerSettings

Position = tuple[float, float, float]

#: characters of an object's id
_LONGEST_ID = 64
#: characters of a label's name
_LONGEST_LABEL = 100
#: mm; no scan reaches as far
_FARTHEST = 1e5


@dataclass(frozen=True)
class ObjectState:
    """One object: what is known of it before it is segmented.

    id: the client's own, unique among the objects.  label: name or value of its label.
    points: RAS+ mm.  corrections: in the order in which they were placed.
    """

    id: str
    label: str
    points: tuple[Position, ...] = ()
    corrections: tuple[Correction, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it has the six points that it is segmented from."""
        return len(self.points) >= MARGIN_POINTS

    @property
    def marks(self) -> tuple[Any, ...]:
        """What an outline of it depends on."""
        return self.points, self.corrections


def parse_objects(content: Any, settings: ViewerSettings) -> list[ObjectState]:
    """Read the objects of a request's JSON.

    Raises RequestError, which names the object, where anything is not as the page sends it.
    """
    if not isinstance(content, list):
        raise RequestError("the request has no list of objects", expected="'objects': [...]")
    if len(content) > settings.objects:
        raise RequestError(f"{len(content)} objects", expected=f"at most {settings.objects}")
    states = [_parse_object(each, number, settings) for number, each in enumerate(content, 1)]
    if len({state.id for state in states}) < len(states):
        raise RequestError("two objects have the same id")
    return states


def prompts_of(states: Sequence[ObjectState], labels: LabelNames) -> list[Prompt]:
    """Make the prompts of objects, all of which have points.

    labels: of the task or the model; where they are open, each new name gets the lowest free value.
    Raises RequestError where a label is none of them, or cannot be the name of one.
    """
    names = values_of([state.label for state in states], labels)
    return [
        Prompt(value, np.array(state.points, np.float64), name, corrections=state.corrections)
        for state, (value, name) in zip(states, names, strict=True)
    ]


def values_of(called: Sequence[str], labels: LabelNames) -> list[tuple[int, str]]:
    """Return value and name of what objects are called, in the same order."""
    names = dict(labels.names)
    found: list[tuple[int, str]] = []
    for text in called:
        value = LabelNames(names).value_of(text)
        if value is None and not labels.open:
            raise RequestError(f"'{printable(text)}' is no label", expected=f"one of {labels}")
        if value is None and is_number(text):
            value = int(text)
            if value > MAX_LABEL:
                raise RequestError(f"{text[:20]} is no label", expected=f"1 to {MAX_LABEL}")
            names[value] = labels.name_of(value)
        elif value is None:
            value = next(number for number in range(1, len(names) + 2) if number not in names)
            names[value] = text
            LabelNames(names)  # refuses a name that cannot be one
        found.append((value, names[value]))
    return found


def _parse_object(content: Any, number: int, settings: ViewerSettings) -> ObjectState:
    what = f"object {number}"
    if not isinstance(content, dict):
        raise RequestError(f"{what} is not an object of JSON")
    identity, label = content.get("id"), content.get("label", OBJECT)
    if not isinstance(identity, str) or not 0 < len(identity) <= _LONGEST_ID:
        raise RequestError(f"{what} has no id", expected=f"a text of 1 to {_LONGEST_ID} letters")
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    if not isinstance(label, str) or not label.strip() or len(label) > _LONGEST_LABEL:
        raise RequestError(f"{what} has no label", expected="the name of one")
    points = _listed(content, "points", what, settings.points)
    corrections = _listed(content, "corrections", what, settings.corrections)
    return ObjectState(
        identity,
        label.strip(),
        tuple(_position(each, f"point {n} of {what}") for n, each in enumerate(points, 1)),
        tuple(_correction(each, f"correction {n} of {what}")
              for n, each in enumerate(corrections, 1)),
    )  # fmt: skip


def _listed(content: Mapping[str, Any], field: str, what: str, most: int) -> list[Any]:
    listed = content.get(field, [])
    if not isinstance(listed, list):
        raise RequestError(f"the {field} of {what} are no list")
    if len(listed) > most:
        raise RequestError(f"{what} has {len(listed)} {field}", expected=f"at most {most}")
    return listed


def _position(content: Any, what: str) -> Position:
    if isinstance(content, list) and len(content) == 3:
        numbers = [each for each in content
                   if isinstance(each, int | float) and not isinstance(each, bool)
                   and abs(each) < _FARTHEST and math.isfinite(each)]  # fmt: skip
        if len(numbers) == 3:
            x, y, z = (float(each) for each in numbers)
            return x, y, z
    raise RequestError(f"{what} is not a position", expected="three finite numbers in mm (RAS)")


def _correction(content: Any, what: str) -> Correction:
    if not isinstance(content, dict) or not isinstance(content.get("positive"), bool):
        raise RequestError(f"{what} does not say whether it is positive")
    try:
        return Correction(_position(content.get("position"), what), content["positive"])
    except DataError as error:
        raise RequestError(f"{what}: {error}") from error
