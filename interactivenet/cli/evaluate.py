"""``interactivenet evaluate``: compare stored predictions with labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import (
    Command,
    jobs_option,
    processed_option,
    raw_option,
    required,
    results_option,
    task_option,
)
from interactivenet.cli.folders import Access, DataPath, only_with
from interactivenet.cli.predicting import network_options

_READ = DataPath("reads")


def _access_to_predictions(options: Mapping[str, Any]) -> Access:
    """Say whether the evaluation goes to where the predictions are."""
    return "writes" if options["output"] is None and not options["robustness"] else "reads"


def _access_to_results(options: Mapping[str, Any]) -> Access:
    """Say whether --robustness finds its model there, or writes there as well."""
    if not options["robustness"]:
        return "ignores"
    return "writes" if options["output"] is None else "reads"


@click.command("evaluate", cls=Command)
@click.option("-p", "--predictions", type=DataPath(_access_to_predictions),
              help="Folder of label maps, or one.")  # fmt: skip
@click.option("-l", "--labels", type=_READ, help="Folder of true ones, or one.")
@click.option("-i", "--images", type=_READ, help="Folder of CASE_0000 ... or CASE: for pictures.")
@click.option("-in", "--interactions", type=_READ, help="Folder of points: for pictures, objects.")
@click.option("-o", "--output", type=DataPath("writes"),
              help="Where to.  [default: PREDICTIONS/evaluation]")  # fmt: skip
@click.option("--subtypes", type=_READ, help='JSON: {"CASE": "subtype", ...}.')
@click.option("--name", "names", multiple=True, metavar="VALUE=NAME", help="Name of a label.")
@click.option("--tolerance-mm", default=2.0, show_default=True, type=click.FloatRange(min=0),
              help="Surfaces this near agree, for the NSD.")  # fmt: skip
@click.option("--pictures/--no-pictures", default=True, show_default=True,
              help="Draw every case's worst object, where there are images.")  # fmt: skip
@jobs_option
@click.option("--robustness", is_flag=True,
              help="Instead: segment a task's cases (-t) with disturbed points.")  # fmt: skip
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1),
              help="Of each disturbance.")  # fmt: skip
@click.option("-s", "--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Of the disturbances.")  # fmt: skip
@task_option
@raw_option.with_access(only_with("robustness"))
@processed_option.with_access(only_with("robustness"))
@results_option.with_access(_access_to_results)
@click.option("--overwrite", is_flag=True, help="Do again what is done.")
@network_options
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    predictions: Path | None,
    labels: Path | None,
    images: Path | None,
    interactions: Path | None,
    output: Path | None,
    subtypes: Path | None,
    names: tuple[str, ...],
    tolerance_mm: float,
    pictures: bool,
    jobs: int | None,
    robustness: bool,
    repeats: int,
    seed: int,
    task: str | None,
    overwrite: bool,
    raw: Path | None,
    processed: Path | None,
    results: Path | None,
    **network: Any,
) -> None:
    """Compare predictions, of this or any other program, with labels of the same name.

    Writes metrics.json, metrics.csv, report.html, figures/ and run.json. Beside the predictions,
    CASE.json and objects/ are used where 'predict' wrote them.

    With --robustness, -p and -l are not needed: a task's labelled test cases (without any, its
    training cases, each by the fold that never saw it) are segmented from disturbed points. The
    options from -t on belong to that alone.
    """
    if robustness:
        from interactivenet.cli.robustness import measure_robustness
        from interactivenet.datasets.task import Roots

        name = required(task, "-t / --task")
        roots = Roots.choose(raw=raw, processed=processed, results=results)
        measure_robustness(
            ctx, roots, name, output=output, repeats=repeats, seed=seed, overwrite=overwrite,
            network=network,
        )  # fmt: skip
        return
    if predictions is None or labels is None:
        missing = "-p / --predictions" if predictions is None else "-l / --labels"
        raise click.UsageError(f"Missing option '{missing}'.")
    from interactivenet.cli.evaluation_shown import show_summary
    from interactivenet.cli.reporting import say, show_findings, track
    from interactivenet.datasets.file_matching import Finding
    from interactivenet.datasets.task import record_failures
    from interactivenet.evaluation.evaluate import evaluate_cases
    from interactivenet.evaluation.matching import build_pairs, case_name, read_subtypes
    from interactivenet.prompts.prompt import LabelNames
    from interactivenet.system.parallel import available_cores
    from interactivenet.system.provenance import Run
    from interactivenet.system.signals import Interrupted, Signals

    names_of_labels = LabelNames.parse(names) if names else None
    matched = build_pairs(
        predictions, labels, images=images, prompts=interactions,
        subtypes=read_subtypes(subtypes) if subtypes else None,
    )  # fmt: skip
    if output is None:
        single = predictions.is_file()
        output = predictions / "evaluation" if not single else (
            predictions.parent / f"{case_name(predictions)}_evaluation"
        )  # fmt: skip
    show_findings([Finding("warning", name, why) for name, why in matched.warnings.items()])
    signals = Signals()
    with Run(output, "evaluate", ctx.params) as run, signals.noted():
        try:
            evaluation = evaluate_cases(
                matched.pairs, output, labels=names_of_labels, tolerance_mm=tolerance_mm,
                title=predictions.resolve().name, pictures=pictures,
                jobs=jobs or available_cores(), track=track, signals=signals,
                missing=matched.missing,
            )  # fmt: skip
        except Interrupted as ended:
            say(f"{ended}: the same command starts again")
            run.note(ended=str(ended))
            ctx.exit(128 + ended.number)
        failures = evaluation.failures
        run.note(cases=len(matched.pairs), failures=failures)
        recorded = record_failures(output, "evaluate", failures)
    show_findings([Finding("error", name, why) for name, why in failures.items()])
    show_summary(evaluation)
    if failures:
        say(f"failures: {recorded}")
        ctx.exit(1)
