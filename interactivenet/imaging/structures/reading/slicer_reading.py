"""Segmentations as 3D Slicer saves them (.seg.nrrd), as label maps.

A segment is a value in a layer; layers are the file's fourth axis, which comes first. What a
segment is called, and which value in which layer it has, stands in the header: ``Segment0_Name``,
``Segment0_LabelValue``, ``Segment0_Layer``. Slicer numbers the values as it likes, so the names
count where they are known. The array is cut to the segments; its place is the header's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.nrrd import axes_of_space, grid_of, read_header, read_voxels
from interactivenet.system.files import open_regular

_FIELD = re.compile(rb"Segment(\d+)_(Name|LabelValue|Layer):=([^\r\n]*)")
#: names that Slicer, or a person in a hurry, gives to a segment: they say nothing
_NAMELESS = re.compile(r"(segment|label|mask)?[ _-]?\d*", re.IGNORECASE)


@dataclass(frozen=True)
class Segment:
    """A segment of a file: its name, its layer, and its value there."""

    name: str
    layer: int
    value: int


def read_segments(path: Path) -> tuple[Segment, ...]:
    """Read the segments that a NRRD header lists; none where it is no segmentation of Slicer's."""
    header, at = read_header(path)
    with open_regular(path) as file:
        text = file.read(at)
    fields: dict[int, dict[str, str]] = {}
    for number, field, value in _FIELD.findall(text):  # pynrrd would drop what is not ASCII
        fields.setdefault(int(number), {})[field.decode()] = value.decode("utf-8", "replace")
    is_layered = int(header.get("dimension", 3)) > 3
    try:
        return tuple(
            Segment(
                entry.get("Name", "").strip(),
                # files of Slicer before 4.11 have neither: a layer of 0 and 1 for each segment
                int(entry.get("Layer", place if is_layered else 0)),
                int(entry.get("LabelValue", 1)),
            )
            for place, (_, entry) in enumerate(sorted(fields.items()))
        )
    except ValueError as error:
        raise DataError(f"has a segment whose layer or value is no number: {error}") from error


def read_segmentation(
    path: Path, segments: Sequence[Segment], names: Mapping[int, str] | None
) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read a segmentation as a label map: array (X, Y, Z) as stored, grid, notes.

    names: label values and their names, which the segments are matched with; None where unknown.
    """
    header, at = read_header(path)
    space = axes_of_space(header)
    layers = read_voxels(path, header, at)
    if len(space) != 3 or layers.ndim > 4:
        raise DataError(f"has {layers.ndim} axes, expected 3, or 4 for a segmentation of layers")
    geometry, notes = grid_of(path, header, space)
    lists = [axis for axis in range(layers.ndim) if axis not in space]
    layers = np.moveaxis(layers, lists, range(len(lists))).reshape(-1, *geometry.shape)
    if layers[0].size == 1:  # Slicer's way to save a segmentation that has none
        raise DataError("is a segmentation without voxels, expected segments")
    values, matched = match_segments(segments, names)
    array = np.zeros(geometry.shape, np.min_scalar_type(max([*values, 0])))
    unlisted = layers != 0
    filled = []
    for segment, value in zip(segments, values, strict=True):
        if not 0 <= segment.layer < len(layers):
            raise DataError(
                f"has segment '{segment.name}' in layer {segment.layer} of {len(layers)}"
            )
        mask = layers[segment.layer] == segment.value
        unlisted[segment.layer] &= ~mask
        covered = np.count_nonzero(array[mask])
        if covered:
            notes += (
                f"{covered} voxels of segment '{segment.name}' are in others, too: they are read as"
                f" {_label(value, names)}, as the last one in the list lies above",
            )
        if mask.any():
            filled.append((segment.name, value))
        array[mask] = value
    if unlisted.any():
        raise DataError(
            f"has {np.count_nonzero(unlisted)} voxels of values that its header lists no segment"
            " for"
        )
    left = set(np.unique(array).tolist())
    for name, value in filled:
        if value not in left:
            raise DataError(
                f"has nothing left of segment '{name}', which lies under others: a label map has"
                " one label per voxel"
            )
    return array, geometry, (*notes, *matched)


def match_segments(
    segments: Sequence[Segment], names: Mapping[int, str] | None
) -> tuple[list[int], tuple[str, ...]]:
    """Find the label value of each segment, and say what was not matched by name.

    By name where names are known and one of them is a segment's, in any case; else by value. A
    segment with a name of its own is not taken for a label of another name where others match.
    Raises DataError where two segments would be one label, or one is none.
    """
    if names is None:
        values = [segment.value for segment in segments]
        if len(set(values)) == len(values):
            return values, ()
        numbered = ", ".join(f"{n}={segment.name}" for n, segment in enumerate(segments, 1))
        return list(range(1, len(segments) + 1)), (
            f"its segments have values of layers of their own: they are numbered, {numbered}",
        )
    by_name = {name.strip().casefold(): value for value, name in names.items()}
    labels = ", ".join(f"{value}={name}" for value, name in names.items())
    named = any(segment.name.casefold() in by_name for segment in segments)
    values, notes = [], []
    for segment in segments:
        value = by_name.get(segment.name.casefold())
        if value is None:
            says_nothing = _NAMELESS.fullmatch(segment.name)
            if segment.value not in names or (named and not says_nothing):
                raise DataError(
                    f"has a segment '{segment.name}' (value {segment.value}), expected one of the"
                    f" labels {labels}"
                )
            value = segment.value
            notes.append(
                f"its segment '{segment.name}' has the name of no label: it is taken as"
                f" {_label(value, names)} by its value"
            )
        if value in values:
            other = segments[values.index(value)].name
            raise DataError(
                f"has two segments for the label {_label(value, names)}, '{other}' and"
                f" '{segment.name}': name them as the labels {labels}"
            )
        values.append(value)
    return values, tuple(notes)


def _label(value: int, names: Mapping[int, str] | None) -> str:
    name = names.get(value, "") if names else ""
    return f"{value}={name}" if name else str(value)
