"""The text formats of prompts: each reads into, and is written from, named points in RAS+ mm."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.errors import DataError, NoPoints
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.prompt import NamedPoint
from interactivenet.system.files import read_json, read_text, write_json, write_text

_SLICER_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
_FCSV_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
_CSV_COLUMNS = ("name", "x", "y", "z", "system")
#: signs that turn coordinates of a system into RAS
_SIGNS = {"RAS": (1, 1, 1), "LPS": (-1, -1, 1)}


def read_grand_challenge(path: Path) -> list[NamedPoint]:
    """Read grand-challenge "Multiple points" JSON: LPS mm."""
    content = read_json(path)
    if isinstance(content, dict) and "markups" in content:
        return read_slicer(path)
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
    return [_named(name, position, "LPS") for name, position in points]


def write_grand_challenge(path: Path, points: Sequence[NamedPoint]) -> None:
    """Write grand-challenge "Multiple points" JSON: LPS mm."""
    _write_multiple_points(path, [(p.name, _in_system(p, "LPS")) for p in points])


def voxel_prompts(path: Path, image: Geometry) -> list[NamedPoint]:
    """Read ``{"points": [{"name", "point"}]}`` in voxel indices of the stored grid ``image``."""
    points = _points_of(read_json(path))
    world = image.voxel_to_world(np.array([_triple(position) for _, position in points]))
    return [
        NamedPoint(name, (x, y, z))
        for (name, _), (x, y, z) in zip(points, world.tolist(), strict=True)
    ]


def voxel_points_json(path: Path, points: Sequence[NamedPoint], image: Geometry) -> None:
    """Write points as whole voxel indices of the stored grid ``image``, without a type.

    The type is left out, so that the file cannot be mistaken for one in millimetres.
    """
    voxels = image.nearest_voxel(np.array([point.position for point in points])).tolist()
    entries = [
        {"name": point.name, "point": voxel} for point, voxel in zip(points, voxels, strict=True)
    ]
    write_json(path, {"coordinates": "voxel indices", "points": entries})


def read_slicer(path: Path) -> list[NamedPoint]:
    """Read 3D Slicer ``.mrk.json``: every control point that has been placed."""
    content = read_json(path)
    markups = content.get("markups") if isinstance(content, dict) else None
    if not isinstance(markups, list):
        raise DataError("is not a 3D Slicer markups file: it has no list 'markups'")
    points = []
    for index, markup in enumerate(markups):
        controls = markup.get("controlPoints", []) if isinstance(markup, dict) else None
        if not isinstance(controls, list) or not all(isinstance(c, dict) for c in controls):
            raise DataError("is not a 3D Slicer markups file: expected lists of control points")
        system = str(markup.get("coordinateSystem", "LPS")).upper()
        units = markup.get("coordinateUnits", "mm")
        units = units[0] if isinstance(units, list) and units else units
        if units not in ("mm", "millimeter"):
            raise DataError(f"has coordinate units {units!r}, expected mm")
        for control in controls:
            if control.get("positionStatus", "defined") == "defined":
                name = str(control.get("label", ""))
                points.append(_named(name, control.get("position"), system, index))
    return points


def write_slicer(path: Path, points: Sequence[NamedPoint]) -> None:
    """Write 3D Slicer ``.mrk.json``: one list of points in LPS mm, labelled by their names."""
    controls = [
        {
            "id": str(number),
            "label": point.name,
            "position": _in_system(point, "LPS"),
            "orientation": [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
            "selected": True,
            "locked": False,
            "visibility": True,
            "positionStatus": "defined",
        }
        for number, point in enumerate(points, start=1)
    ]
    markup = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": controls,
    }
    write_json(path, {"@schema": _SLICER_SCHEMA, "markups": [markup]})


def read_fcsv(path: Path) -> list[NamedPoint]:
    """Read 3D Slicer ``.fcsv``; its header must say the coordinate system."""
    system, points = "", []
    for number, row in enumerate(csv.reader(io.StringIO(_text(path))), start=1):
        if row and row[0].lstrip().startswith("#"):
            key, _, value = ",".join(row).lstrip("# ").partition("=")
            if key.strip() == "CoordinateSystem":
                system = {"0": "RAS", "1": "LPS"}.get(value.strip(), _system(value))
        elif row:
            if len(row) < 4:
                raise DataError(f"line {number} has {len(row)} columns, expected {_FCSV_COLUMNS}")
            name = row[11] if len(row) > 11 else ""
            points.append(_named(name, row[1:4], system))
    return points


def write_fcsv(path: Path, points: Sequence[NamedPoint]) -> None:
    """Write 3D Slicer ``.fcsv`` in LPS mm."""
    out = io.StringIO()
    out.write("# Markups fiducial file version = 5.0\n# CoordinateSystem = LPS\n")
    out.write(f"# columns = {_FCSV_COLUMNS}\n")
    writer = csv.writer(out, lineterminator="\n")
    for number, point in enumerate(points, start=1):
        place = [repr(value) for value in _in_system(point, "LPS")]
        writer.writerow([number, *place, 0, 0, 0, 1, 1, 1, 0, point.name, "", ""])
    write_text(path, out.getvalue())


def read_csv(path: Path) -> list[NamedPoint]:
    """Read CSV with the columns name, x, y, z (mm) and system (RAS or LPS), in any order."""
    table = csv.DictReader(io.StringIO(_text(path)), skipinitialspace=True)
    table.fieldnames = [(name or "").strip().lower() for name in table.fieldnames or ()]
    missing = set(_CSV_COLUMNS) - set(table.fieldnames)
    if missing:
        raise DataError(
            f"lacks the columns {', '.join(sorted(missing))}: expected"
            f" {','.join(_CSV_COLUMNS)}, where system is RAS or LPS (mm)"
        )
    return [
        _named(str(row["name"] or ""), [row["x"], row["y"], row["z"]], _system(row["system"]))
        for row in table
    ]


def write_csv(path: Path, points: Sequence[NamedPoint]) -> None:
    """Write CSV with the columns name, x, y, z, system; RAS mm."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for point in points:
        writer.writerow([point.name, *(repr(value) for value in point.position), "RAS"])
    write_text(path, out.getvalue())


