"""``interactivenet dataset``: check a raw task and write dataset.json; import; phantoms."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import Group, jobs_option, raw_option, required, task_option
from interactivenet.cli.folders import DataPath

_LABEL_HELP = (
    "A label's name, numbered from 1 in the order given, or VALUE=NAME. Repeat for several."
)


@click.command("dataset", cls=Group, invoke_without_command=True)
@task_option
@click.option(
    "-m", "--modality", "modalities", multiple=True, metavar="NAME",
    help="A modality, such as MR or CT, in the order _0000, _0001 ... Repeat for several.",
)  # fmt: skip
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME", help=_LABEL_HELP)
@click.option("--subtypes", is_flag=True, help="Read each case's subtype from subtypes.json.")
@raw_option.with_access("writes")
@jobs_option
@click.pass_context
def dataset(
    ctx: click.Context,
    task: str | None,
    modalities: tuple[str, ...],
    labels: tuple[str, ...],
    subtypes: bool,
    raw: Path | None,
    jobs: int | None,
) -> None:
    """Check a raw task, print what is found, and write its dataset.json.

    Every image, label map and prompt file is read. A case with an error is left out of
    dataset.json and named in failures.json; warnings and notes cost nothing. Without -m and -l,
    a task that has a dataset.json is checked again with what that says.
    """
    if ctx.invoked_subcommand is not None:
        return
    from interactivenet.datasets.task import Roots, Task
    from interactivenet.errors import RequestError
    from interactivenet.prompts.prompt import LabelNames

    name = required(task, "-t / --task")
    folder = Roots.choose(raw=raw).raw_task(name)
    names = LabelNames.parse(labels)
    if not modalities or not names.names:
        if not (folder / "dataset.json").exists():
            missing = "-m / --modality" if not modalities else "-l / --label"
            raise click.UsageError(
                f"Missing option '{missing}' ({folder} has no dataset.json yet)."
            )
        known = Task.load(folder)
        modalities = modalities or known.modalities
        names = names if names.names else known.labels
        subtypes = subtypes or any(case.subtype is not None for case in known.training)
    if len(set(modalities)) < len(modalities):
        raise RequestError(f"modality named twice: {', '.join(modalities)}")
    _check(ctx, folder, modalities, names, subtypes, jobs)


@dataset.command("convert")
@click.argument("source", type=DataPath("reads", exists=True, file_okay=False))
@task_option
@click.option(
    "-m", "--modality", "modalities", multiple=True, metavar="NAME",
    help="A modality, where the source does not name them. Repeat for several.",
)  # fmt: skip
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME", help=_LABEL_HELP)
@click.option("--merge-labels", metavar="NAME", help="Make all labels one, of this name.")
@click.option("--copy", is_flag=True, help="Copy files instead of hard-linking them.")
@click.option("--cases", type=click.IntRange(min=1),
              help="Take so many of the cases with a label, drawn by --seed.")  # fmt: skip
@click.option("--test-cases", default=0, type=click.IntRange(min=0),
              help="And so many others of them as test cases.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@raw_option.with_access("writes")
@jobs_option
@click.pass_context
def convert(
    ctx: click.Context,
    source: Path,
    task: str | None,
    modalities: tuple[str, ...],
    labels: tuple[str, ...],
    merge_labels: str | None,
    copy: bool,
    cases: int | None,
    test_cases: int,
    seed: int,
    raw: Path | None,
    jobs: int | None,
) -> None:
    """Import SOURCE as a raw task, then check it. SOURCE is never altered.

    SOURCE is a Medical Segmentation Decathlon folder (4D images become one file per modality),
    an nnU-Net v2 dataset, or a plain folder with images/ and labels/. Files are hard-linked
    where the disk allows it, and copied otherwise.
    """
    from interactivenet.cli.reporting import say, show_findings, track
    from interactivenet.datasets.conversion import RECORD, import_cases
    from interactivenet.datasets.file_matching import Finding
    from interactivenet.datasets.formats import find_source, some_of
    from interactivenet.datasets.task import Roots, check_task_name, record_failures
    from interactivenet.errors import RequestError
    from interactivenet.prompts.prompt import LabelNames
    from interactivenet.system.files import read_object

    name = required(task, "-t / --task")
    check_task_name(name)
    target = Roots.choose(raw=raw).raw / name
    found = find_source(source, LabelNames.parse(labels) if labels else None)
    found = some_of(found, cases, test_cases, seed)
    if merge_labels is not None and labels:
        raise RequestError("give -l or --merge-labels, not both: merged labels have one name")
    names = LabelNames({1: merge_labels}) if merge_labels is not None else found.labels
    modalities = modalities or tuple(name for name in found.modalities if name)
    if not modalities:
        raise RequestError(f"{source} does not name its modalities: give -m for each")
    if len(modalities) != len(found.modalities):
        raise RequestError(
            f"{source} has {len(found.modalities)} modalities, -m named {len(modalities)}:"
            f" {', '.join(modalities)}"
        )
    if not names.names:
        raise RequestError(f"{source} does not name its labels: give -l for each")
    say(f"{found.kind} dataset, {len(found.cases)} cases -> {target}")
    imported = import_cases(found, target, copy=copy, merge_labels=merge_labels is not None)
    if not sum(1 for _ in track(imported, len(found.cases), "imported")):
        say(f"{target} was imported before: it is only checked again")
    left_out = read_object(target / RECORD).get("left_out", {})
    show_findings([Finding("error", case, why) for case, why in left_out.items()])
    record_failures(target, "convert", left_out)
    _check(ctx, target, modalities, names, False, jobs, len(left_out))


@dataset.command("phantom")
@task_option
@click.option("--cases", default=10, show_default=True, help="Training cases.")
@click.option("--test-cases", default=2, show_default=True, help="Test cases.")
@click.option(
    "-m", "--modality", "modalities", multiple=True, default=("MR",), show_default=True,
    metavar="NAME", help="A modality; CT has Hounsfield units. Repeat for several.",
)  # fmt: skip
@click.option(
    "-l", "--label", "labels", multiple=True, default=("tumour",), show_default=True,
    metavar="NAME", help="A label. Repeat for several.",
)  # fmt: skip
@click.option("--objects", default=1, show_default=True, help="Objects per label and case.")
@click.option("--shape", type=(int, int, int), default=(64, 64, 32), show_default=True)
@click.option(
    "--spacing", type=(float, float, float), default=(1.0, 1.0, 2.0), show_default=True, help="mm."
)
@click.option("--oblique", default=0.0, show_default=True, help="Degrees that the grid is tilted.")
@click.option("--orientation", default="LPS", show_default=True, help="Axes as stored.")
@click.option("--seed", default=0, show_default=True)
@raw_option.with_access("writes")
@jobs_option
@click.pass_context
def phantom(
    ctx: click.Context,
    task: str | None,
    cases: int,
    test_cases: int,
    modalities: tuple[str, ...],
    labels: tuple[str, ...],
    objects: int,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    oblique: float,
    orientation: str,
    seed: int,
    raw: Path | None,
    jobs: int | None,
) -> None:
    """Make a task of synthetic scans with lobulated tumours, to try things on."""
    from interactivenet.cli.reporting import say
    from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
    from interactivenet.datasets.task import Roots
    from interactivenet.prompts.prompt import LabelNames

    names = LabelNames.parse(labels)
    folder = Roots.choose(raw=raw).new_task(required(task, "-t / --task"))
    settings = PhantomSettings(
        cases=cases, test_cases=test_cases, modalities=modalities, labels=labels,
        objects=objects, shape=shape, spacing=spacing, oblique=oblique,
        orientation=orientation, seed=seed,
    )  # fmt: skip
    write_phantom_task(folder, settings)
    say(f"{cases + test_cases} phantom cases -> {folder}")
    _check(ctx, folder, modalities, names, False, jobs)


def _check(
    ctx: click.Context,
    folder: Path,
    modalities: tuple[str, ...],
    names: object,
    subtypes: bool,
    jobs: int | None,
    failed_before: int = 0,
) -> None:
    """Check a task, print the findings, write dataset.json and failures.json, set the status."""
    from interactivenet.cli.reporting import counted, say, show_findings, track
    from interactivenet.datasets.integrity import TaskCheck
    from interactivenet.datasets.task import record_failures, set_aside
    from interactivenet.prompts.prompt import LabelNames
    from interactivenet.system.parallel import available_cores

    assert isinstance(names, LabelNames)
    check = TaskCheck(folder, tuple(modalities), names, subtypes)
    for _ in track(check.run(jobs or available_cores()), len(check.cases), "checked"):
        pass
    show_findings([*check.findings, *check.overall()])
    failures = check.failures()
    recorded = record_failures(folder, "dataset", failures)
    task = check.task()
    if task.training:
        path = task.save()
        say(
            f"{path}: {len(task.training)} training and {len(task.test)} test cases,"
            f" modalities {', '.join(modalities)}, labels {names}"
        )
    else:
        old = folder / "dataset.json"
        if old.exists():
            say(f"the dataset.json of before is now {set_aside(old).name}")
        say("dataset.json is not written: no training case can be used")
    if failures or failed_before:
        say(f"{counted(len(failures) + failed_before, 'case')} left out, see {recorded}")
        ctx.exit(1)
