"""The command line: every command is a module of its own, loaded when it is called."""

from __future__ import annotations

import click

from interactivenet import __version__
from interactivenet.cli.base import LazyGroup

_COMMANDS = {
    "demo": ("interactivenet.cli.demo:demo", "Run every stage on a small task, within minutes."),
    "dataset": (
        "interactivenet.cli.dataset:dataset",
        "Check a raw task; import one, or make a synthetic one.",
    ),
    "simulate": ("interactivenet.cli.simulate:simulate", "Simulate margin points from labels."),
    "plan": ("interactivenet.cli.plan:plan", "Measure a task, plan its training, preprocess."),
    "train": ("interactivenet.cli.train:train", "Train the folds of a planned task."),
    "postprocess": (
        "interactivenet.cli.postprocess:postprocess",
        "Choose the checkpoint and postprocessing by cross-validation.",
    ),
    "predict": ("interactivenet.cli.predict:predict", "Segment the test cases with each fold."),
    "ensemble": ("interactivenet.cli.ensemble:ensemble", "Average the folds' predictions."),
    "test": ("interactivenet.cli.test:test", "Predict, ensemble and evaluate the test cases."),
    "evaluate": ("interactivenet.cli.evaluate:evaluate", "Compare predictions with labels."),
    "robustness": (
        "interactivenet.cli.robustness:robustness",
        "Measure how results depend on the exact placement of the points.",
    ),
    "evaluate-corrections": (
        "interactivenet.cli.evaluate_corrections:evaluate_corrections",
        "Measure what correcting clicks are worth, by robots.",
    ),
    "deploy": ("interactivenet.cli.deploy:deploy", "Package a trained task as a model to share."),
    "infer": ("interactivenet.cli.infer:infer", "Segment new cases."),
    "export": (
        "interactivenet.cli.export:export",
        "Write results as DICOM SEG, RTSTRUCT or for 3D Slicer.",
    ),
    "serve": ("interactivenet.cli.serve:serve", "Serve a viewer in the browser."),
    "models": (
        "interactivenet.cli.models:models",
        "Pretrained models: list, download, install, show, remove, convert.",
    ),
    "doctor": ("interactivenet.cli.doctor:doctor", "Check this installation or container."),
    "prompts": ("interactivenet.cli.prompts:prompts", "Convert prompt files between formats."),
}


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from interactivenet.system.provenance import revision

    commit = revision()
    click.echo(f"interactivenet, version {__version__}" + (f", commit {commit}" if commit else ""))
    ctx.exit()


@click.command("interactivenet", cls=LazyGroup, commands_at=_COMMANDS)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False,
              callback=_show_version, help="Show the version and exit.")  # fmt: skip
def main() -> None:
    """Minimally interactive 3D medical image segmentation from six interior margin points.

    Folders: --raw, --processed and --results of each command, or the environment variables
    interactivenet_raw, interactivenet_processed and interactivenet_results.

    Exit status: 0 all done, 1 some cases failed, 2 the request itself is wrong.
    """
