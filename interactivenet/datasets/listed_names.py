"""Labels and modalities as the ``dataset.json`` of other programs names them.

Decathlon and nnU-Net v1 write value -> name, nnU-Net v2 name -> value, and people mix them. Both
are read where only one reading makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import RequestError
from interactivenet.prompts.prompt import LabelNames

_NUMBER = re.compile(r"-?\d+", re.ASCII)


def listed_labels(
    path: Path, given: Any, chosen: LabelNames | None
) -> tuple[LabelNames, tuple[str, ...]]:
    """Return the names of the label values that a ``dataset.json`` gives, and notes on them.

    path: of the file, for messages.  given: its 'labels'.  chosen: what the user says instead.
    Raises RequestError where they cannot be told, have no single value each, or are unclear.
    """
    if not isinstance(given, dict) or not given:
        raise RequestError(f"{path}: its 'labels' are not an object of names and values")
    names = [str(text).casefold() for pair in given.items() for text in pair]
    if "ignore" in names:
        raise RequestError(
            f"{path}: has an 'ignore' label, which is not supported: the voxels that it marks"
            " would be taken for background or for a label"
        )
    if chosen is not None:
        return chosen, ()
    single = {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in given.items()
    }
    if regions := [name for name, value in single.items() if isinstance(value, list)]:
        raise RequestError(
            f"{path}: labels {', '.join(map(repr, regions))} are regions of several values:"
            " name the values of the label maps with `labels=['VALUE=NAME']`"
        )
    by_value = _by_number(path, "labels", single, "give them with `labels=['VALUE=NAME']`")
    notes = []
    zero = by_value.pop(0, "background")
    if zero.casefold() not in ("background", "bg", "clear label"):
        notes.append(f"label value 0 is taken for background, though it is named '{zero}'")
    for value, name in by_value.items():
        if name.casefold() == "background":
            raise RequestError(
                f"{path}: 'background' has label value {value}", expected="0",
                remedy="give the labels with `labels=['VALUE=NAME']`",
            )  # fmt: skip
    if not by_value:
        raise RequestError(f"{path}: its 'labels' name no value but the background")
    try:
        return LabelNames(by_value), tuple(notes)
    except RequestError as error:
        raise RequestError(
            f"{path}: {error}", remedy="give them with `labels=['VALUE=NAME']`"
        ) from error


def listed_modalities(path: Path, key: str, given: Any) -> tuple[str, ...]:
    """Return the names of the modalities that a ``dataset.json`` gives under a key, in order.

    Raises RequestError where they cannot be told.
    """
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        given = {str(index): name for index, name in enumerate(given)}
    if not isinstance(given, dict) or not given:
        raise RequestError(f"{path}: its '{key}' are not an object of numbers and names")
    by_index = _by_number(path, key, given, "mend the file")
    if sorted(by_index) != list(range(len(by_index))):
        numbers = ", ".join(map(str, sorted(by_index)))
        raise RequestError(
            f"{path}: its '{key}' are numbered {numbers}", expected=f"0 to {len(by_index) - 1}"
        )
    return tuple(by_index[index] for index in sorted(by_index))


def _by_number(path: Path, key: str, given: Mapping[str, Any], remedy: str) -> dict[int, str]:
    """Read an object as number -> name, whichever way round it is; raises RequestError."""
    pairs = [(name, value) for name, value in given.items()]
    numbered = all(_is_number(name) for name, _ in pairs)
    inverse = all(_is_number(value) for _, value in pairs)
    forward = [(int(name), value) for name, value in pairs] if numbered else []
    backward = [(int(value), name) for name, value in pairs] if inverse else []
    if numbered and inverse:
        readings = [sorted((number, str(name)) for number, name in pairs_of)
                    for pairs_of in (forward, backward)]  # fmt: skip
        if readings[0] != readings[1]:
            first, second = (
                ", ".join(f"{number}={name!r}" for number, name in reading) for reading in readings
            )
            raise RequestError(
                f"{path}: its '{key}' can be read in two ways: {first}; or {second}", remedy=remedy
            )
    if not numbered and not inverse:
        odd = next((pair for pair in pairs if not any(map(_is_number, pair))), pairs[0])
        raise RequestError(
            f"{path}: its '{key}' have {odd[0]!r}: {odd[1]!r}",
            expected="a whole number for every name, or a name for every number",
            remedy=remedy,
        )
    names: dict[int, str] = {}
    for number, name in forward or backward:
        if not isinstance(name, (str, int)) or isinstance(name, bool):
            raise RequestError(f"{path}: its '{key}' name {number} {name!r}", expected="text")
        if number in names:
            kind = "label value" if key == "labels" else "number"
            raise RequestError(f"{path}: {kind} {number} has two names: {names[number]}, {name}")
        names[number] = str(name)
    return names


def _is_number(given: Any) -> bool:
    if isinstance(given, bool):
        return False
    return isinstance(given, int) or (isinstance(given, str) and bool(_NUMBER.fullmatch(given)))
