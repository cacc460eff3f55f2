"""The page of a measurement of corrections: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.evaluation.clicking import METHODS, MODEL
from interactivenet.evaluation.correction_measures import REACHED, WORSE
from interactivenet.evaluation.pages import page_template, png_uri
from interactivenet.metric_names import METRIC, TOLERANCE_MM
from interactivenet.system.files import write_text

#: how a measure of the clicks is shown: its key, its title, and decimals; None for a share
MEASURES: tuple[tuple[str, str, int | None], ...] = (
    ("auc", "area under Dice / clicks", 4),
    ("auc_nsd", "area under NSD / clicks", 4),
    ("noc90", f"clicks to a Dice of {REACHED:.2f}", 2),
    ("never", "objects that never reached it", 0),
    ("steps_worse", f"clicks that cost more than {WORSE:g} Dice", None),
    ("ended_worse", "objects that ended worse by more than that", None),
    ("heeded", "clicks heeded, with all before", None),
    ("seconds", "seconds a click, median", 3),
    ("seconds_90", "seconds a click, 90th percentile", 3),
)
#: the challenge's figures, in the same way
CHALLENGE = (
    ("dsc_auc", "CVPR 2025 DSC_AUC", 4),
    ("nsd_auc", "CVPR 2025 NSD_AUC", 4),
    ("dsc_final", "CVPR 2025 DSC_Final", 4),
    ("nsd_final", "CVPR 2025 NSD_Final", 4),
)


def measure_texts(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a line of text per measure of the clicks: its title, and its value of each method.

    The challenge's figures stand there where its robot clicked: they are no others'.
    """
    methods = [summary["methods"][method] for method in METHODS]
    lines = [(title, *(_text(one[key], digits) for one in methods))
             for key, title, digits in MEASURES]  # fmt: skip
    if summary["robot"] == "cvpr":
        lines += [(title, *(_text(one["cvpr"][key], digits) for one in methods))
                  for key, title, digits in CHALLENGE]  # fmt: skip
    return lines


def write_corrections_report(
    path: Path,
    *,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    failures: Mapping[str, str],
    figure: Path,
) -> None:
    """Write the page.

    rows, summary: as in :mod:`~interactivenet.evaluation.correction_measures`; not without rows.
    failures: case -> reason.  figure: PNG file.
    """
    model = [item for item in summary["curve"] if item["method"] == MODEL]
    brush = [item for item in summary["curve"] if item["method"] != MODEL]
    content = page_template("corrections.html.j2").render(
        title=title,
        summary=summary,
        steps=list(zip(model, brush, summary["over_brush"], strict=True)),
        figure=png_uri(figure),
        failures=failures,
        measures=measure_texts(summary),
        objects=_objects(rows),
        methods=METHODS,
        digits=METRIC["dice"].digits,
        tolerance=f"{TOLERANCE_MM:g}",
        worse=WORSE,
    )
    write_text(path, content)


def _objects(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the model's objects with their Dice after each number of clicks, least gain first."""
    objects: dict[tuple[str, int], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: int(row["clicks"])):
        if row["method"] == MODEL:
            empty = {"case": row["case"], "name": row["name"] or str(row["label"]), "dice": []}
            objects.setdefault((row["case"], row["prompt"]), empty)["dice"].append(row["dice"])
    for item in objects.values():
        item["gain"] = item["dice"][-1] - item["dice"][0]
    return sorted(objects.values(), key=lambda item: float(item["gain"]))


def _text(value: float | None, digits: int | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" if digits is None else f"{value:.{digits}f}"
