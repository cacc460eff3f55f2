"""How much the result depends on where exactly the points are.

Every case is segmented again with perturbed points: moved by some millimetres in any direction,
out of the object if it so happens; one of them missing; simulated anew. What is measured is the
Dice of every object, on the grid of its scan.
"""

from __future__ import annotations

import statistics
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.case import Scan
from interactivenet.datasets.inference_cases import check_output
from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.evaluation.metrics import dice_score
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.pipeline import reporting
from interactivenet.pipeline.following_measurements import follow_measurement
from interactivenet.pipeline.gathering import check_here
from interactivenet.pipeline.measuring import (
    MeasuredCase,
    Measurement,
)
from interactivenet.pipeline.reporting import SILENT, Reporter, counted
from interactivenet.pipeline.sharding import ALL_CASES, Part, ShardLike
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.unseen_cases import (
    folders_read,
    shared_out,
    unseen_by_own_folds,
    without_corrections,
)
from interactivenet.plotting.robustness import save_robustness
from interactivenet.prompts.perturbation import PERTURBATIONS, perturb
from interactivenet.system.signals import go_on


@dataclass(frozen=True)
class Robustness:
    """How much a task's segmentations depend on their points.

    Attributes:
        folder: Of the rows, the table and the figure.
        cases: How many there are.
        summary: A row for each kind of perturbation; of a shard, none.
        failures: Case to why it could not be measured.
    """

    folder: Path
    cases: int
    summary: tuple[Mapping[str, Any], ...]
    failures: Mapping[str, str]


