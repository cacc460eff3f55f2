"""A record of a run that would be too large to be read again: what it leaves out, and says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.files import (
    is_readable,
    json_bytes,
    read_bytes,
    write_bytes,
    write_json,
)

#: in a record, what it leaves out: name of a field -> how many entries that had
LEFT_OUT = "left_out"
#: the records of runs before this one, and what a record is known by
EARLIER, _KNOWN_BY = "earlier", "arguments"
#: of the file of every version
_BEGINNING = b'{\n  "stage": "'
#: bytes; to leave out less would not help
_SMALL = 1000


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a run as JSON that :func:`read_json` reads again.

    Where it has an entry for each of very many cases it may be too large. Then its largest fields,
    and those of its earlier records, are left out, and 'left_out' says how many entries each had:
    the cases' own records have what these say.
    """
    data = json_bytes(record)
    if is_readable(data):
        write_bytes(path, data)
    else:
        write_json(path, _lessened(record))


def is_too_large(path: Path) -> bool:
    """Whether a file is the record of a run of an earlier version, too large to be read again."""
    try:
        data = read_bytes(path)
    except DataError:
        return False
    return not is_readable(data) and data.startswith(_BEGINNING)


def left_out(record: Mapping[str, Any]) -> list[str]:
    """Return the fields that :func:`write_record` leaves out of a record or its earlier ones."""
    if is_readable(json_bytes(record)):
        return []
    lessened = _lessened(record)
    holders = [*lessened.get(EARLIER, ()), lessened]
    return sorted({name for holder in holders for name in holder.get(LEFT_OUT, ())})


def _lessened(record: Mapping[str, Any]) -> dict[str, Any]:
    lessened = dict(record)
    if EARLIER in record:
        lessened[EARLIER] = [dict(each) for each in record[EARLIER]]
    holders = [*lessened.get(EARLIER, ()), lessened]
    fields = [
        (len(json_bytes(value)), number, name)
        for number, holder in enumerate(holders)
        for name, value in holder.items()
        if name not in (EARLIER, LEFT_OUT, _KNOWN_BY) and isinstance(value, Mapping | list)
    ]
    for size, number, name in sorted(fields, reverse=True):
        if size < _SMALL:
            break
        holder = holders[number]
        holder[LEFT_OUT] = {**holder.get(LEFT_OUT, {}), name: len(holder.pop(name))}
        if is_readable(json_bytes(lessened)):
            return lessened
    earlier: Sequence[Any] = lessened.pop(EARLIER, ())
    if earlier:
        lessened[LEFT_OUT] = {**lessened.get(LEFT_OUT, {}), EARLIER: len(earlier)}
    return lessened
