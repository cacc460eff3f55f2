"""From the record and the maps of a segmented case to its structures, as writers get them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.errors import DataError, naming
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.io import AS_IT_IS, WRITABLE, ReadOptions, read_label
from interactivenet.imaging.structures.codes import StructureCodes
from interactivenet.imaging.structures.structure import Structure, StructureSet
from interactivenet.imaging.volume import Volume
from interactivenet.inference.model_record import LABELS, MODEL
from interactivenet.inference.outputs import OBJECTS
from interactivenet.models.bundle_codes import CODES
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import sha256
from interactivenet.system.written import WrittenFiles

#: in an object of a record of the viewer's, by what its outline was made last
_MADE_BY, _PERSON = "made_by", "person"
#: characters of a series description
_LONGEST = 64


@dataclass(frozen=True, eq=False)
class OutlinedCase:
    """What was outlined in a case.

    record: its ``CASE.json``.  map: (X, Y, Z) along RAS+, 1 + the number of an object.  grid: the
    stored grid that it lies on.  digests: SHA-256 of the files that it was read from.
    """

    case: str
    record: Mapping[str, Any]
    map: Array
    grid: Geometry
    digests: tuple[str, ...]

    @property
    def objects(self) -> Sequence[Mapping[str, Any]]:
        """What the record says of each object."""
        return objects_of(self.record)


@dataclass(frozen=True)
class Naming:
    """What a user says of labels.

    names: value -> name, in place of a record's.  codes: name -> what it is, likewise.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    codes: Mapping[str, StructureCodes] = field(default_factory=dict)


