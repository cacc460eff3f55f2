"""The report of an evaluation: one HTML file that needs nothing else, and no network."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from interactivenet.errors import DataError
from interactivenet.evaluation.pages import data_uri, is_number, page_template, png_uri
from interactivenet.metric_names import METRIC, METRICS, TOLERANCE_MM
from interactivenet.system.files import check_regular, write_text

Row = Mapping[str, Any]


class _Column(NamedTuple):
    """A column of the table of objects; metrics have :class:`MetricInfo` of the same fields.

    digits: decimals of a number; None for text.
    """

    name: str
    title: str
    unit: str = ""
    digits: int | None = None


#: values of an object, in the order of the table; those that no object has are left out
_COLUMNS = (
    _Column("subtype", "Subtype"),
    _Column("name", "Label"),
    _Column("prompt", "Prompt", "", 0),
    METRIC["dice"],
    METRIC["expected_dice"],
    *METRICS[1:],
    METRIC["agreement"],
    _Column("points_inside", "Points in the mask", "", 0),
    _Column("untouched_components", "Parts without a point", "", 0),
)
#: what a table of groups shows
_OF_GROUPS = ("dice", "nsd", "hd95", "assd")
#: figures by their names -> what they show
CAPTIONS = {
    "distributions": "Every object as a point; boxes from the first to the third quartile, with "
    "the median.",
    "distributions_subtype": "The same by subtype.",
    "volumes": "Difference of predicted and label volume, with the 95 % limits of agreement.",
    "dice_volume": "Dice against the volume of the label.",
    "reliability": "Expected Dice, estimated without the label, against measured Dice.",
}
#: base64 characters that all pictures together may take, and a single one at most
_PICTURES, _PICTURE = 12_000_000, 260_000
#: width in pixels and quality of WebP, tried in turn until a picture is small enough
_ENCODINGS = ((1000, 82), (1000, 65), (860, 55), (720, 45), (560, 35), (400, 25))


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
    tolerance_mm: float = TOLERANCE_MM,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write the report of all objects as a self-contained HTML file.

    rows: one for each object; distances in mm, volumes in ml, None where undefined.
    summary: {"all": group, "labels": {name: group}, "subtypes": {name: group}}.
    failures: case -> reason.  notes: case -> what is doubtful about its files.
    figures: PNG files.  pictures: case -> PNG file, made smaller here.
    calibration: how well flags did in cross-validation.  tolerance_mm: of NSD.
    """
    rows = [_displayed(row) for row in rows]
    worst = sorted(rows, key=lambda row: (not is_number(row["dice"]), row["dice"] or 0.0))
    columns = [
        column
        for column in _COLUMNS
        if any(row.get(column.name) not in (None, "") for row in rows)
        and not (column.name == "name" and len({row["name"] for row in rows}) == 1)
    ]
    # with their places in the table, to which they lead
    flagged = [(place, row) for place, row in enumerate(worst) if row.get("look")]
    flagged.sort(key=lambda item: _doubt(item[1]))
    content = page_template("report.html.j2").render(
        title=title,
        rows=worst,
        columns=columns,
        summary=summary,
        metrics=[METRIC[name] for name in summary["all"]["metrics"]],
        of_groups=[METRIC[name] for name in _OF_GROUPS if name in summary["all"]["metrics"]],
        failures=failures,
        notes=notes or {},
        figures=[
            (figure.stem, CAPTIONS.get(figure.stem, figure.stem.replace("_", " ")), png_uri(figure))
            for figure in figures
        ],
        pictures=_pictures(pictures, {row["case"] for row in rows}),
        calibration=calibration,
        flags=any(row.get("look") is not None for row in rows),
        flagged=flagged,
        flag_counts=_flag_counts(rows, calibration),
        dice_digits=METRIC["dice"].digits,
        tolerance=f"{tolerance_mm:g}",
    )
    write_text(path, content)


def _displayed(row: Row) -> dict[str, Any]:
    """Name a label without name by its value, and count prompts from 1, as pictures do."""
    prompt = None if row["prompt"] is None else row["prompt"] + 1
    return {**row, "name": str(row["name"] or row["label"]), "prompt": prompt}


def _doubt(row: Row) -> tuple[bool, float]:
    """Key by which flagged objects are sorted: the lowest expected Dice first."""
    return not is_number(row["expected_dice"]), row["expected_dice"] or 0.0


def _flag_counts(
    rows: Sequence[Row], calibration: Mapping[str, Any] | None
) -> dict[str, int] | None:
    """Count flagged, poor, both and all objects whose Dice and flag are known."""
    limit = calibration and calibration.get("poor_below")
    if not is_number(limit):
        return None
    flagged_poor = [
        (bool(row["look"]), row["dice"] < limit)
        for row in rows
        if is_number(row["dice"]) and row.get("look") is not None
    ]
    return {
        "all": len(flagged_poor),
        "flagged": sum(flagged for flagged, _ in flagged_poor),
        "poor": sum(poor for _, poor in flagged_poor),
        "both": sum(flagged and poor for flagged, poor in flagged_poor),
    }


def _pictures(pictures: Mapping[str, Path], cases: set[str]) -> dict[str, str]:
    """Return data URIs of the cases' pictures; those that cannot be read are left out."""
    paths = {case: Path(picture) for case, picture in pictures.items() if case in cases}
    limit = min(_PICTURE, _PICTURES // max(1, len(paths)))
    uris, start = {}, 0
    for case, path in paths.items():
        # pictures of one task are alike: what was too large for the last is not tried again
        uri, start = _smaller(path, limit, start)
        if uri:
            uris[case] = uri
    return uris


def _smaller(path: Path, limit: int, start: int) -> tuple[str, int]:
    """Return a picture as a WebP data URI, within ``limit`` characters where possible.

    start: place of the first of the encodings to try. Returns that of the last one, too.
    """
    from PIL import Image

    try:
        check_regular(path)
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, DataError):
        return "", start
    uri, place = "", start
    for place in range(start, len(_ENCODINGS)):
        width, quality = _ENCODINGS[place]
        height = max(1, round(picture.height * width / picture.width))
        small = picture if width >= picture.width else picture.resize((width, height))
        stream = io.BytesIO()
        small.save(stream, "WEBP", quality=quality, method=2)
        uri = data_uri("webp", stream.getvalue())
        if len(uri) <= limit:
            break
    return uri, place