def robustness(
    task: str,
    *,
    output: Path | str | None = None,
    repeats: int = 3,
    seed: int = 0,
    options: InferenceOptions | None = None,
    overwrite: bool = False,
    shard: ShardLike | None = None,
    gather: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> Robustness:
    """Segment a task's labelled cases again with perturbed points, and compare.

    Its labelled test cases, with all folds; without any, its training cases, each with the fold
    that never saw it. Writes ``robustness.json``, ``.csv`` and ``.png``.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        output: Folder to write to; by default ``robustness`` in the task's results.
        repeats: How often each kind of perturbation is drawn.
        seed: Of the perturbations.
        options: How the networks are used: device, precision, mirroring.
        overwrite: Redo finished work; of a shard, that of its own cases.
        shard: Measure one of several shares of the cases alone, such as '3/16': any number of jobs
            may do the others at the same time. Nothing is summarised.
        gather: Measure nothing: take what shards have measured, with the same arguments, and
            summarise all of it. A case that no shard has done is among the failures.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        What the perturbations change, and which cases failed.

    Raises:
        RequestError: No fold is trained, no labelled case has points, or ``output`` holds what is
            read, or files of these names that are somebody else's.
    """
    part = Part.chosen(shard, gather, overwrite=overwrite)
    options, roots = options or InferenceOptions(), roots or Roots.choose()
    if repeats < 1:
        raise RequestError(field="repeats", value=repeats, expected="1 or more")
    folder = Path(output) if output else roots.results / task / "robustness"
    part.check_begun(folder)
    check_output(folder, folders_read(roots, task))
    check_here(options, part)
    measurement = _measurement(folder, repeats, seed, options, part)
    measurement.earlier_files()
    found = unseen_by_own_folds(roots, task, options, reporter)
    groups = shared_out(found, part)
    total = sum(len(group.cases) for group in groups)
    part.announce(total, sum(len(group.cases) for group in found), reporter)
    arguments = {
        "task": task, "output": folder, "repeats": repeats, "overwrite": overwrite,
        **part.arguments(), "options": options, "roots": roots,
    }  # fmt: skip
    with running_stage("robustness", folder, arguments, seed=seed, shard=part.shard) as stage:
        stage.run.note(**options.as_json(), repeats=repeats)
        measured = measurement.run(groups, overwrite=overwrite, signals=stage.signals)
        names = [case.name for group in groups for case in group.cases]
        failures = follow_measurement(measurement, measured, names, stage, reporter)
        summary = tuple(measurement.summary() or ())
        if part.is_one_for_all:
            reporter.table(_table(summary))
    written = measurement.path(".png") if part.is_one_for_all else measurement.record
    reporter.say(f"{written}: {counted(total - len(failures), 'case')}")
    return Robustness(folder, total, summary, failures)


def _measurement(
    folder: Path,
    repeats: int,
    seed: int,
    options: InferenceOptions | None = None,
    part: Part = ALL_CASES,
) -> Measurement:
    """Return what is measured of each case, and where it is written."""

    def measure(predictor: Predictor, scan: Scan, interrupt: Callable[[], None]) -> MeasuredCase:
        scan, left_out = without_corrections(scan)
        return MeasuredCase(measure_scan(predictor, scan, repeats, seed, interrupt), left_out)

    def draw(rows: Sequence[Mapping[str, Any]], *_: object) -> None:
        names = [perturbation.name for perturbation in PERTURBATIONS]
        dice = {name: _by_object(rows, name) for name in names}
        save_robustness(folder / "robustness.png", dice)

    settings = {"repeats": repeats, "seed": seed}
    return Measurement(
        folder, "robustness", settings, measure, summarise_rows, draw, part=part,
        options=options,
    )  # fmt: skip


def measure_scan(
    predictor: Predictor,
    scan: Scan,
    repeats: int,
    seed: int,
    interrupt: Callable[[], None] = go_on,
) -> list[dict[str, Any]]:
    """Segment a labelled scan with all disturbances; a row for each, its objects and repeats.

    interrupt: raises where this must end.
    What is random follows from the seed and the names of case and disturbance.
    """
    grid = scan.image.grid
    masks = [scan.objects.mask(prompt, scan.prompts, grid) for prompt in scan.prompts]
    rows = []
    for perturbation in PERTURBATIONS:
        for repeat in range(1 if perturbation.kind == "none" else repeats):
            interrupt()
            rng = np.random.default_rng(
                [seed, repeat, zlib.crc32(f"{scan.name} {perturbation.name}".encode())]
            )
            prompts = [
                perturb(prompt, perturbation, mask, grid, rng)
                for prompt, mask in zip(scan.prompts, masks, strict=True)
            ]
            instance_map = predictor.segment(scan, prompts).instance_map
            for number, (prompt, mask) in enumerate(zip(scan.prompts, masks, strict=True)):
                dice = dice_score(instance_map == number + 1, mask)
                rows.append(
                    {"case": scan.name, "label": prompt.label, "name": prompt.name,
                     "prompt": number, "disturbance": perturbation.name, "repeat": repeat,
                     "dice": dice}
                )  # fmt: skip
    return rows


def summarise_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per disturbance: the Dice over objects (each the mean of its repeats).

    'mean', 'lowest' (object), 'cost' (mean of what it is lower than as placed), 'spread': mean
    over objects of the standard deviation between repeats, 'worst_cost': of one object.
    """
    table = []
    placed = _by_object(rows, PERTURBATIONS[0].name)
    for perturbation in PERTURBATIONS:
        by_object = _by_object(rows, perturbation.name)
        if not by_object:
            continue
        means = {key: statistics.fmean(values) for key, values in by_object.items()}
        costs = [statistics.fmean(placed[key]) - mean for key, mean in means.items()]
        table.append(
            {"disturbance": perturbation.name, "objects": len(by_object),
             "mean": statistics.fmean(means.values()),
             "lowest": min(means.values()), "cost": statistics.fmean(costs),
             "worst_cost": max(costs),
             "spread": statistics.fmean(map(statistics.pstdev, by_object.values()))}
        )  # fmt: skip
    return table


def _table(summary: Sequence[Mapping[str, Any]]) -> reporting.Table:
    """Dice against disturbance."""
    columns = ("points", "n", "Dice", "lowest", "cost", "worst cost", "spread of repeats")
    keys = ("mean", "lowest", "cost", "worst_cost", "spread")
    rows = tuple(
        (row["disturbance"], str(row["objects"]), *(f"{row[key]:.4f}" for key in keys))
        for row in summary
    )
    return reporting.Table(columns, rows)


def _by_object(
    rows: Sequence[Mapping[str, Any]], disturbance: str
) -> dict[tuple[str, int], list[float]]:
    by_object: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        if row["disturbance"] == disturbance:
            by_object.setdefault((row["case"], row["prompt"]), []).append(row["dice"])
    return by_object