def objects_of(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the objects of a record; raises DataError, naming the field, where one is no such."""
    objects = field_of_kind(record.get("objects"), list, "objects")
    return [
        fields_of_kinds(each, {"label": int}, f"objects[{number}]", whole=True)
        for number, each in enumerate(objects)
    ]


def label_name(record: Mapping[str, Any], value: int, names: Mapping[int, str]) -> str:
    """Return the name of a label: the user's, the record's, or that of the first object of it.

    Raises DataError where nobody has said it.
    """
    if value in names:
        return names[value]
    recorded = record.get(LABELS)
    if isinstance(recorded, dict) and isinstance(name := recorded.get(str(value)), str) and name:
        return name
    for each in objects_of(record):
        if each["label"] == value and isinstance(name := each.get("name"), str) and name:
            return name
    raise DataError(
        f"label {value} has no name in its record", remedy=f"give one, `names=('{value}=tumour',)`"
    )


def read_outlined(
    folder: Path, case: str, record: Mapping[str, Any], reading: ReadOptions = AS_IT_IS
) -> OutlinedCase:
    """Read the maps of a case; nothing else is in the files than when they were written.

    folder: of the record.  reading: how its image was read.
    Raises DataError, naming the file, where there is no label map, where somebody has changed it
    since, and where it does not fit the record.
    """
    files = WrittenFiles.of_record(
        folder, record, [folder / f"{case}{suffix}" for suffix in WRITABLE]
    )
    path = _map_of(folder, case, files)
    if path is None:
        raise DataError(f"{folder / f'{case}.json'}: has no label map beside it")
    objects = objects_of(record)
    labels = [each["label"] for each in objects]
    read = [path]
    label = _read(path, files, reading)
    if len(set(labels)) == len(labels):
        numbers = _numbered(label.array[0], labels, path)
    else:
        of_objects = _map_of(folder / OBJECTS, case, files)
        if of_objects is None:
            raise DataError(
                f"{path}: several objects share a label, and the map that tells them apart,"
                f" {folder / OBJECTS / case}, is missing"
            )
        read.append(of_objects)
        instances = _read(of_objects, files, reading)
        numbers = instances.array[0]
        same = numbers.shape == label.array[0].shape and int(numbers.max(initial=0)) <= len(labels)
        values = np.array([0, *labels])
        if not same or not np.array_equal(values[numbers], label.array[0]):
            raise DataError(f"{of_objects}: its objects are not those of {path}")
    digests = tuple(map(sha256, read))
    return OutlinedCase(case, record, numbers, label.source, digests)


def structures_of(
    outlined: OutlinedCase, series_uid: str, naming_of: Naming
) -> tuple[StructureSet, list[str]]:
    """Return the structures of a case that have a voxel, and notes on what else there is.

    series_uid: of the series that they were outlined on, or what else tells scans apart.  They
    come in the order of their labels. Raises DataError where a label has no name, or the record's
    codes cannot be read.
    """
    from pydicom.uid import generate_uid

    record, notes = outlined.record, list[str]()
    objects = outlined.objects
    codes = {**_recorded_codes(record), **naming_of.codes}
    present = {*np.unique(outlined.map).tolist()}
    labels = [label_name(record, each["label"], naming_of.names) for each in objects]
    shared, seen = Counter(labels), Counter[str]()
    structures: list[Structure] = []
    empty: list[str] = []
    for index in sorted(range(len(objects)), key=lambda index: (objects[index]["label"], index)):
        each, label = objects[index], labels[index]
        seen[label] += 1
        name = f"{label} {seen[label]}" if shared[label] > 1 else label
        if index + 1 not in present:
            empty.append(name)
            continue
        dice = each.get("expected_dice")
        structures.append(
            Structure(
                number=index + 1, name=name, label=label,
                codes=codes.get(label) or _default_codes(label),
                tracking_uid=str(generate_uid(entropy_srcs=[series_uid, label, str(seen[label])])),
                is_manual=each.get(_MADE_BY) == _PERSON,
                expected_dice=float(dice) if isinstance(dice, (int, float)) else None,
            )
        )  # fmt: skip
    if empty and structures:
        notes.append(f"not a voxel was outlined of {', '.join(empty)}: not in the files")
    model = record.get(MODEL)
    name, digest = (
        (str(model.get("name", "")), str(model.get("digest", "")))
        if isinstance(model, dict)
        else ("", "")
    )
    whole = StructureSet(
        outlined.map, outlined.grid, tuple(structures), name, digest,
        _described(name, structures),
    )  # fmt: skip
    return whole, notes


def _described(model: str, structures: Sequence[Structure]) -> str:
    """Describe structures for people: the least Dice that is expected, where it is of all."""
    text = f"InteractiveNet {model}".strip()
    known = [each.expected_dice for each in structures if each.expected_dice is not None]
    if known and len(known) == len(structures):
        dice = f", expected Dice {min(known):.2f}"
        text = text[: _LONGEST - len(dice)] + dice
    return text[:_LONGEST]


def _map_of(folder: Path, case: str, files: WrittenFiles) -> Path | None:
    """Return a map of a case among the files of its record; those of all formats are the same."""
    known = set(files.paths)
    paths = [folder / f"{case}{suffix}" for suffix in WRITABLE]
    return next((path for path in paths if path in known and path.is_file()), None)


def _read(path: Path, files: WrittenFiles, reading: ReadOptions) -> Volume:
    if not files.is_own(path):
        raise DataError(
            f"{path}: was changed since this program wrote it, so that its record says nothing of"
            " it: it cannot be exported",
            remedy="segment the case again, or save it in the viewer",
        )
    return read_label(path, reading)


def _numbered(label: Array, labels: Sequence[int], path: Path) -> Array:
    """Return 1 + the number of the object for each voxel of a label map."""
    values = np.unique(label)
    if others := sorted({*values.tolist()} - {0, *labels}):
        raise DataError(f"{path}: has the label {others[0]}, of which its record has no object")
    numbers = np.zeros(label.shape, np.uint16)
    for index, value in enumerate(labels):
        numbers[label == value] = index + 1
    return numbers


def _recorded_codes(record: Mapping[str, Any]) -> dict[str, StructureCodes]:
    content = record.get(CODES)
    if content is None:
        return {}
    from interactivenet.imaging.structures.code_files import parse_codes

    with naming(f"field {CODES}"):
        return parse_codes(content, list(content) if isinstance(content, dict) else [])


def _default_codes(label: str) -> StructureCodes:
    from interactivenet.imaging.structures.code_tables import codes_of

    return codes_of(label)


def labels_in(record: Mapping[str, Any]) -> list[str]:
    """Return the names of labels that a record says, of the model and of the objects."""
    recorded = record.get(LABELS)
    names = list(recorded.values()) if isinstance(recorded, dict) else []
    objects = record.get("objects")
    names += [each.get("name") for each in objects] if isinstance(objects, list) else []
    return [name for name in dict.fromkeys(names) if isinstance(name, str) and name]
