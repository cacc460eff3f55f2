"""Raw tasks: checked, imported from another program's dataset, or made of phantoms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.integrity import TaskCheck
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task, read_use_form, record_failures, set_aside
from interactivenet.errors import RequestError
from interactivenet.imaging.io import ReadOptions
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, recorded_reasons
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.names import word_fault
from interactivenet.system.parallel import available_cores


@dataclass(frozen=True)
class CheckedTask:
    """What a check found.

    Attributes:
        task: The task of all cases that can be used, as ``dataset.json`` lists it.
        findings: What was noticed: errors, warnings and notes.
        failures: Case to why it is left out.
    """

    task: Task
    findings: tuple[Finding, ...]
    failures: Mapping[str, str] = field(default_factory=dict)


def check_dataset(
    task: str,
    *,
    modalities: Sequence[str] = (),
    labels: LabelNames | None = None,
    subtypes: bool = False,
    use_form: Literal["sform", "qform"] | None = None,
    roots: Roots | None = None,
    jobs: int | None = None,
    reporter: Reporter = SILENT,
) -> CheckedTask:
    """Check a raw task and write its ``dataset.json``.

    Every image, label map and prompt file is read. A case with an error is left out of
    ``dataset.json`` and named in ``failures.json``; a case with only warnings or notes stays in.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        modalities: Their names, such as 'MR' or 'CT', in the order _0000, _0001 ...; by default
            those of the ``dataset.json`` that is there already.
        labels: Names of the label values; by default as for the modalities.
        subtypes: Read each case's subtype from ``subtypes.json``, as is done where the
            ``dataset.json`` that is there already has subtypes.
        use_form: Which position of NIfTI headers counts, where they have two that differ, or none:
            'sform' (as nibabel reads them) or 'qform' (as ITK and 3D Slicer do), for all stages;
            by default as ``dataset.json`` says already. Where it does not, a case with such an
            image and points in mm is left out.
        roots: Folders of the tasks; by default those of the environment variables.
        jobs: Threads; by default one for each available core.
        reporter: Receives the progress and the findings.

    Returns:
        The task, what was noticed, and which cases are left out.

    Raises:
        RequestError: There is no such task, it has no images, or modalities or labels are missing.
        DataError: A file of the task other than those of its cases cannot be used.
    """
    folder = (roots or Roots.choose()).raw_task(task)
    names = labels or LabelNames({})
    if not modalities or not names.names:
        if not (folder / "dataset.json").exists():
            raise RequestError(
                field="labels" if modalities else "modalities",
                message=f"{folder} has no dataset.json that names them",
                expected="one or more",
            )
        before = Task.load(folder)
        modalities = modalities or before.modalities
        names = names if names.names else before.labels
        subtypes = subtypes or any(case.subtype is not None for case in before.training)
    _check_modality_names(modalities)
    twice = [name for name, count in Counter(modalities).items() if count > 1]
    if twice:
        raise RequestError(f"'{twice[0]}' is given twice", field="modalities")
    form = use_form or read_use_form(folder)
    if form:
        reporter.say(f"where a NIfTI header has two positions, or none, its {form} counts")
    return check_task(
        folder, modalities, names, jobs, reporter, subtypes=subtypes, reading=ReadOptions(form)
    )


def make_phantoms(
    task: str,
    settings: PhantomSettings = PhantomSettings(),
    *,
    roots: Roots | None = None,
    jobs: int | None = None,
    reporter: Reporter = SILENT,
) -> CheckedTask:
    """Make a raw task of synthetic scans with lobulated tumours, then check it.

    Args:
        task: Name of the task to make, such as 'Task101_PHANTOM'.
        settings: What the scans look like.
        roots: Folders of the tasks; by default those of the environment variables.
        jobs: Threads of the check; by default one for each available core.
        reporter: Receives the progress and the findings.

    Returns:
        The task, and what was noticed.

    Raises:
        RequestError: The task exists, or the objects do not fit into the scans.
    """
    names = LabelNames.parse(settings.labels)
    folder = (roots or Roots.choose()).new_task(task)
    write_phantom_task(folder, settings)
    count = counted(settings.cases + settings.test_cases, "phantom case")
    reporter.say(f"{count} -> {folder}")
    return check_task(folder, settings.modalities, names, jobs, reporter)


def _check_modality_names(modalities: Sequence[str]) -> None:
    for name in modalities:
        if fault := word_fault(name):
            raise RequestError(
                f"'{name}' is no name: {fault}", field="modalities", expected="one such as 'MR'"
            )


def check_task(
    folder: Path,
    modalities: Sequence[str],
    names: LabelNames,
    jobs: int | None,
    reporter: Reporter,
    *,
    subtypes: bool = False,
    reading: ReadOptions = ReadOptions(),
    left_out: Mapping[str, str] | None = None,
) -> CheckedTask:
    """Check a raw task, and write ``dataset.json`` and ``failures.json``.

    left_out: cases that an import has left out already, and why.
    """
    check = TaskCheck(folder, tuple(modalities), names, subtypes, reading)
    checked = check.run(jobs or available_cores())
    cases = [case.name for _, case in check.cases]
    for _ in reporter.track(checked, len(cases), "checked", cases):
        pass
    findings = (*check.findings, *check.overall())
    reporter.findings(findings)
    failures = check.failures()
    recorded = record_failures(folder, "dataset", recorded_reasons(failures, reporter))
    task = check.task()
    path = folder / "dataset.json"
    if task.training:
        task.save()
        reporter.say(
            f"{path}: {counted(len(task.training), 'training case')} and"
            f" {counted(len(task.test), 'test case')}, modalities {', '.join(modalities)},"
            f" labels {names}"
        )
    else:
        if path.exists():
            reporter.say(
                f"the dataset.json of an earlier check was renamed to {set_aside(path).name}"
            )
        reporter.say(f"{path} was not written: no training case can be used")
    failures = {**(left_out or {}), **failures}
    if failures:
        reporter.say(f"{counted(len(failures), 'case')} left out, see {recorded}")
    return CheckedTask(task, findings, failures)
