"""What the record of a prediction says: of its objects, its notes, its scan and its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError
from interactivenet.system.files import read_object

#: what the record of a segmentation adds to a row
RECORDED = ("agreement", "expected_dice", "look", "points_inside", "untouched_components")


def recorded_series(path: Path | None) -> tuple[Path, str] | None:
    """Return where the series was that a prediction's grid is of, and its UID; None where unknown.

    path: of the prediction's record.
    """
    sources = read_object(path).get("sources") if path else None
    if not isinstance(sources, Mapping):
        return None
    number = sources.get("reference", 0)
    try:
        return Path(str(sources["images"][number])), str(sources["series"][number])
    except (LookupError, TypeError):
        return None


def recorded_names(path: Path | None) -> dict[int, str] | None:
    """Return the names of the labels of the model that made a prediction; None where unknown."""
    labels = read_object(path).get("labels") if path else None
    if not isinstance(labels, Mapping) or not labels:
        return None
    try:
        return {int(value): str(name) for value, name in labels.items()}
    except ValueError:
        return None


def read_records(path: Path | None) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Read what was noted of each object, and of the image, when it was segmented."""
    content = read_object(path) if path else {}
    records, notes = content.get("objects", []), content.get("notes", [])
    if not isinstance(records, list) or not all(isinstance(item, Mapping) for item in records):
        raise DataError(f"{path}: expected 'objects' to be a list of objects")
    for record in records:
        for key in RECORDED:
            if not isinstance(record.get(key), (int, float, type(None))):
                raise DataError(f"{path}: has {key} {record[key]!r}, expected a number or null")
    for texts in (notes, *(record.get("reasons", []) for record in records)):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{path}: expected 'notes' and 'reasons' to be lists of sentences")
    return records, notes


def record_of(
    records: Sequence[Mapping[str, Any]], label: int, prompt: int | None
) -> Mapping[str, Any]:
    """Find an object's record: by the prompt's number, or the only one of its label."""
    if prompt is not None:
        return records[prompt] if prompt < len(records) else {}
    of_label = [record for record in records if record.get("label") == label]
    return of_label[0] if len(of_label) == 1 else {}
