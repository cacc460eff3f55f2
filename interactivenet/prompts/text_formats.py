"""The text formats of prompts: each reads into, and is written from, named points in RAS+ mm."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.errors import DataError, NoPoints
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.coordinates import (
    coordinates,
    depth_of,
    depth_points_of,
    in_system,
    named_point,
    system_of,
    text_of,
)
from interactivenet.prompts.corrections import BACKGROUND
from interactivenet.prompts.point_names import (
    NamedPoint,
    NamedPoints,
    Position,
    sign_of_text,
)
from interactivenet.prompts.slicer_formats import (
    read_fcsv,
    read_slicer,
    read_table,
    table_system,
    write_fcsv,
    write_slicer,
)
from interactivenet.system.files import read_json, write_json, write_text

_CSV_COLUMNS = ("name", "x", "y", "z", "system")
#: what this program calls the points that it writes
_NAME = "interior margin points"
_WHOLE = (
    "all points are whole numbers, as autoPET's clicks in voxel indices are: taken as LPS mm, as"
    " the file's type says (`convert_prompts(voxels_in=True)` reads voxel indices)"
)


def read_grand_challenge(path: Path) -> NamedPoints:
    """Read grand-challenge "Multiple points" or "Point" JSON: LPS mm."""
    content = read_json(path)
    if isinstance(content, dict) and "markups" in content:
        return read_slicer(path)
    if isinstance(content, dict) and content.get("type") == "Point" and "points" not in content:
        content = {**content, "type": "Multiple points", "points": [content]}
    if _are_clicks(content):
        raise DataError(
            "holds clicks as autoPET has them, in voxel indices, expected 'Multiple points' (points"
            " in LPS mm); voxel indices are read with `voxels=True` only"
        )
    points = _points_of(content)
    kind = content.get("type")
    if kind != "Multiple points":
        raise DataError(
            f"has type {kind!r}, expected 'Multiple points' (points in LPS mm);"
            " voxel indices are read with `voxels=True` only"
        )
    version = content.get("version", {})
    if not isinstance(version, dict) or version.get("major") != 1:
        raise DataError(f"has version {version!r}, expected major version 1")
    named = [named_point(name, position, "LPS") for name, position in points]
    whole = all(value == round(value) for point in named for value in point.position)
    foreign = content.get("name") != _NAME  # else this program wrote it, in mm
    clicks = foreign and any(name.strip().casefold() == BACKGROUND for name, _ in points)
    notes = (_WHOLE,) if whole and clicks else ()
    stated = depth_points_of(content)
    lay = stated and [named_point("", position, "LPS").position for position in stated]
    return NamedPoints(named, notes, depth_of(content), lay)


def write_grand_challenge(
    path: Path,
    points: Sequence[NamedPoint],
    depth_mm: tuple[float, float, float] | None = None,
    depth_points: Sequence[Position] = (),
) -> None:
    """Write grand-challenge "Multiple points" JSON: LPS mm.

    depth_mm: how deep the margin points lie, along R, A, S; None to leave it out.  depth_points:
    where these lie, RAS+ mm, which shows whether they were moved since. Both are keys of our own.
    """
    content: dict[str, Any] = {
        "version": {"major": 1, "minor": 0},
        "type": "Multiple points",
        "name": _NAME,
        "points": [{"name": p.name, "point": in_system(p, "LPS")} for p in points],
    }
    if depth_mm is not None:
        content["depth_mm"] = list(depth_mm)
        content["depth_points"] = [in_system(NamedPoint("", at), "LPS") for at in depth_points]
    write_json(path, content)


def voxel_prompts(path: Path, image: Geometry) -> NamedPoints:
    """Read points in voxel indices of the stored grid ``image``.

    ``{"points": [{"name", "point"}]}``, as grand-challenge sends them, or ``{"tumor": [[i, j, k],
    ...], "background": [...]}``, as autoPET keeps them.
    """
    content = read_json(path)
    if _are_clicks(content):
        points = [(name, position) for name, clicks in content.items() for position in clicks]
        if not points:
            raise NoPoints("holds no points")
    else:
        points = _points_of(content)
    world = image.voxel_to_world(np.array([coordinates(position) for _, position in points]))
    stated = depth_points_of(content)
    lay = stated and [(x, y, z) for x, y, z in image.voxel_to_world(np.array(stated)).tolist()]
    return NamedPoints(
        [
            NamedPoint(name, (x, y, z))
            for (name, _), (x, y, z) in zip(points, world.tolist(), strict=True)
        ],
        depth_mm=depth_of(content),
        depth_points=lay,
    )


def voxel_points_json(path: Path, points: Sequence[NamedPoint], image: Geometry) -> None:
    """Write points as whole voxel indices of the stored grid ``image``, without a type.

    The type is left out, so that the file cannot be mistaken for one in millimetres.
    """
    voxels = image.nearest_voxel(np.array([point.position for point in points])).tolist()
    entries = [
        {"name": point.name, "point": voxel} for point, voxel in zip(points, voxels, strict=True)
    ]
    write_json(path, {"coordinates": "voxel indices", "points": entries})


def read_csv(path: Path) -> NamedPoints:
    """Read CSV with the columns name, x, y, z (mm) and system (RAS or LPS), in any order.

    A column ``correction`` may hold ``+`` or ``-``; where it is empty, names alone decide. Or the
    table of control points of 3D Slicer, which has the columns label and r, a, s or l, p, s.
    """
    table = csv.DictReader(io.StringIO(text_of(path)), skipinitialspace=True)
    table.fieldnames = [(name or "").strip().lower() for name in table.fieldnames or ()]
    if "label" in table.fieldnames and (system := table_system(table.fieldnames)):
        return read_table(table, system)
    missing = set(_CSV_COLUMNS) - set(table.fieldnames)
    if missing:
        raise DataError(
            f"lacks the columns {', '.join(sorted(missing))}: expected"
            f" {','.join(_CSV_COLUMNS)}, where system is RAS or LPS (mm), or the columns of a table"
            " of 3D Slicer: label,r,a,s or label,l,p,s"
        )
    return NamedPoints(
        [
            named_point(str(row["name"] or ""), [row["x"], row["y"], row["z"]],
                        system_of(row["system"]), positive=_correction(row.get("correction")))
            for row in table
        ]
    )  # fmt: skip


def _correction(text: str | None) -> bool | None:
    """Return what the column ``correction`` makes of a point."""
    positive = sign_of_text(text)
    if positive is None and (text or "").strip():
        raise DataError(f"has '{text}' in the column 'correction', expected +, - or nothing")
    return positive


def write_csv(path: Path, points: Sequence[NamedPoint]) -> None:
    """Write CSV with the columns name, x, y, z, system; RAS mm."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for point in points:
        writer.writerow([point.name, *(repr(value) for value in point.position), "RAS"])
    write_text(path, out.getvalue())


READERS: dict[str, Callable[[Path], NamedPoints]] = {
    ".json": read_grand_challenge,
    ".mrk.json": read_slicer,
    ".fcsv": read_fcsv,
    ".csv": read_csv,
}
WRITERS: dict[str, Callable[[Path, Sequence[NamedPoint]], None]] = {
    ".json": write_grand_challenge,
    ".mrk.json": write_slicer,
    ".fcsv": write_fcsv,
    ".csv": write_csv,
}


def _points_of(content: Any) -> list[tuple[str, Any]]:
    entries = content.get("points") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and "point" in entry for entry in entries
    ):
        raise DataError('holds no list of points: expected "points": [{"name", "point"}, ...]')
    if not entries:
        raise NoPoints("holds no points")
    return [(str(entry.get("name") or ""), entry["point"]) for entry in entries]


def _are_clicks(content: Any) -> bool:
    """Whether JSON is a list of positions for every name, as autoPET keeps clicks."""
    return (
        isinstance(content, dict)
        and bool(content)
        and "points" not in content
        and all(
            isinstance(positions, list) and all(isinstance(each, list) for each in positions)
            for positions in content.values()
        )
    )
