"""The stage ``evaluate_corrections``: what correcting clicks are worth.

Labelled cases that a model never saw are segmented from their points, and corrected by a robot
click by click; the brush is what that is compared with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet import __version__
from interactivenet.datasets.case import Scan
from interactivenet.datasets.inference_cases import check_output
from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.click_robots import ROBOTS, RobotName
from interactivenet.evaluation.clicking import (
    METHODS,
    MODEL,
    Clicking,
    correct_case,
)
from interactivenet.evaluation.correction_measures import summarise_corrections
from interactivenet.evaluation.corrections_report import measure_texts, write_corrections_report
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.metric_names import TOLERANCE_MM
from interactivenet.pipeline.chosen_model import chosen_model
from interactivenet.pipeline.following_measurements import follow_measurement
from interactivenet.pipeline.gathering import check_here
from interactivenet.pipeline.measuring import (
    MeasuredCase,
    Measurement,
)
from interactivenet.pipeline.reporting import SILENT, Reporter, Table, counted
from interactivenet.pipeline.sharding import Part, ShardLike
from interactivenet.pipeline.stage import running_stage, tracked_run
from interactivenet.pipeline.tracking import Tracker
from interactivenet.pipeline.unseen_cases import (
    UnseenCases,
    folders_read,
    shared_out,
    unseen_by_model,
    unseen_by_own_folds,
    without_corrections,
)
from interactivenet.plotting.corrections import save_corrections

#: the name of the folder and of the files
CORRECTIONS = "corrections"
STAGE = "evaluate-corrections"


@dataclass(frozen=True)
class CorrectionEvaluation:
    """What correcting clicks are worth.

    Attributes:
        folder: Of the rows, the table, the figure and the page.
        cases: How many there are.
        summary: See :func:`~interactivenet.evaluation.correction_measures.summarise_corrections`;
            of a shard, nothing.
        failures: Case to why it could not be measured.
    """

    folder: Path
    cases: int
    summary: Mapping[str, Any]
    failures: Mapping[str, str]


def evaluate_corrections(
    task: str,
    *,
    model: str | Path | None = None,
    output: Path | str | None = None,
    clicks: int = 5,
    robot: RobotName = "cvpr",
    seed: int = 0,
    options: InferenceOptions | None = None,
    mlflow: bool = True,
    overwrite: bool = False,
    shard: ShardLike | None = None,
    gather: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> CorrectionEvaluation:
    """Correct a task's labelled cases by simulated clicks, and measure what each click is worth.

    The task's own folds are measured on its labelled test cases, with all folds; without any, on
    its training cases, each with the fold that never saw it. Another model is measured on all
    labelled cases of the task, training and test, as one that never saw them; a deployed model of
    this very task on the test cases alone. Corrections in the files of points are left out: every
    case begins with its points.
    Writes ``corrections.json``, ``.csv``, ``.png`` and ``.html``.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        model: What is measured, None or 'own' for the task's own folds: 'deployed', the name of an
            installed model, the folder or the zip of one, or 'starter'.
        output: Folder to write to; by default ``corrections`` in the task's results, of another
            model ``corrections_MODEL``.
        clicks: How many clicks each object gets at most.
        robot: Who clicks: 'cvpr', the protocol of the CVPR 2025 challenge, or 'sloppy', a hand in
            a hurry; see :mod:`~interactivenet.evaluation.click_robots`.
        seed: Of what the sloppy robot draws.
        options: How the networks are used: device, precision, mirroring.
        mlflow: Record it in MLflow.
        overwrite: Redo finished work; of a shard, that of its own cases.
        shard: Measure one of several shares of the cases alone, such as '3/16': any number of jobs
            may do the others at the same time. Nothing is summarised.
        gather: Measure nothing: take what shards have measured, with the same arguments, and
            summarise all of it. A case that no shard has done is among the failures.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        What the clicks are worth, and which cases failed.

    Raises:
        RequestError: There is no such model or robot, no labelled case has points, or ``output``
            holds what is read, or files of these names that are somebody else's.
    """
    part = Part.chosen(shard, gather, overwrite=overwrite)
    options, roots = options or InferenceOptions(), roots or Roots.choose()
    if clicks < 1:
        raise RequestError(field="clicks", value=clicks, expected="1 or more")
    if robot not in ROBOTS:
        raise RequestError(field="robot", value=robot, expected=f"one of {', '.join(ROBOTS)}")
    name = "own" if model is None else os.fspath(model)
    folder = Path(output) if output else roots.results / task / _folder_name(name)
    part.check_begun(folder)
    check_output(folder, folders_read(roots, task, planned=name == "own"))
    check_here(options, part)
    clicking = Clicking(clicks, robot, seed)
    title = f"{task}: corrections" + ("" if name == "own" else f", model {name}")
    measurement = _measurement(folder, clicking, options, title, part)
    measurement.earlier_files()
    arguments = {
        "task": task, "model": model, "output": folder, "clicks": clicks, "robot": robot,
        "mlflow": mlflow, "overwrite": overwrite, **part.arguments(),
        "options": options, "roots": roots,
    }  # fmt: skip
    settings = {**options.as_json(), "clicks": clicks, "robot": robot}
    with ExitStack() as opened:
        found: Sequence[UnseenCases]
        if name == "own":
            found = unseen_by_own_folds(roots, task, options, reporter)
        else:
            trained = opened.enter_context(chosen_model(roots, task, model, reporter))
            found = unseen_by_model(roots, task, trained, name, options, reporter)
        groups = shared_out(found, part)
        total = sum(len(group.cases) for group in groups)
        part.announce(total, sum(len(group.cases) for group in found), reporter)
        stage = opened.enter_context(
            running_stage(STAGE, folder, arguments, seed=seed, shard=part.shard)
        )
        parameters = {
            "model": groups[0].predictor.model.name, "device": options.chosen_device, "seed": seed,
            **settings,
        }  # fmt: skip
        tracker = opened.enter_context(
            tracked_run(
                roots,
                task,
                CORRECTIONS,
                parameters,
                mlflow=mlflow and part.is_one_for_all,
                reporter=reporter,
            )
        )
        stage.run.note(
            model=name, weights=[group.predictor.model.digests for group in groups], **settings
        )
        measured = measurement.run(groups, overwrite=overwrite, signals=stage.signals)
        names = [case.name for group in groups for case in group.cases]
        failures = follow_measurement(measurement, measured, names, stage, reporter)
        summary = measurement.summary() or {}
        if part.is_one_for_all:
            for table in _tables(summary):
                reporter.table(table)
            _track(tracker, summary, failures, measurement)
    page = measurement.path(".html") if part.is_one_for_all else measurement.record
    reporter.say(f"{page}: {counted(total - len(failures), 'case')}")
    return CorrectionEvaluation(folder, total, summary, failures)


def _folder_name(model: str) -> str:
    """Return the folder for a model's measurement, in the results of the task."""
    if model == "own":
        return CORRECTIONS
    return f"{CORRECTIONS}_{Path(model).resolve().name.removesuffix('.zip')}"


