"""How much the result depends on where exactly the points are.

Every case is segmented again with perturbed points: moved by some millimetres in any direction,
out of the object if it so happens; one of them missing; simulated anew. What is measured is the
Dice of every object, on the grid of its scan.
"""

from __future__ import annotations

import os
import statistics
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.case import Scan
from interactivenet.datasets.inference_cases import check_output
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, RequestError, describe_failure, naming
from interactivenet.evaluation.metrics import dice_score
from interactivenet.inference.batch import load_predictor
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import input_hashes
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import own_model
from interactivenet.pipeline import reporting
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, recorded_reasons
from interactivenet.pipeline.segmenting import describe_model, report_failures
from interactivenet.pipeline.select import check_choice
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.plotting.robustness import save_robustness
from interactivenet.prompts.perturbation import PERTURBATIONS, perturb
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import read_object, write_csv, write_json
from interactivenet.system.signals import Signals, go_on
from interactivenet.system.written import FILES, WrittenFiles, noted_files

ROWS, TABLE, FIGURE = "robustness.json", "robustness.csv", "robustness.png"


@dataclass(frozen=True)
class Robustness:
    """How much a task's segmentations depend on their points.

    Attributes:
        folder: Of the rows, the table and the figure.
        cases: How many there are.
        summary: A row for each kind of perturbation.
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
        overwrite: Redo finished work.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        What the perturbations change, and which cases failed.

    Raises:
        RequestError: No fold is trained, no labelled case has points, or ``output`` holds what is
            read, or files of these names that are somebody else's.
    """
    options, roots = options or InferenceOptions(), roots or Roots.choose()
    if repeats < 1:
        raise RequestError(field="repeats", value=repeats, expected="1 or more")
    folder = Path(output) if output else roots.results / task / "robustness"
    check_output(folder, _folders_read(roots, task))
    _earlier_files(folder)
    groups = _groups(roots, task, options, reporter)
    total = sum(len(cases) for _, cases in groups)
    arguments = {
        "task": task, "output": folder, "repeats": repeats, "overwrite": overwrite,
        "options": options, "roots": roots,
    }  # fmt: skip
    with running_stage("robustness", folder, arguments, seed=seed) as stage:
        stage.run.note(**options.as_json(), repeats=repeats)
        measured = measure_cases(
            groups, folder, repeats=repeats, seed=seed, overwrite=overwrite, signals=stage.signals
        )
        tracked = reporter.track(measured, total, "robustness")
        failures = {case: error for case, error in tracked if error}
        stage.run.note(cases=total, failures=recorded_reasons(failures, reporter))
        summary = tuple(summarise_rows(all_rows(read_object(folder / ROWS)["cases"])))
        reporter.table(_table(summary))
        report_failures(folder, "robustness", failures, reporter)
    reporter.say(f"{folder / FIGURE}: {counted(total - len(failures), 'case')}")
    return Robustness(folder, total, summary, failures)


def _folders_read(roots: Roots, task: str) -> list[Path]:
    """Return the folders of files that a measurement reads, and that other stages write."""
    raw, results = roots.raw_task(task), roots.results / task
    inside = (path for path in raw.rglob("*") if path.is_dir())
    folds = results.glob("fold_*")
    return [raw, *inside, roots.processed_task(task), *(p for p in (results, *folds) if p.is_dir())]


def _groups(
    roots: Roots, task: str, options: InferenceOptions, reporter: Reporter
) -> list[tuple[Predictor, list[Case]]]:
    """Return predictors and the labelled cases that each never saw, and say which they are."""
    dataset = Task.load(roots.raw_task(task))
    check_sources(roots, PlannedTask.load(roots.processed_task(task)), reporter)
    model = own_model(roots, task)
    check_choice(roots, task)
    for line in describe_model(model, options):
        reporter.say(line)
    test = [case for case in dataset.test if case.label and case.interaction]
    if test:
        reporter.say(counted(len(test), "labelled test case"))
        return [(load_predictor(model, options), test)]
    reporter.say("no labelled test cases: using each fold's validation cases, with that fold alone")
    cases = {case.name: case for case in dataset.training if case.interaction}
    splits = PlannedTask.load(roots.processed_task(task)).splits
    groups = []
    for number in model.folds:
        unseen = [cases[name] for name in splits[number].validation if name in cases]
        if unseen:
            groups.append((load_predictor(model.fold(number), options), unseen))
    if not groups:
        raise RequestError(f"{dataset.folder}: no labelled case has points")
    return groups


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


