"""The stage ``simulate``: prompts for a whole task, from its label maps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from interactivenet.datasets.annotations import place_aside
from interactivenet.datasets.file_matching import stems
from interactivenet.datasets.findings import Finding
from interactivenet.datasets.placing import place
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task, has_own_list, record_failures
from interactivenet.errors import DataError, RequestError, describe_failure
from interactivenet.imaging.io import AS_IT_IS, READABLE, ReadOptions, read_label, suffix_of
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, recorded_reasons
from interactivenet.pipeline.simulation_journal import SimulationJournal, relative_file
from interactivenet.prompts.io import PROMPT_SUFFIXES, TEXT_SUFFIXES, write_prompts
from interactivenet.prompts.placement import check_certain
from interactivenet.prompts.prompt import LabelNames
from interactivenet.prompts.simulation import SimulationOptions, simulate_prompts_with_notes
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import remove, replacing, sha256
from interactivenet.system.names import list_names, name_fault, printable
from interactivenet.system.parallel import available_cores, map_cases

#: what can become of a case
STATUSES = ("written", "unchanged", "kept", "failed")


@dataclass(frozen=True)
class SimulatedCase:
    """What became of one case.

    Attributes:
        subset: 'Tr' for training, 'Ts' for testing.
        name: Of the case.
        status: 'written', 'unchanged' since an earlier run, 'kept', because its prompts are not
            simulated, or 'failed'.
        objects: How many prompts were written.
        points: How many points these have.
        notes: What was noticed, or why the case failed.
        file: Its prompt file, relative to the task's folder; '' where it has none.
    """

    subset: str
    name: str
    status: str
    objects: int = 0
    points: int = 0
    notes: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class Simulated:
    """What became of the cases of a task.

    Attributes:
        folder: Of the raw task.
        cases: One by one, training cases first.
    """

    folder: Path
    cases: tuple[SimulatedCase, ...]

    @cached_property
    def failures(self) -> Mapping[str, str]:
        """Why cases failed, by their names."""
        return {case.name: "; ".join(case.notes) for case in self.cases if case.status == "failed"}

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many cases were 'written', 'unchanged', 'kept' and 'failed'."""
        return {status: sum(case.status == status for case in self.cases) for status in STATUSES}


