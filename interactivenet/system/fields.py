"""Fields of JSON data that somebody else may have written: each of the type that is expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.names import printable

_WORDS = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}


def field_of_kind(value: Any, kind: type | tuple[type, ...], field: str) -> Any:
    """Return a value that has one of the types; raises DataError, naming the field, if not."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(dict.fromkeys(_WORDS[one] for one in kinds))
        given = "null" if value is None else f"of type {type(value).__name__}"
        raise DataError(f"field {printable(field)} is {given}, expected {wanted}")
    return value


def fields_of_kinds(
    content: Any, kinds: Mapping[str, type | tuple[type, ...]], field: str, *, whole: bool = False
) -> dict[str, Any]:
    """Return an object whose fields, as far as it has them, have these types.

    field: its own name, for messages.  whole: it must have them all.
    """
    checked: dict[str, Any] = field_of_kind(content, dict, field)
    for name, kind in kinds.items():
        if name in checked:
            field_of_kind(checked[name], kind, f"{field}.{name}")
        elif whole:
            raise DataError(f"field {printable(field)}.{name} is missing")
    return checked


def numbered_names(content: Any, field: str) -> dict[int, str]:
    """Return number -> name of an object such as {"0": "background"}, in the numbers' order."""
    names = {}
    for key, name in field_of_kind(content, dict, field).items():
        if not (key.isascii() and key.isdigit() and len(key) < 12):
            raise DataError(f"field {field} has the key '{printable(key[:60])}', expected a number")
        names[int(key)] = str(field_of_kind(name, (str, int), f"{field}.{key}"))
    return dict(sorted(names.items()))
