"""``interactivenet simulate``: margin points from label maps."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Command, jobs_option, raw_option, required, task_option


@click.command("simulate", cls=Command)
@task_option
@click.option("-s", "--seed", default=0, show_default=True, help="The same seed, the same files.")
@click.option("--depth-mm", type=float, help="Depth below the extremes.  [5 voxels; 1 if coarse]")
@click.option("--random", type=int, default=0, help="N random points instead of margin points.")
@click.option("--centre", is_flag=True, help="The centre point instead of margin points.")
@click.option("--jitter-mm", default=0.0, show_default=True, help="Noise on each coordinate.")
@click.option(
    "--per-component/--per-label", default=False, help="What is one object.  [default: per-label]"
)
@click.option(
    "--largest-component/--all-components", default=True, show_default=True,
    help="Whether stray components of a label are left out.",
)  # fmt: skip
@click.option(
    "--format", "file_format", type=click.Choice(["nii.gz", "json"]), default="nii.gz",
    show_default=True, help="json is chosen where two objects of a case share a label.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace prompts placed by others, too.")
@raw_option.with_access("writes")
@jobs_option
@click.pass_context
def simulate(
    ctx: click.Context,
    task: str | None,
    seed: int,
    depth_mm: float | None,
    random: int,
    centre: bool,
    jitter_mm: float,
    per_component: bool,
    largest_component: bool,
    file_format: str,
    overwrite: bool,
    raw: Path | None,
    jobs: int | None,
) -> None:
    """Write six interior margin points per object, from the label maps of a raw task.

    Points go to interactionsTr and interactionsTs, the settings to simulation.json. Images and
    labels are never changed. Prompt files that were not simulated here are kept.
    """
    from interactivenet.cli.reporting import counted, say, show_findings, track
    from interactivenet.datasets.file_matching import Finding
    from interactivenet.datasets.task import Roots, record_failures
    from interactivenet.pipeline.simulate import labelled_cases, simulate_task
    from interactivenet.prompts.simulation import SimulationOptions
    from interactivenet.system.parallel import available_cores

    folder = Roots.choose(raw=raw).raw_task(required(task, "-t / --task"))
    settings = SimulationOptions(
        seed=seed, random=random, centre=centre, depth_mm=depth_mm, jitter_mm=jitter_mm,
        per_component=per_component, largest_component=largest_component, format=file_format,
    )  # fmt: skip
    work = labelled_cases(folder)
    results = list(
        track(
            simulate_task(folder, settings, jobs=jobs or available_cores(), overwrite=overwrite),
            len(work),
            "simulated",
        )
    )
    findings = [
        Finding("error" if result.status == "failed" else "note", result.name, note)
        for result in results
        for note in result.notes
    ]
    findings += [
        Finding("note", result.name, "has prompts from elsewhere, kept (--overwrite replaces them)")
        for result in results
        if result.status == "kept"
    ]
    show_findings(findings)
    failures = {one.name: "; ".join(one.notes) for one in results if one.status == "failed"}
    recorded = record_failures(folder, "simulate", failures)
    counts = {
        status: sum(one.status == status for one in results)
        for status in ("written", "unchanged", "kept", "failed")
    }
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    if counts["written"]:
        objects = sum(one.objects for one in results)
        said += f" ({sum(one.points for one in results)} points of {objects} objects)"
    say(f"{folder}: {said}; seed {seed}")
    if failures:
        say(f"{counted(len(failures), 'case')} failed, see {recorded}")
        ctx.exit(1)
