"""The stage ``plan``: measure a task's cases, decide how they are trained, prepare regions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.splits import Split, leave_one_out, make_splits, read_groups
from interactivenet.datasets.task import Task, record_failures
from interactivenet.errors import DataError, RequestError
from interactivenet.models.bundle_plan import read_bundle_plan
from interactivenet.pipeline import planning_steps as steps
from interactivenet.pipeline.crowding import crowded_regions
from interactivenet.pipeline.epoch_time import describe_epoch
from interactivenet.pipeline.planning_inputs import input_hashes
from interactivenet.pipeline.planning_report import (
    describe,
    lost_objects,
    low_coverage,
    odd_cases,
    small_objects,
)
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, recorded_reasons
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.up_to_date import lost_training
from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.like import make_plan_like
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PLANS, PlannedTask
from interactivenet.planning.rules import make_plan
from interactivenet.preprocessing import sources
from interactivenet.preprocessing.preparation import Preparation, remove_stale
from interactivenet.preprocessing.region import effective_coverage
from interactivenet.system.files import remove
from interactivenet.system.parallel import Workers, available_cores


@dataclass(frozen=True)
class FoldOptions:
    """How the cases are divided into folds.

    Attributes:
        number: Of the folds; 1 trains and validates on all cases.
        stratified: Each fold gets its share of every subtype.
        leave_one_out: One fold for each subtype, which it validates, instead of ``number``.
    """

    number: int = 5
    stratified: bool = True
    leave_one_out: bool = False


@dataclass(frozen=True)
class Planned:
    """What became of a task.

    Attributes:
        task: Its plan, its folds, and how much of every object the planned cuts hold.
        prepared: Case to 'written', or 'unchanged' since an earlier run.
        failures: Case to why it cannot be used.
    """

    task: PlannedTask
    prepared: Mapping[str, str]
    failures: Mapping[str, str]


def plan(
    task: str,
    options: PlanningOptions = PlanningOptions(),
    *,
    folds: FoldOptions | int = 5,
    snapshots: bool = False,
    overwrite: bool = False,
    roots: Roots | None = None,
    jobs: int | None = None,
    reporter: Reporter = SILENT,
) -> Planned:
    """Measure a checked task, decide how it is trained, and preprocess it.

    Writes ``plans.json``, ``fingerprint/``, ``regions/``, ``run.json`` and, if asked for,
    ``snapshots/`` into the processed task. What is finished and unchanged is skipped. A case that
    cannot be used is left out and named in ``failures.json``.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        options: What is asked of the plan.
        folds: How the cases are divided for cross-validation; a number means so many folds.
        snapshots: Draw a picture of every prompt, too.
        overwrite: Measure and preprocess again what is finished and unchanged, too, and replace a
            plan that folds are trained with.
        roots: Folders of the tasks; by default those of the environment variables.
        jobs: Processes; by default one for each available core.
        reporter: Receives the progress, the findings, and what was decided.

    Returns:
        The planned task, and what became of every case.

    Raises:
        RequestError: There is no such task, it has no prompts or too few cases, nothing fits into
            the memory, there is no model to plan like, or the plan would replace one that folds are
            trained with.
        DataError: A file of the task other than those of its cases, or of the model to plan like,
            cannot be used.
        Interrupted: A signal came; called again, it continues.
    """
    roots = roots or Roots.choose()
    division = FoldOptions(folds) if isinstance(folds, int) else folds
    dataset = Task.load(roots.raw_task(task))
    seed = options.seed
    _check(dataset, division, seed)
    like = None if options.like is None else read_bundle_plan(options.like, roots)
    folder = roots.processed / dataset.name
    total = len(dataset.training)
    workers = Workers(min(jobs or available_cores(), total), steps.WORKER_MODULES)
    arguments = {
        "task": task, "options": options, "folds": division.number,
        "stratified": division.stratified, "leave_one_out": division.leave_one_out,
        "snapshots": snapshots, "overwrite": overwrite, "roots": roots, "jobs": jobs,
    }  # fmt: skip
    with running_stage("plan", folder, arguments, seed=seed) as stage, workers:
        run = stage.run
        with run.step("fingerprint"):
            cases = steps.measure_cases(dataset, folder, workers, overwrite=overwrite)
            names = [case.name for case in dataset.training]
            fingerprint, measured = steps.collect(
                dataset, reporter.track(stage.interruptible(cases), total, "measured", names)
            )
        run.inputs(input_hashes(dataset, measured))
        failures = {case.name: case.error for case in measured if case.error}
        record_failures(folder, "plan", recorded_reasons(failures, reporter))
        reporter.findings(_errors(failures))
        with run.step("plan"):
            decided = _decide(dataset, fingerprint, options, like)
            decided = _same_as_before(decided, folder / PLANS)
            usable = [case.name for case in measured if not case.error]
            # refused before hours of preprocessing
            splits = _divide(dataset, usable, division, seed)
            lost = lost_training(
                roots, PlannedTask(folder, decided, splits), dataset,
                {name: digest for case in measured for name, digest in case.hashes.items()},
            )  # fmt: skip
            if lost and not overwrite:
                run.forget()  # the plan that stays keeps its record
                raise RequestError(lost, remedy="`overwrite=True` replaces it all the same")
            if lost:
                reporter.say(f"warning: {lost}")
        with run.step("preprocess"):
            _withdraw(folder, decided)
            pictures = steps.SNAPSHOTS if snapshots else None
            preparation = Preparation(
                dataset, decided, folder, pictures, overwrite, steps.are_many(fingerprint)
            )
            regions = steps.prepare_cases(dataset, measured, preparation, workers)
            regions = stage.interruptible(regions)
            results = list(reporter.track(regions, len(usable), "preprocessed", usable))
        prepared = [case for case in results if case.status != "failed"]
        small = lost_objects(prepared, dataset)
        late = {case.name: case.error for case in results if case.status == "failed"}
        failures |= late
        reasons = recorded_reasons(failures, reporter)
        recorded = record_failures(folder, "plan", reasons)
        run.note(failures=reasons, lost=small)
        run.workers(workers.jobs, workers.peak_mb)
        reporter.findings(
            [
                *odd_cases(decided, fingerprint, options),
                *_errors(late),
                *low_coverage(prepared),
                *small_objects(small, decided),
                *(Finding("warning", case.name, note) for case in prepared for note in case.notes),
                *(Finding("note", "", note) for note in decided.notes),
                *crowded_regions(folder),
            ]
        )
        splits = _divide(dataset, [case.name for case in prepared], division, seed)
        coverage = {
            name: effective_coverage(held, case.volumes.get(name))
            for case in prepared
            for name, held in case.coverage.items()
        }
        sources.write_sources(
            folder,
            {name: digest for case in measured for name, digest in case.hashes.items()},
            {name: mark for case in measured for name, mark in case.stamps.items()},
        )
        planned = PlannedTask(folder, decided, splits, coverage, fingerprint.summary())
        planned.save()
        remove_stale(folder, coverage)
        steps.remove_stale_facts(dataset, folder)
    result = Planned(planned, {case.name: case.status for case in prepared}, failures)
    _report(result, recorded, reporter)
    return result


def _check(task: Task, division: FoldOptions, seed: int) -> None:
    """Raise RequestError or DataError where the task cannot be planned, before scans are read."""
    if not task.training:
        raise RequestError(f"{task.folder}: has no training cases")
    if not any(case.interaction for case in task.training):
        raise RequestError(
            f"{task.folder}: no training case has prompts",
            remedy=f"run `simulate(task={task.name!r})`, then `check_dataset(task={task.name!r})`",
        )
    _divide(task, [case.name for case in task.training], division, seed)


def _divide(task: Task, names: list[str], division: FoldOptions, seed: int) -> tuple[Split, ...]:
    """Divide those of the task's training cases that have these names into folds.

    Raises RequestError where they do not suffice, DataError for a wrong groups.json.
    """
    groups = read_groups(task.folder, [case.name for case in task.training])
    subtypes = {case.name: case.subtype for case in task.training}
    if division.leave_one_out:
        return leave_one_out(names, groups=groups, subtypes=subtypes)
    return make_splits(
        names, folds=division.number, seed=seed, groups=groups, subtypes=subtypes,
        stratified=division.stratified,
    )  # fmt: skip


def _decide(
    task: Task, fingerprint: Fingerprint, options: PlanningOptions, like: Plan | None
) -> Plan:
    """Make the plan, perhaps like another.

    Raises RequestError where no case could be measured or nothing fits.
    """
    if not fingerprint.cases:
        raise RequestError(f"{task.folder}: no training case can be used: nothing to plan from")
    if like is not None:
        return make_plan_like(task.name, task.labels, fingerprint, options, like)
    return make_plan(task.name, task.labels, fingerprint, options)


def _same_as_before(decided: Plan, path: Path) -> Plan:
    """Return a plan as the version before wrote it, where all that it decides is the same.

    Folds that are trained belong to that plan; another version's name must not orphan them.
    """
    with suppress(DataError, RequestError):
        before = Plan.load(path)
        if replace(before, version=decided.version, notes=decided.notes) == decided:
            return replace(decided, version=before.version)
    return decided


def _withdraw(folder: Path, decided: Plan) -> None:
    """Remove ``plans.json`` unless it holds the same plan: regions are about to change.

    A run that is killed leaves no plan, rather than one that its regions do not follow.
    """
    path = folder / PLANS
    try:
        unchanged = path.exists() and Plan.load(path) == decided
    except DataError:
        unchanged = False
    if not unchanged:
        remove(path)


def _errors(failures: Mapping[str, str]) -> list[Finding]:
    return [Finding("error", case, reason) for case, reason in failures.items()]


def _report(result: Planned, recorded: Path, reporter: Reporter) -> None:
    for line in describe(result.task):
        reporter.say(line)
    reporter.say(describe_epoch(result.task))
    statuses = list(result.prepared.values())
    counts = {status: statuses.count(status) for status in ("written", "unchanged")}
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    regions = counted(len(result.task.coverage), "region")
    reporter.say(f"{result.task.path}: {regions} of {counted(len(statuses), 'case')} ({summary})")
    if result.failures:
        reporter.say(f"{counted(len(result.failures), 'case')} failed, see {recorded}")
