"""The formats of 3D Slicer: ``.mrk.json``, ``.fcsv``, and its table of control points.

Only points that Slicer calls defined were placed; others are left out, and named. A point whose
description is ``+``, ``-``, ``positive`` or ``negative`` is a correction.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from interactivenet.errors import DataError
from interactivenet.prompts.coordinates import in_system, named_point, system_of, text_of
from interactivenet.prompts.point_names import NamedPoint, NamedPoints, sign_of_text
from interactivenet.system.files import read_json, write_json, write_text

_SLICER_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
_FCSV_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
#: Slicer 5 adds a column for the status, without naming it in the file's header
_FCSV_LABEL, _FCSV_DESCRIPTION, _FCSV_STATUS = 11, 12, 14
_STATUS = {"0": "undefined", "1": "preview", "2": "defined", "3": "missing"}
_DEFINED = "defined"
#: of points that are positive corrections, negative ones, or none
_DESCRIPTIONS = {True: "positive", False: "negative", None: ""}
_YES, _NO = ("1", "true", "yes"), ("0", "false", "no")
_TABLES = {"RAS": ("r", "a", "s"), "LPS": ("l", "p", "s")}


def read_slicer(path: Path) -> NamedPoints:
    """Read 3D Slicer ``.mrk.json``: every control point that has been placed, of every list."""
    content = read_json(path)
    markups = content.get("markups") if isinstance(content, dict) else None
    if not isinstance(markups, list):
        raise DataError("is not a 3D Slicer markups file: it has no list 'markups'")
    points: list[NamedPoint] = []
    left_out: list[tuple[str, str]] = []
    for index, markup in enumerate(markups):
        controls = markup.get("controlPoints", []) if isinstance(markup, dict) else None
        if not isinstance(controls, list) or not all(isinstance(c, dict) for c in controls):
            raise DataError("is not a 3D Slicer markups file: expected lists of control points")
        system = system_of(str(markup.get("coordinateSystem", "LPS")))
        lists = (str(markup["name"]),) if markup.get("name") else ()
        units = markup.get("coordinateUnits", "mm")
        units = units[0] if isinstance(units, list) and units else units
        if units not in ("mm", "millimeter"):
            raise DataError(f"has coordinate units {units!r}, expected mm")
        for control in controls:
            name, status = str(control.get("label", "")), control.get("positionStatus", _DEFINED)
            if status == _DEFINED:
                positive = sign_of_text(control.get("description"))
                points.append(
                    named_point(name, control.get("position"), system, index, lists, positive)
                )
            else:
                left_out.append((name, str(status)))
    return NamedPoints(points, _left_out(left_out))


def write_slicer(path: Path, points: Sequence[NamedPoint]) -> None:
    """Write 3D Slicer ``.mrk.json``: one list of points in LPS mm, labelled by their names."""
    controls = [
        {
            "id": str(number),
            "label": point.name,
            "position": in_system(point, "LPS"),
            "orientation": [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
            "selected": True,
            "locked": False,
            "visibility": True,
            "positionStatus": "defined",
            "description": _DESCRIPTIONS[point.positive],
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


def read_fcsv(path: Path) -> NamedPoints:
    """Read 3D Slicer ``.fcsv``; its header must say the coordinate system."""
    system = ""
    points: list[NamedPoint] = []
    left_out: list[tuple[str, str]] = []
    for number, row in enumerate(csv.reader(io.StringIO(text_of(path))), start=1):
        if row and row[0].lstrip().startswith("#"):
            key, _, value = ",".join(row).lstrip("# ").partition("=")
            if key.strip() == "CoordinateSystem":
                system = {"0": "RAS", "1": "LPS"}.get(value.strip(), system_of(value))
        elif row:
            if len(row) < 4:
                raise DataError(f"line {number} has {len(row)} columns, expected {_FCSV_COLUMNS}")
            name = row[_FCSV_LABEL] if len(row) > _FCSV_LABEL else ""
            stated = row[_FCSV_STATUS].strip() if len(row) > _FCSV_STATUS else ""
            if stated and stated not in _STATUS:
                raise DataError(
                    f"line {number} has the status '{stated}', expected 0 (undefined), 1 (preview),"
                    " 2 (defined) or 3 (missing)"
                )
            if stated and _STATUS[stated] != _DEFINED:
                left_out.append((name, _STATUS[stated]))
            else:
                said = row[_FCSV_DESCRIPTION] if len(row) > _FCSV_DESCRIPTION else ""
                points.append(named_point(name, row[1:4], system, positive=sign_of_text(said)))
    return NamedPoints(points, _left_out(left_out))


def write_fcsv(path: Path, points: Sequence[NamedPoint]) -> None:
    """Write 3D Slicer ``.fcsv`` in LPS mm."""
    out = io.StringIO()
    out.write("# Markups fiducial file version = 5.0\n# CoordinateSystem = LPS\n")
    out.write(f"# columns = {_FCSV_COLUMNS}\n")
    writer = csv.writer(out, lineterminator="\n")
    for number, point in enumerate(points, start=1):
        place = [repr(value) for value in in_system(point, "LPS")]
        said = _DESCRIPTIONS[point.positive]
        writer.writerow([number, *place, 0, 0, 0, 1, 1, 1, 0, point.name, said, ""])
    write_text(path, out.getvalue())


def table_system(columns: Sequence[str]) -> str:
    """Return the coordinate system of a table of control points by its columns, '' for none."""
    systems = (system for system, names in _TABLES.items() if set(names) <= set(columns))
    return next(systems, "")


def read_table(table: Iterable[Mapping[str, str | None]], system: str) -> NamedPoints:
    """Read the table of control points that Slicer's Markups module exports.

    table: its rows, by the columns' names in small letters.
    """
    points: list[NamedPoint] = []
    left_out: list[tuple[str, str]] = []
    for row in table:
        name, stated = row["label"] or "", (row.get("defined") or "").strip().lower()
        if stated in _NO:
            left_out.append((name, "not defined"))
        elif stated and stated not in _YES:
            raise DataError(f"has '{stated}' in the column 'defined', expected 1 or 0")
        else:
            position = [row[axis] for axis in _TABLES[system]]
            positive = sign_of_text(row.get("description"))
            points.append(named_point(name, position, system, positive=positive))
    return NamedPoints(points, _left_out(left_out))


def _left_out(points: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Say which points were left out; points: the name of each, and the status of its position."""
    if not points:
        return ()
    named = ", ".join(f"{name or 'a point'} ({status})" for name, status in points[:8])
    more = f" and {len(points) - 8} more" if len(points) > 8 else ""
    verb = "was" if len(points) == 1 else "were"
    return (f"{named}{more} {verb} left out: only points whose position is defined count",)