def measure_cases(
    groups: Sequence[tuple[Predictor, Sequence[Case]]],
    folder: Path,
    *,
    repeats: int = 3,
    seed: int = 0,
    overwrite: bool = False,
    signals: Signals | None = None,
) -> Iterator[tuple[str, str]]:
    """Measure cases, each with the predictor that never saw it; yields case and error, '' for none.

    Writes ``robustness.json`` after every case, so that a stopped measurement goes on, and at
    the end ``robustness.csv`` and ``robustness.png``.
    """
    path = folder / ROWS
    interrupt = (signals or Signals()).check
    written = _earlier_files(folder)
    content = {} if overwrite else read_object(path)
    with naming(path):
        before = field_of_kind(content.get("cases", {}), dict, "cases")
        for name, record in before.items():
            fields_of_kinds(record, {MADE_FROM: dict, "rows": list}, f"cases.{name}", whole=True)
    now: dict[str, Any] = {}
    for predictor, cases in groups:
        for case in cases:
            error = ""
            try:
                now[case.name] = _measure_case(
                    predictor, case, before.get(case.name, {}), repeats, seed, interrupt
                )
            except Exception as failure:  # one odd case must not end the others
                error = describe_failure(failure)
            summary = summarise_rows(all_rows(now))
            files = written.unchanged(_others(folder))
            write_json(path, {"summary": summary, "cases": {**before, **now}, FILES: files})
            yield case.name, error
            interrupt()
    rows = all_rows(now)
    content = {"summary": summarise_rows(rows), "cases": now}
    others = _others(folder)
    # known to be ours while they are being written
    write_json(path, {**content, FILES: written.begun(others)})
    if rows:
        write_csv(folder / TABLE, rows)
        names = [perturbation.name for perturbation in PERTURBATIONS]
        save_robustness(folder / FIGURE, {name: _by_object(rows, name) for name in names})
    write_json(path, {**content, FILES: noted_files(folder, others)})


def _others(folder: Path) -> list[Path]:
    """Return what a measurement writes beside its ``robustness.json``."""
    return [folder / TABLE, folder / FIGURE]


def _earlier_files(folder: Path) -> WrittenFiles:
    """Return what a measurement before this one has written.

    Raises RequestError, naming the file, where one that is about to be written is somebody else's.
    """
    path = folder / ROWS
    try:
        content = read_object(path)
        if os.path.lexists(path) and not {"summary", "cases"} <= set(content):
            raise DataError(f"{path}: is not the record of a measurement")
        written = WrittenFiles.of_record(folder, content, _others(folder) if content else ())
        strangers = written.strangers(_others(folder))
    except DataError:
        strangers = [path]
    if strangers:
        raise RequestError(
            f"{strangers[0]}: is not as this program wrote it, and would be replaced",
            remedy="move it away, or write elsewhere with `output`",
        )
    return written


def _measure_case(
    predictor: Predictor,
    case: Case,
    before: Mapping[str, Any],
    repeats: int,
    seed: int,
    interrupt: Callable[[], None],
) -> dict[str, Any]:
    """Return the case's record of before, where it was made from just the same, or a new one."""
    key = _case_key(predictor, case, repeats, seed)
    if key.matches(before):
        return dict(before)
    scan = predictor.read(case)
    if scan.label is None:
        raise DataError(f"{case.name}: has no label map to compare with")
    return {MADE_FROM: key.content, "rows": measure_scan(predictor, scan, repeats, seed, interrupt)}


def all_rows(cases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of all cases."""
    return [row for record in cases.values() for row in record["rows"]]


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


def _case_key(predictor: Predictor, case: Case, repeats: int, seed: int) -> CacheKey:
    model = predictor.model
    return CacheKey(
        {
            "inputs": input_hashes(case, label=True), "weights": model.digests,
            "plan": model.plan.digest,
            "postprocessing": model.postprocessing.name, "mirrored": predictor.mirrored,
            "restore": predictor.restore, "precision": predictor.precision, "repeats": repeats,
            "seed": seed, **({"reading": case.reading.as_json()} if case.reading.as_json() else {}),
        }
    )  # fmt: skip
