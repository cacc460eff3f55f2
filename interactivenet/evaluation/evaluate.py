"""Evaluation of stored predictions: a row per object, a summary, pictures and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.errors import RequestError, describe_failure
from interactivenet.evaluation.earlier import (
    FIGURES,
    METRICS,
    REPORT,
    earlier_evaluation,
    evaluation_files,
)
from interactivenet.evaluation.matching import Pair
from interactivenet.evaluation.measures import Row, measure_with_notes, read_maps, worst_first
from interactivenet.evaluation.statistics import summarise
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.lattice import check_same_lattice
from interactivenet.metric_names import METRIC, TOLERANCE_MM
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import write_csv, write_json
from interactivenet.system.parallel import Workers, map_cases
from interactivenet.system.signals import Signals
from interactivenet.system.written import FILES, noted_files

#: up to this many pictures are drawn in this process: others would not be worth their start
_FEW = 8
#: metrics in the title of a picture
_TITLED = ("dice", "nsd")

Track = Callable[[Iterator[Any], int, str, Sequence[str]], Iterator[Any]]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation gave.

    Attributes:
        rows: One for each object: 'case', 'subtype', 'label', 'name', 'prompt' (its number where
            rows are per prompt, else None), the metrics (distances in mm, volumes in ml, None
            where undefined), and 'agreement', 'expected_dice', 'look', 'points_inside',
            'untouched_components' and 'reasons' (one text) as noted when it was segmented.
        summary: Statistics, see :func:`~interactivenet.evaluation.statistics.summarise`.
        failures: Case -> why it could not be measured or drawn.
        report: Path of the HTML report.
        notes: Case -> what is doubtful about its image and its label maps.
    """

    rows: tuple[dict[str, Any], ...]
    summary: dict[str, Any]
    failures: dict[str, str]
    report: Path
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def evaluate_cases(
    pairs: Sequence[Pair],
    folder: Path,
    *,
    labels: LabelNames | None = None,
    modalities: Sequence[str] = (),
    tolerance_mm: float = TOLERANCE_MM,
    title: str = "",
    calibration: Mapping[str, Any] | None = None,
    pictures: bool = True,
    jobs: int = 1,
    track: Track = lambda items, *_: items,
    signals: Signals | None = None,
    missing: Mapping[str, str] | None = None,
) -> Evaluation:
    """Compare stored predictions with their labels, and write tables, pictures and a report.

    folder: gets metrics.json, metrics.csv, report.html, figures/*.png and, of cases with images,
    figures/cases/CASE.png of the object with the lowest Dice.
    calibration: for the report.  missing: case -> why there is nothing to compare.
    track: passes items through under a progress bar: (items, how many, their verb, their cases).

    A case that cannot be measured or drawn is a failure; the others go on. Raises
    RequestError where two cases share a name, or a file of somebody else would be replaced, and
    Interrupted where a signal came.
    """
    from interactivenet.evaluation.report import write_report
    from interactivenet.plotting.figures import save_figures

    repeated = [name for name, count in Counter(pair.case for pair in pairs).items() if count > 1]
    if repeated:
        raise RequestError(f"{repeated[0]}: several cases have this name, expected one")

    cases = [pair.case for pair in pairs]
    earlier = earlier_evaluation(folder, cases)

    def read(pair: Pair) -> tuple[str, list[dict[str, Any]], tuple[str, ...], str]:
        try:
            return pair.case, *measure_with_notes(pair, labels, tolerance_mm), ""
        except Exception as error:  # one odd case must not end the others
            return pair.case, [], (), describe_failure(error)

    rows: list[dict[str, Any]] = []
    notes: dict[str, tuple[str, ...]] = {}
    failures = dict(missing or {})
    for case, measured, told, error in track(
        map_cases(read, pairs, jobs), len(pairs), "evaluated", cases
    ):
        rows += measured
        if told:
            notes[case] = told
        if error:
            failures[case] = error
        if signals:
            signals.check()
    summary = summarise(rows)
    content = {"tolerance_mm": tolerance_mm, "title": title, "rows": rows,
               "summary": summary, "failures": failures, "notes": notes}  # fmt: skip
    files = evaluation_files(folder, cases)
    # as long as it writes, all of these are known to be ours
    content[FILES] = dict(earlier.files) | earlier.begun(files)
    write_json(folder / METRICS, content)
    write_csv((folder / METRICS).with_suffix(".csv"), rows)
    earlier.remove(path for path in {*earlier.paths, *files} if path.suffix == ".png")
    drawn: dict[str, Path] = {}
    drawings = _drawings(pairs, rows, folder / FIGURES / "cases", labels, tuple(modalities))
    if pictures and drawings:
        with Workers(
            jobs if len(drawings) > _FEW else 1, ("interactivenet.evaluation.evaluate",)
        ) as workers:
            errors = workers.map(_draw, drawings)
            attempts = zip(drawings, errors, strict=True)
            names = [drawing.pair.case for drawing in drawings]
            for drawing, error in track(attempts, len(drawings), "drawn", names):
                if error:
                    failures[drawing.pair.case] = f"no picture: {error}"
                else:
                    drawn[drawing.pair.case] = drawing.path
                if signals:
                    signals.check()
    report = folder / REPORT
    write_report(
        report, title=title, rows=rows, summary=summary, failures=failures, notes=notes,
        figures=save_figures(folder / FIGURES, rows) if rows else [], pictures=drawn,
        calibration=calibration, tolerance_mm=tolerance_mm,
    )  # fmt: skip
    content[FILES] = noted_files(folder, files)
    write_json(folder / METRICS, content)  # with the pictures that failed
    return Evaluation(tuple(rows), summary, failures, report, notes)