READERS: dict[str, Callable[[Path], list[NamedPoint]]] = {
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


def _write_multiple_points(path: Path, points: Sequence[tuple[str, list[float]]]) -> None:
    content = {
        "version": {"major": 1, "minor": 0},
        "type": "Multiple points",
        "name": "interior margin points",
        "points": [{"name": name, "point": position} for name, position in points],
    }
    write_json(path, content)


def _named(name: str, position: Any, system: str, group: int = 0) -> NamedPoint:
    if system not in _SIGNS:
        stated = f"coordinate system '{system}'" if system else "no coordinate system"
        raise DataError(f"has {stated}, expected RAS or LPS")
    signs = _SIGNS[system]
    x, y, z = (value * sign + 0.0 for value, sign in zip(_triple(position), signs, strict=True))
    return NamedPoint(name, (x, y, z), group)


def _in_system(point: NamedPoint, system: str) -> list[float]:
    signs = _SIGNS[system]
    return [value * sign + 0.0 for value, sign in zip(point.position, signs, strict=True)]


def _system(text: str | None) -> str:
    return (text or "").strip().upper()


def _triple(position: Any) -> tuple[float, float, float]:
    try:
        x, y, z = (float(value) for value in position)
    except (TypeError, ValueError):
        raise DataError(f"has a point {position!r}, expected three numbers") from None
    if not all(math.isfinite(value) for value in (x, y, z)):
        raise DataError(f"has a point {position!r}, expected finite numbers")
    return x, y, z


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except UnicodeDecodeError as error:
        raise DataError(f"is not a text file: {error}") from error
