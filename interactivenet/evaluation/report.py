"""The report of an evaluation: one HTML file that needs nothing else, and no network."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from interactivenet.system.files import write_text

Row = Mapping[str, Any]


class _Column(NamedTuple):
    """How a value is headed and written."""

    name: str
    title: str
    unit: str = ""
    digits: int | None = None


#: values of an object, in the order of the table; those no object has are left out
_COLUMNS = (
    _Column("subtype", "Subtype"),
    _Column("name", "Label"),
    _Column("prompt", "Prompt", "", 0),
    _Column("dice", "Dice", "", 3),
    _Column("expected_dice", "Expected Dice", "", 3),
    _Column("nsd", "NSD", "", 3),
    _Column("hd95", "HD95", "mm", 1),
    _Column("hd", "HD", "mm", 1),
    _Column("assd", "ASSD", "mm", 2),
    _Column("volume_prediction_ml", "Volume, predicted", "ml", 2),
    _Column("volume_label_ml", "Volume, label", "ml", 2),
    _Column("volume_difference_ml", "Volume difference", "ml", 2),
    _Column("diameter_axial_prediction_mm", "Axial diameter, predicted", "mm", 1),
    _Column("diameter_axial_label_mm", "Axial diameter, label", "mm", 1),
    _Column("diameter_3d_prediction_mm", "3D diameter, predicted", "mm", 1),
    _Column("diameter_3d_label_mm", "3D diameter, label", "mm", 1),
    _Column("agreement", "Agreement", "", 3),
)
_BY_NAME = {column.name: column for column in _COLUMNS}
#: what a table of groups shows
_OF_GROUPS = ("dice", "nsd", "hd95", "assd")
_CAPTIONS = {
    "distributions": "Every object as a point; boxes from the first to the third quartile, with "
    "the median.",
    "distributions_subtype": "The same by subtype.",
    "volumes": "Difference of predicted and label volume, with the 95 % limits of agreement.",
    "dice_volume": "Dice against the volume of the label.",
    "reliability": "Dice as expected without the label, against Dice as measured.",
}
#: base64 characters that all pictures together may take, and a single one at most
_PICTURES, _PICTURE = 12_000_000, 260_000
#: width in pixels and quality of WebP, tried in turn until a picture is small enough
_TRIED = ((1000, 82), (1000, 65), (860, 55), (720, 45), (560, 35), (400, 25))


def write_report(
    path: Path,
    *,
    title: str,
    rows: Sequence[Row],
    summary: Mapping[str, Any],
    failures: Mapping[str, str],
    figures: Sequence[Path],
    pictures: Mapping[str, Path],
    calibration: Mapping[str, Any] | None = None,
    tolerance_mm: float = 2.0,
) -> None:
    """Write the report of all objects as a self-contained HTML file.

    rows: one for each object; distances in mm, volumes in ml, None where undefined.
    summary: {"all": group, "labels": {name: group}, "subtypes": {name: group}}.
    failures: case -> reason.  figures: PNG files.  pictures: case -> PNG file, made smaller here.
    calibration: how well flags did in cross-validation.  tolerance_mm: of NSD.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["percent"] = lambda value: f"{100 * value:.0f} %"
    rows = [_shown(row) for row in rows]
    worst = sorted(rows, key=lambda row: (not _known(row["dice"]), row["dice"] or 0.0))
    columns = [
        column
        for column in _COLUMNS
        if any(row.get(column.name) not in (None, "") for row in rows)
        and not (column.name == "name" and len({row["name"] for row in rows}) == 1)
    ]
    # with their places in the table, to which they lead
    flagged = [(place, row) for place, row in enumerate(worst) if row.get("look")]
    flagged.sort(key=lambda one: (not _known(one[1]["expected_dice"]), one[1]["expected_dice"]))
    content = environment.get_template("report.html.j2").render(
        title=title,
        rows=worst,
        columns=columns,
        summary=summary,
        metrics=[_metric(name) for name in summary["all"]["metrics"]],
        of_groups=[_BY_NAME[name] for name in _OF_GROUPS if name in summary["all"]["metrics"]],
        failures=failures,
        figures=[
            (one.stem, _CAPTIONS.get(one.stem, one.stem.replace("_", " ")), _png(one))
            for one in figures
        ],
        pictures=_pictures(pictures, {row["case"] for row in rows}),
        calibration=calibration,
        flags=any(row.get("look") is not None for row in rows),
        flagged=flagged,
        here=_here(rows, calibration),
        tolerance=f"{tolerance_mm:g}",
    )
    write_text(path, content)


def _shown(row: Row) -> dict[str, Any]:
    """Name a label without name by its value, and count prompts from 1, as pictures do."""
    prompt = None if row["prompt"] is None else row["prompt"] + 1
    return {**row, "name": str(row["name"] or row["label"]), "prompt": prompt}


def _here(rows: Sequence[Row], calibration: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Count flagged, poor, both and all objects whose Dice and flag are known."""
    limit = calibration and calibration.get("poor_below")
    if not _known(limit):
        return None
    known = [
        (bool(row["look"]), row["dice"] < limit)
        for row in rows
        if _known(row["dice"]) and row.get("look") is not None
    ]
    return {
        "all": len(known),
        "flagged": sum(look for look, _ in known),
        "poor": sum(poor for _, poor in known),
        "both": sum(look and poor for look, poor in known),
    }


def _metric(name: str) -> _Column:
    """Head a metric of the summary; one unknown by its own name."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    words, _, last = name.rpartition("_")
    unit = last if words and last in ("mm", "ml") else ""
    return _Column(name, (words if unit else name).replace("_", " ").capitalize(), unit, 2)


def _known(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: Any, digits: int | None) -> str:
    """Write a number with so many decimals, text as it is, and a dash for nothing."""
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, str) or digits is None:
        return str(value)
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # + 0.0: no -0.00


def _pictures(pictures: Mapping[str, Path], cases: set[str]) -> dict[str, str]:
    """Return data URIs of the cases' pictures; those that cannot be read are left out."""
    chosen = {case: Path(picture) for case, picture in pictures.items() if case in cases}
    most = min(_PICTURE, _PICTURES // max(1, len(chosen)))
    made, start = {}, 0
    for case, picture in chosen.items():
        # pictures of one task are alike: what was too large for the last is not tried again
        uri, start = _smaller(picture, most, start)
        if uri:
            made[case] = uri
    return made


def _smaller(path: Path, most: int, start: int) -> tuple[str, int]:
    """Return a picture as a WebP data URI, of ``most`` characters where it can be, and its try."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except OSError:
        return "", start
    uri, place = "", start
    for place in range(start, len(_TRIED)):
        width, quality = _TRIED[place]
        height = max(1, round(picture.height * width / picture.width))
        small = picture if width >= picture.width else picture.resize((width, height))
        stream = io.BytesIO()
        small.save(stream, "WEBP", quality=quality, method=2)
        uri = _uri("webp", stream.getvalue())
        if len(uri) <= most:
            break
    return uri, place


def _png(path: Path) -> str:
    return _uri("png", path.read_bytes())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
