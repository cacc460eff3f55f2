"""``interactivenet demo``: the whole way, from scans to a deployed model, within minutes."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Command
from interactivenet.cli.folders import DataPath


@click.command("demo", cls=Command)
@click.option("-o", "--output", default="demo", show_default=True, metavar="FOLDER",
              type=DataPath("writes", file_okay=False),
              help="Where everything goes.")  # fmt: skip
@click.option("--data", type=DataPath("reads"), metavar="FOLDER",
              help="Your own scans (images/ and labels/, a Decathlon or nnU-Net dataset); some of"
              " them are taken, and none is altered.  [default: synthetic scans]")  # fmt: skip
@click.option("-m", "--modality", "modalities", multiple=True, metavar="NAME",
              help="Of --data: CT, where it is CT; for each modality.")  # fmt: skip
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME",
              help="Of --data: a label, as for 'dataset convert'.")  # fmt: skip
@click.option("--merge-labels", default="", metavar="NAME", help="Of --data: make all labels one.")
@click.option("--cases", type=click.IntRange(min=2),
              help="To train with.  [default: 24, of --data 20]")  # fmt: skip
@click.option("--test-cases", type=click.IntRange(min=1), help="[default: 6, of --data 4]")
@click.option("-e", "--epochs", type=click.IntRange(min=1), help="[default: 50, of --data 30]")
@click.pass_context
def demo(
    ctx: click.Context,
    output: Path,
    data: Path | None,
    modalities: tuple[str, ...],
    labels: tuple[str, ...],
    merge_labels: str,
    cases: int | None,
    test_cases: int | None,
    epochs: int | None,
) -> None:
    """Run every stage on a small task: make or import it, train, test, deploy, infer.

    Each command is printed as one would type it in the demo's folder. Started again, the demo
    goes on where it was.
    """
    from interactivenet.cli.reporting import say
    from interactivenet.pipeline import demo as stages

    if data is None and (modalities or labels or merge_labels):
        raise click.UsageError("-m, -l and --merge-labels belong to --data.")
    count, test_count = stages.chosen_counts(data) if data else (24, 6)
    settings = stages.DemoOptions(
        data="" if data is None else str(data.resolve()), modalities=modalities, labels=labels,
        merge_labels=merge_labels, cases=cases or count, test_cases=test_cases or test_count,
        epochs=epochs or (30 if data else 50),
    )  # fmt: skip
    steps = stages.steps(settings)
    stages.begin(output, settings)
    say(f"$ cd {output}")
    worst = 0

    def do(step: stages.Step, number: int) -> None:
        nonlocal worst
        say(f"\n[{number}/{len(steps)}] {step.why}\n$ {stages.typed(step)}")
        if step.made and (output / step.made).exists():
            say(f"{step.made} is there already")
            return
        status = stages.run(step, output)
        if status not in (0, 1):  # 1: some cases failed, and the others go on
            why = "the line above says why" if status == 2 else "the same command goes on"
            say(f"the demo ends here, with status {status}: {why}")
            ctx.exit(status if status > 0 else 128 - status)
        worst = max(worst, status)

    for number, step in enumerate(steps, start=1):
        do(step, number)
        if step.words[0] == "plan" and (again := stages.coarser(settings, output)):
            do(again, number)
    found = stages.outcome(output)
    results = output / "results"
    say("\nDone.")
    if found:
        between = f" ({found['min']:.3f} to {found['max']:.3f})" if found["n"] > 1 else ""
        say(f"Dice of the test cases: {found['mean']:.3f}{between}, n = {found['n']}")
    say(f"the report, to be opened in a browser: {results / stages.TASK}/evaluation/report.html")
    say(f"the deployed model and its card: {results / 'models' / stages.TASK}")
    say(f"segmentations of new scans: {output / 'new_segmentations'}")
    say("next: your own scans, interactivenet demo --data FOLDER -o FOLDER; then step by step, with"
        " more epochs and without --preset tiny: docs/tutorials/your-own-data.md")  # fmt: skip
    ctx.exit(worst)