def simulate(
    task: str,
    options: SimulationOptions = SimulationOptions(),
    *,
    roots: Roots | None = None,
    jobs: int | None = None,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Simulated:
    """Write simulated prompts for every labelled case of a raw task.

    Prompts are written as ``interactions{Tr,Ts}/CASE.nii.gz``, or ``.json`` where the options ask
    for it or two objects of the case share a label. Prompt files of an earlier run are skipped
    where they are unchanged, whether it ended or was killed. At the end ``simulation.json`` has
    the options, and ``dataset.json``, where there is one, lists the prompts.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        options: How the points are drawn.
        roots: Folders of the tasks; by default those of the environment variables.
        jobs: Threads; by default one for each available core.
        overwrite: Replace prompt files that another program or a person wrote, too; these are kept
            in the task's folder ``set_aside``.
        reporter: Receives the progress and the findings.

    Returns:
        What became of every case.

    Raises:
        RequestError: There is no such task, or it has no label maps.
        DataError: The task's ``dataset.json`` or ``simulation.json`` cannot be used.
    """
    folder = (roots or Roots.choose()).raw_task(task)
    names = [printable(name) for _, name, _ in labelled_cases(folder)]
    cases = simulate_task(folder, options, jobs=jobs or available_cores(), overwrite=overwrite)
    result = Simulated(folder, tuple(reporter.track(cases, len(names), "simulated", names)))
    reporter.findings(
        [
            Finding("error" if case.status == "failed" else "note", case.name, note)
            for case in result.cases
            for note in case.notes
        ]
        + [
            Finding("note", case.name, "has prompts that were not simulated here; they are kept"
                    " (`overwrite=True` replaces them)")
            for case in result.cases
            if case.status == "kept"
        ]
    )  # fmt: skip
    recorded = record_failures(folder, "simulate", recorded_reasons(result.failures, reporter))
    summary = ", ".join(f"{count} {status}" for status, count in result.counts.items() if count)
    if result.counts["written"]:
        points, objects = (
            sum(getattr(case, field) for case in result.cases) for field in ("points", "objects")
        )
        summary += f" ({counted(points, 'point')} in {counted(objects, 'object')})"
    reporter.say(f"{folder}: {summary}; seed {options.seed}")
    if result.failures:
        reporter.say(f"{counted(len(result.failures), 'case')} failed, see {recorded}")
    return result


def simulate_task(
    folder: Path, options: SimulationOptions, *, jobs: int = 1, overwrite: bool = False
) -> Iterator[SimulatedCase]:
    """Do what :func:`simulate` says in a raw task's folder, yielding each case as it is done."""
    journal, cases = SimulationJournal(folder), labelled_cases(folder)
    # once: to look for each case's own in a folder of all costs the square of the cases
    placed = {subset: stems(folder / f"interactions{subset}", PROMPT_SUFFIXES)
              for subset in {subset for subset, _, _ in cases}}  # fmt: skip
    task = Task.load(folder) if (folder / "dataset.json").exists() else None
    labels = task.labels if task else None
    reading = task.reading if task else AS_IT_IS

    def simulated(item: tuple[str, str, list[Path]]) -> SimulatedCase:
        subset, name, paths = item
        try:
            if fault := name_fault(name):
                raise DataError(f"its name cannot be used: {fault}", remedy="rename its files")
            if len(paths) > 1:
                files = list_names(paths)
                raise DataError(f"has {len(paths)} label files, expected one: {files}")
            existing = placed[subset].get(name, [])
            return _simulate_case(
                subset, name, paths[0], existing, options, labels, journal, overwrite, reading
            )
        except Exception as error:  # one odd file must not end the others
            failure = describe_failure(error)
            return SimulatedCase(subset, printable(name), "failed", notes=(failure,))

    files: dict[tuple[str, str], Path] = {}
    for result in map_cases(simulated, cases, jobs):
        if result.file:
            files[result.subset, result.name] = folder / result.file
        yield result
    journal.close(options)
    if task and has_own_list(folder):
        task.with_interactions(files).save()


def labelled_cases(folder: Path) -> list[tuple[str, str, list[Path]]]:
    """List a raw task's label maps: subset 'Tr' or 'Ts', case name, its files (one is right).

    Raises RequestError where there are none.
    """
    work = [
        (subset, name, paths)
        for subset in ("Tr", "Ts")
        for name, paths in sorted(stems(folder / f"labels{subset}", READABLE).items())
    ]
    if not work:
        raise RequestError(
            f"{folder / 'labelsTr'} holds no label maps",
            expected="files such as CASE.nii.gz to simulate prompts from",
        )
    return work


def _simulate_case(
    subset: str,
    name: str,
    label: Path,
    existing: list[Path],
    options: SimulationOptions,
    labels: LabelNames | None,
    journal: SimulationJournal,
    overwrite: bool,
    reading: ReadOptions,
) -> SimulatedCase:
    case = f"{subset}/{name}"
    folder = label.parent.parent / f"interactions{subset}"
    simulated = {path: entry for path in existing if (entry := journal.entry_of(case, path))}
    if len(existing) > 1 and len(simulated) < len(existing):
        files = list_names(existing)
        raise DataError(f"has {len(existing)} prompt files, expected one: {files}")
    if existing and not simulated and not overwrite:
        return SimulatedCase(subset, name, "kept", file=relative_file(existing[0]))
    names = {str(value): text for value, text in labels.names.items()} if labels else {}
    read_as = {"reading": reading.as_json()} if reading.as_json() else {}
    key = CacheKey({"settings": asdict(options), "label": sha256(label), "names": names, **read_as})
    if len(simulated) == 1 and not overwrite:
        ((path, entry),) = simulated.items()
        if not key.differences({part: entry.get(part) for part in key.content}):
            return SimulatedCase(subset, name, "unchanged", file=relative_file(path))

    volume = read_label(label, reading, names=labels.names if labels else None)
    prompts, notes = simulate_prompts_with_notes(volume, options, labels, key=case)
    shared = len({prompt.label for prompt in prompts}) < len(prompts)
    path = folder / f"{name}.{'json' if shared else options.format}"
    if suffix_of(path, TEXT_SUFFIXES):
        for prompt in prompts:
            check_certain(prompt.points, (label, volume.source))
    task = folder.parent
    aside = {old: place_aside(task, old) for old in existing if old not in simulated}
    if not existing and os.path.lexists(path):
        raise DataError(f"{path}: was placed there meanwhile", remedy="run it again")
    for old, kept in aside.items():  # a person's are never lost
        place(old, kept, copy=False)
    with replacing(path) as temporary:
        notes += write_prompts(temporary, prompts, image=volume.source)
        journal.add(case, {**key.content, "file": relative_file(path), "prompt": sha256(temporary)})
    for old in existing:
        if old != path:
            remove(old)
        if old in aside:
            kept_as = aside[old].relative_to(task).as_posix()
            notes.append(f"{old.name}, which was not simulated here, is kept as {kept_as}")
    points = sum(len(prompt.points) for prompt in prompts)
    file = relative_file(path)
    return SimulatedCase(subset, name, "written", len(prompts), points, tuple(notes), file)
