"""The plan stage for a whole task: measure its cases, decide, prepare the regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.case import read_scan
from interactivenet.datasets.splits import GROUPS, Split, leave_one_out, make_splits, read_groups
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, RequestError, one_line
from interactivenet.planning.fingerprint import (
    FACTS_VERSION,
    CaseFacts,
    Fingerprint,
    Histogram,
    measure_case,
)
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PLANS, PlannedTask
from interactivenet.planning.rules import PlanningOptions, is_ct, make_plan
from interactivenet.plotting.snapshots import save_snapshot, snapshot_made_from
from interactivenet.preprocessing.storage import (
    Preparation,
    PreparedCase,
    Snapshots,
    case_inputs,
    file_hashes,
    prepare_case,
)
from interactivenet.system.files import read_object, remove, sha256, write_json
from interactivenet.system.parallel import Workers

FACTS = "fingerprint"
#: pictures of the regions
SNAPSHOTS = Snapshots(save_snapshot, snapshot_made_from)
#: modules that the worker processes import before the first case
WORKER_MODULES = ("interactivenet.pipeline.plan", "interactivenet.imaging.nifti")
#: a cut that holds less of an object than this is worth a warning
ENOUGH = 0.999


@dataclass(frozen=True)
class FoldOptions:
    """How the cases are divided. leave_one_out: one fold per subtype instead of ``number``."""

    number: int = 5
    stratified: bool = True
    leave_one_out: bool = False


@dataclass(frozen=True, eq=False)
class MeasuredCase:
    """Facts of one case, None where it cannot be used (error says why).

    hashes: SHA-256 of its files.
    """

    name: str
    hashes: Mapping[str, str]
    facts: CaseFacts | None = None
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    error: str = ""


def check(task: Task, folds: FoldOptions, seed: int) -> None:
    """Raise RequestError or DataError where the task cannot be planned, before scans are read."""
    if not task.training:
        raise RequestError(f"{task.folder}: has no training cases")
    if not any(case.interaction for case in task.training):
        raise RequestError(
            f"{task.folder}: no training case has prompts: 'interactivenet simulate -t"
            f" {task.name}' makes them, then 'interactivenet dataset -t {task.name}' lists them"
        )
    split(task, [case.name for case in task.training], folds, seed)


def measure_cases(
    task: Task, folder: Path, workers: Workers, *, overwrite: bool = False
) -> Iterator[MeasuredCase]:
    """Measure the training cases, each into ``fingerprint/CASE.json`` of the processed task.

    A case whose files are unchanged since an earlier run is not read again.
    """
    one = _without_cases(task)
    yield from workers.map(_measure, ((one, folder, case, overwrite) for case in task.training))


def collect(task: Task, measured: Iterator[MeasuredCase]) -> tuple[Fingerprint, list[MeasuredCase]]:
    """Join the facts of the cases; the measured cases come back without their histograms."""
    facts: list[CaseFacts] = []
    histograms: dict[str, Histogram] = {}
    cases = []
    for one in measured:
        if one.facts is not None:
            facts.append(one.facts)
        for name, histogram in one.histograms.items():
            histograms[name] = histograms.get(name, Histogram()) + histogram
        cases.append(MeasuredCase(one.name, one.hashes, error=one.error))
    return Fingerprint(task.modalities, tuple(facts), histograms), cases


def decide(task: Task, fingerprint: Fingerprint, options: PlanningOptions) -> Plan:
    """Make the plan. Raises RequestError where no case could be measured or nothing fits."""
    if not fingerprint.cases:
        raise RequestError(f"{task.folder}: no training case can be used: nothing to plan from")
    return make_plan(task.name, task.labels, fingerprint, options)


def split(task: Task, names: list[str], folds: FoldOptions, seed: int) -> tuple[Split, ...]:
    """Divide those of the task's training cases that have these names into folds.

    Raises RequestError where they do not suffice, DataError for a wrong groups.json.
    """
    groups = read_groups(task.folder, [case.name for case in task.training])
    subtypes = {case.name: case.subtype for case in task.training}
    if folds.leave_one_out:
        return leave_one_out(names, groups=groups, subtypes=subtypes)
    return make_splits(
        names, folds=folds.number, seed=seed, groups=groups, subtypes=subtypes,
        stratified=folds.stratified,
    )  # fmt: skip


def withdraw(folder: Path, plan: Plan) -> None:
    """Remove ``plans.json`` unless it holds the same plan: regions are about to change.

    A run that is killed leaves no plan, rather than one that its regions do not follow.
    """
    path = folder / PLANS
    try:
        unchanged = path.exists() and Plan.load(path) == plan
    except DataError:
        unchanged = False
    if not unchanged:
        remove(path)


def write_plans(
    folder: Path,
    plan: Plan,
    splits: tuple[Split, ...],
    fingerprint: Fingerprint,
    coverage: Mapping[str, float],
) -> Path:
    """Write ``plans.json``: the plan, the splits, coverage by region, what was measured."""
    return PlannedTask(folder, plan, splits, coverage, fingerprint.summary()).save()


def prepare_cases(
    task: Task, measured: list[MeasuredCase], preparation: Preparation, workers: Workers
) -> Iterator[PreparedCase]:
    """Write the regions of every case that could be measured."""
    hashes = {case.name: case.hashes for case in measured if not case.error}
    one = replace(preparation, task=_without_cases(task))
    cases = [case for case in task.training if case.name in hashes]
    yield from workers.map(prepare_case, ((one, case, hashes[case.name]) for case in cases))


def _without_cases(task: Task) -> Task:
    """Return a task as workers need it, who get their case beside it."""
    return replace(task, training=(), test=())


def inputs(task: Task, measured: list[MeasuredCase]) -> dict[str, str]:
    """SHA-256 of all files that a plan depends on, by their paths in the task."""
    lists = [task.folder / name for name in ("dataset.json", GROUPS)]
    hashes = {path.name: sha256(path) for path in lists if path.exists()}
    for case in measured:
        hashes |= case.hashes
    return hashes


def low_coverage(prepared: list[PreparedCase]) -> list[tuple[str, str]]:
    """Say of which cases the planned cut holds too little of an object: (case, message)."""
    return [
        (
            case.name,
            f"{name}: the planned cut holds {100 * value:.2f} % of the object, expected"
            f" {100 * ENOUGH:g} %: is part of it away from the points?",
        )
        for case in prepared
        for name, value in case.coverage.items()
        if value < ENOUGH
    ]


def describe(plan: Plan, splits: tuple[Split, ...], coverage: Mapping[str, float]) -> list[str]:
    """Return the decisions in a few lines for a person."""

    def times(values: tuple[float, ...]) -> str:
        return "x".join(f"{value:.4g}" for value in values)

    sides = " ".join(
        f"{axis} {low:.1f}/{high:.1f} mm + {100 * a:.0f}/{100 * b:.0f} %"
        for axis, (low, high), (a, b) in zip("RAS", plan.cut.mm, plan.cut.fraction, strict=True)
    )
    ways = ", ".join(
        f"{name} " + (f"{one.low:.4g} to {one.high:.4g}" if one.kind == "ct" else "z-score")
        for name, one in zip(plan.modalities, plan.normalisation, strict=True)
    )
    stages = " ".join(times(stride) for stride in plan.network.strides)
    lines = [
        f"spacing {times(plan.spacing)} mm; {ways}; margins around the points' box: {sides}",
        f"sample {times(plan.sample_shape)} voxels, batch {plan.batch_size}, about"
        f" {plan.estimated_gb:.1f} of {plan.memory_gb:g} GB; preset {plan.preset}: strides"
        f" {stages}, {plan.network.features[0]} to {plan.network.features[-1]} features",
        f"{len(splits)} folds of {', '.join(str(len(one.validation)) for one in splits)}"
        f" validation cases, seed {plan.seed}",
    ]
    if len(splits) == 1:
        lines[-1] = "1 fold that trains and validates on the same cases: no honest validation"
    if coverage:
        worst = min(coverage, key=lambda name: coverage[name])
        lines.append(
            f"the cuts hold {100 * float(np.mean(list(coverage.values()))):.3f} % of the objects'"
            f" voxels on the mean, at least {100 * coverage[worst]:.3f} % ({worst})"
        )
    return lines


def _measure(work: tuple[Task, Path, Case, bool]) -> MeasuredCase:
    task, folder, case, overwrite = work
    hashes: dict[str, str] = {}
    try:
        hashes = file_hashes(task, case)
        path = folder / FACTS / f"{case.name}.json"
        made_from = {
            "version": FACTS_VERSION,
            "subtype": case.subtype,
            **case_inputs(task, case, hashes),
        }
        if not overwrite and (known := _known(case.name, path, made_from)):
            return MeasuredCase(case.name, hashes, *known)
        scan = read_scan(case, len(task.modalities), task.labels)
        facts = measure_case(scan, case.subtype)
        assert scan.label is not None
        foreground = scan.label.array[0] > 0
        histograms = {
            name: Histogram.of(channel[foreground])
            for name, channel in zip(task.modalities, scan.image.array, strict=True)
            if is_ct(name)
        }
        content = {
            "made_from": made_from,
            "facts": asdict(facts),
            "histograms": {
                name: [one.values.tolist(), one.counts.tolist()] for name, one in histograms.items()
            },
        }
        write_json(path, content)
        return MeasuredCase(case.name, hashes, facts, histograms)
    except DataError as error:
        return MeasuredCase(case.name, hashes, error=one_line(error))
    except Exception as error:  # one odd case must not end the others
        why = f"unexpected {type(error).__name__}: {one_line(error)} (please report it)"
        return MeasuredCase(case.name, hashes, error=why)


def _known(
    name: str, path: Path, made_from: Mapping[str, Any]
) -> tuple[CaseFacts, dict[str, Histogram]] | None:
    """Read the facts that an earlier run measured on the same files."""
    try:
        content = read_object(path)
        if content.get("made_from") != made_from:
            return None
        from pydantic import TypeAdapter

        facts = TypeAdapter(CaseFacts).validate_python(content["facts"])
        histograms = {
            modality: Histogram(np.array(values, dtype=np.float64), np.array(counts, np.int64))
            for modality, (values, counts) in content["histograms"].items()
        }
    except (DataError, KeyError, ValueError, TypeError):  # damaged: measured again
        return None
    return facts, histograms


def remove_stale_facts(task: Task, folder: Path) -> None:
    """Remove the facts of cases that the task does not have any more."""
    names = {case.name for case in task.training}
    for path in (folder / FACTS).glob("*.json"):
        if path.stem not in names:
            remove(path)
