"""``interactivenet evaluate``: compare stored predictions with labels."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Command, jobs_option

_PATH = click.Path(path_type=Path)


@click.command("evaluate", cls=Command)
@click.option(
    "-p", "--predictions", type=_PATH, required=True, help="Folder of label maps, or one."
)
@click.option("-l", "--labels", type=_PATH, required=True, help="Folder of true ones, or one.")
@click.option("-i", "--images", type=_PATH, help="Folder of CASE_0000 ... or CASE: for pictures.")
@click.option("-in", "--interactions", type=_PATH, help="Folder of points: for pictures, objects.")
@click.option("-o", "--output", type=_PATH, help="Where to.  [default: PREDICTIONS/evaluation]")
@click.option("--subtypes", type=_PATH, help='JSON: {"CASE": "subtype", ...}.')
@click.option("--name", "names", multiple=True, metavar="VALUE=NAME", help="Name of a label.")
@click.option("--tolerance-mm", default=2.0, show_default=True, type=click.FloatRange(min=0),
              help="Surfaces this near agree, for the NSD.")  # fmt: skip
@click.option("--pictures/--no-pictures", default=True, show_default=True,
              help="Draw every case's worst object, where there are images.")  # fmt: skip
@jobs_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    predictions: Path,
    labels: Path,
    images: Path | None,
    interactions: Path | None,
    output: Path | None,
    subtypes: Path | None,
    names: tuple[str, ...],
    tolerance_mm: float,
    pictures: bool,
    jobs: int | None,
) -> None:
    """Compare predictions, of this or any other program, with labels of the same name.

    Writes metrics.json, metrics.csv, report.html, figures/ and run.json. Beside the predictions,
    CASE.json and objects/ are used where 'predict' wrote them.
    """
    from interactivenet.case_files import Finding
    from interactivenet.cli.evaluation_shown import show_summary
    from interactivenet.cli.reporting import say, show_findings, track
    from interactivenet.evaluation.cases import evaluate_cases
    from interactivenet.evaluation.pairs import build_pairs, case_name, read_subtypes
    from interactivenet.parallel import available_cores
    from interactivenet.prompts import LabelNames
    from interactivenet.provenance import Run
    from interactivenet.signals import Interrupted, Signals
    from interactivenet.task import record_failures

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