@dataclass(frozen=True)
class _Drawing:
    pair: Pair
    row: Row
    path: Path
    labels: LabelNames | None
    modalities: tuple[str, ...]


def _drawings(
    pairs: Sequence[Pair],
    rows: Sequence[Row],
    folder: Path,
    labels: LabelNames | None,
    modalities: tuple[str, ...],
) -> list[_Drawing]:
    """Choose the worst object of every case that has images."""
    worst: dict[str, Row] = {}
    for row in sorted(rows, key=worst_first):
        worst.setdefault(row["case"], row)
    return [
        _Drawing(pair, worst[pair.case], folder / f"{pair.case}.png", labels, modalities)
        for pair in pairs
        if pair.images and pair.case in worst
    ]


def _draw(drawing: _Drawing) -> str:
    """Draw a case's object; returns why it could not be drawn, '' if it could."""
    from interactivenet.plotting.overlays import save_overlay

    pair, row = drawing.pair, drawing.row
    try:
        image = read_channels(pair.images, pair.reading)
        maps = read_maps(pair, drawing.labels, points=True)
        check_same_lattice(pair.images[0], image.source, pair.label, maps.label.source)
        prediction, label = maps.masks(row["label"], row["prompt"])
        points = [
            image.grid.nearest_voxel(prompt.points)
            for number, prompt in enumerate(maps.prompts)
            if (prompt.label == row["label"] if row["prompt"] is None else number == row["prompt"])
        ]
        title = f"{pair.case} {row['name'] or row['label']}"
        if row["prompt"] is not None:
            title += f" #{row['prompt'] + 1}"
        metrics = [f"{METRIC[name].title} {METRIC[name].text(row[name])}" for name in _TITLED]
        save_overlay(
            drawing.path,
            image.array,
            image.grid.spacing,
            label=label,
            prediction=prediction,
            points=np.concatenate(points) if points else (),
            title=f"{title}: {', '.join(metrics)}",
            names=drawing.modalities,
        )
    except Exception as error:
        return describe_failure(error)
    return ""
