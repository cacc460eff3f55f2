"""``interactivenet plan``: fingerprint, plan and preprocess a task."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Command, processed_option, raw_option, required, task_option

_STATUSES = ("written", "unchanged")


@click.command("plan", cls=Command)
@task_option
@click.option("-s", "--seed", default=0, show_default=True, help="Of the splits; stored.")
@click.option("-f", "--folds", default=5, show_default=True, help="Cross-validation folds.")
@click.option("--leave-one-out", is_flag=True, help="One fold per subtype instead.")
@click.option(
    "--stratified/--no-stratified", default=True, show_default=True,
    help="Whether each fold gets its share of every subtype.",
)  # fmt: skip
@click.option(
    "--relax", default=0.1, show_default=True,
    help="Least margin around the points' box, as a fraction of it.",
)  # fmt: skip
@click.option(
    "--spacing", type=(float, float, float), metavar="R A S",
    help="Voxels of the target grid, mm; coarser ones train faster.  [default: by the data]",
)  # fmt: skip
@click.option("--memory-gb", default=8.0, show_default=True, help="Bound for a training step.")
@click.option(
    "--preset", type=click.Choice(["tiny", "small", "default", "large"]), default="default",
    show_default=True, help="Size of the network.",
)  # fmt: skip
@click.option(
    "--encoding",
    type=click.Choice(["exact", "scan", "geodistk", "gradient", "euclidean", "gaussian", "none"]),
    default="gradient", show_default=True, help="How points become a map.",
)  # fmt: skip
@click.option(
    "--extent/--no-extent", default=True, show_default=True,
    help="A second map: the ellipsoid through the points' extent.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Draw each prompt into snapshots/.")
@click.option("--overwrite", is_flag=True, help="Redo what is finished and unchanged, too.")
@raw_option
@processed_option.with_access("writes")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes.  [default: the available cores]"
)
@click.pass_context
def plan(
    ctx: click.Context,
    task: str | None,
    seed: int,
    folds: int,
    leave_one_out: bool,
    stratified: bool,
    relax: float,
    spacing: tuple[float, float, float] | None,
    memory_gb: float,
    preset: str,
    encoding: str,
    extent: bool,
    verbose: bool,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    jobs: int | None,
) -> None:
    """Measure a checked task, decide how it is trained, and preprocess it.

    Writes plans.json, regions/, run.json and, with -v, snapshots/ into the processed task. What
    is finished and unchanged is skipped.
    """
    from interactivenet.cli.reporting import counted, say, show_findings, track
    from interactivenet.datasets.file_matching import Finding
    from interactivenet.datasets.task import Roots, Task, record_failures
    from interactivenet.pipeline import plan
    from interactivenet.planning.rules import PlanningOptions, encoding_named, lone_margins
    from interactivenet.preprocessing.storage import Preparation, remove_stale
    from interactivenet.system.locks import folder_lock
    from interactivenet.system.parallel import Workers, available_cores
    from interactivenet.system.provenance import Run

    roots = Roots.choose(raw=raw, processed=processed)
    dataset = Task.load(roots.raw_task(required(task, "-t / --task")))
    options = PlanningOptions(
        seed=seed, relax=relax, spacing=spacing, memory_gb=memory_gb, preset=preset,
        encoding=encoding_named(encoding, extent=extent),
    )  # fmt: skip
    how = plan.FoldOptions(folds, stratified=stratified, leave_one_out=leave_one_out)
    plan.check(dataset, how, seed)
    folder = roots.processed / dataset.name
    count = len(dataset.training)
    workers = Workers(min(jobs or available_cores(), count), plan.WORKER_MODULES)
    with folder_lock(folder), Run(folder, "plan", ctx.params, seed) as run, workers:
        with run.step("fingerprint"):
            cases = plan.measure_cases(dataset, folder, workers, overwrite=overwrite)
            fingerprint, measured = plan.collect(dataset, track(cases, count, "measured"))
        run.inputs(plan.inputs(dataset, measured))
        failures = {one.name: one.error for one in measured if one.error}
        recorded = record_failures(folder, "plan", failures)
        show_findings([Finding("error", name, why) for name, why in failures.items()])
        with run.step("plan"):
            decided = plan.decide(dataset, fingerprint, options)
            names = [one.name for one in measured if not one.error]
            plan.split(dataset, names, how, seed)
        findings = [
            Finding("warning", *lone) for lone in lone_margins(fingerprint, decided.spacing)
        ]
        with run.step("preprocess"):
            plan.withdraw(folder, decided)
            snapshots = plan.SNAPSHOTS if verbose else None
            preparation = Preparation(dataset, decided, folder, snapshots, overwrite)
            prepared = plan.prepare_cases(dataset, measured, preparation, workers)
            results = list(track(prepared, len(names), "preprocessed"))
        done = [one for one in results if one.status != "failed"]
        late = {one.name: one.error for one in results if one.status == "failed"}
        recorded = record_failures(folder, "plan", failures | late)
        run.note(failures=failures | late)
        run.workers(workers.jobs, workers.peak_mb)
        findings += [Finding("error", name, why) for name, why in late.items()]
        findings += [Finding("warning", *low) for low in plan.low_coverage(done)]
        findings += [Finding("warning", one.name, note) for one in done for note in one.notes]
        findings += [Finding("note", "", note) for note in decided.notes]
        show_findings(findings)
        splits = plan.split(dataset, [one.name for one in done], how, seed)
        coverage = {name: value for one in done for name, value in one.coverage.items()}
        path = plan.write_plans(folder, decided, splits, fingerprint, coverage)
        remove_stale(folder, coverage)
        plan.remove_stale_facts(dataset, folder)
    for line in plan.describe(decided, splits, coverage):
        say(line)
    counts = {status: sum(one.status == status for one in done) for status in _STATUSES}
    said = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    say(f"{path}: {counted(len(coverage), 'region')} of {counted(len(done), 'case')} ({said})")
    if failures or late:
        say(f"{counted(len(failures | late), 'case')} failed, see {recorded}")
        ctx.exit(1)