def _measurement(
    folder: Path, clicking: Clicking, options: InferenceOptions, title: str, part: Part
) -> Measurement:
    """Return what is measured of each case, and where it is written."""

    def measure(predictor: Predictor, scan: Scan, interrupt: Callable[[], None]) -> MeasuredCase:
        return measure_corrections(predictor, scan, clicking, interrupt)

    def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return summarise_corrections(rows, clicking)

    def write(rows: Sequence[Mapping[str, Any]], summary: Any, failures: Mapping[str, str]) -> None:
        figure = folder / f"{CORRECTIONS}.png"
        save_corrections(figure, summary)
        write_corrections_report(
            folder / f"{CORRECTIONS}.html", title=title, rows=rows, summary=summary,
            failures=failures, figure=figure,
        )  # fmt: skip

    # the seconds of a click are those of a device; what it does, of a version
    settings = {
        **clicking.as_json(), "tolerance_mm": TOLERANCE_MM, "device": options.chosen_device,
        "version": __version__,
    }  # fmt: skip
    return Measurement(
        folder, CORRECTIONS, settings, measure, summarise, write, (".png", ".html"), part, STAGE,
        options,
    )  # fmt: skip


def measure_corrections(
    predictor: Predictor, scan: Scan, clicking: Clicking, interrupt: Callable[[], None]
) -> MeasuredCase:
    """Segment a labelled scan and correct it by clicks; rows as :func:`correct_case` gives them.

    interrupt: raises where this must end.
    Raises DataError where the scan has no prompts.
    """
    if not scan.prompts:
        raise DataError(f"{scan.name}: has no prompts: expected the points of an object")
    grid = scan.image.grid
    scan, left_out = without_corrections(scan)
    truths = [scan.objects.mask(prompt, scan.prompts, grid) for prompt in scan.prompts]
    session = predictor.open(scan)
    corrected = correct_case(session, scan.name, scan.prompts, truths, grid, clicking, interrupt)
    return MeasuredCase(corrected.rows, (*corrected.notes, *left_out))


def _tables(summary: Mapping[str, Any]) -> list[Table]:
    """Dice and NSD against clicks, and what a click is worth; none without rows."""
    if not summary["curve"]:
        return []
    of_method = {method: [item for item in summary["curve"] if item["method"] == method]
                 for method in METHODS}  # fmt: skip
    lines = []
    for model, brush, over in zip(*of_method.values(), summary["over_brush"], strict=True):
        lines.append(
            (
                str(model["clicks"]), str(model["dice"]["n"]), f"{model['dice']['mean']:.4f}",
                f"{model['gain']['mean']:+.4f}", _interval(model["gain"]),
                f"{brush['dice']['mean']:.4f}", f"{over['dice']['mean']:+.4f}",
                _interval(over["dice"]), f"{model['nsd']['mean']:.4f}",
                f"{brush['nsd']['mean']:.4f}",
            )
        )  # fmt: skip
    curve = Table(
        ("clicks", "n", "Dice", "gain", "95 % interval", "brush", "over brush", "95 % interval",
         "NSD", "brush NSD"), tuple(lines),
    )  # fmt: skip
    worth = Table(("", *METHODS), tuple(measure_texts(summary)))
    return [curve, worth]


def _interval(difference: Mapping[str, Any]) -> str:
    if difference["low"] is None:
        return "-"
    return f"{difference['low']:+.4f} to {difference['high']:+.4f}"


def _track(
    tracker: Tracker,
    summary: Mapping[str, Any],
    failures: Mapping[str, str],
    measurement: Measurement,
) -> None:
    """Record the curves, with clicks for steps, the measures and the files in MLflow."""
    for item in summary["curve"]:
        name = "" if item["method"] == MODEL else f"_{item['method']}"
        means = {f"{metric}_mean{name}": item[metric]["mean"] for metric in ("dice", "nsd")}
        tracker.metrics(means, step=item["clicks"])
    for method, measured in summary["methods"].items():
        name = "" if method == MODEL else f"_{method}"
        figures = {**measured, **{f"cvpr_{key}": one for key, one in measured["cvpr"].items()}}
        tracker.metrics({f"{key}{name}": one for key, one in figures.items() if key != "cvpr"})
    tracker.metrics({"objects": summary["objects"], "failed": len(failures)})
    for path in (measurement.record, *measurement.others):
        tracker.artefact(path, CORRECTIONS)
