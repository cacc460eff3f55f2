"""The steps of the stage ``plan``: measure cases, and prepare their regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from interactivenet.datasets.case import read_scan
from interactivenet.datasets.modalities import is_ct
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, describe_failure
from interactivenet.planning.fingerprint import (
    FACTS_VERSION,
    CaseFacts,
    Fingerprint,
    Histogram,
    measure_case,
)
from interactivenet.plotting.snapshots import save_snapshot, snapshot_made_from
from interactivenet.preprocessing.preparation import (
    Preparation,
    PreparedCase,
    Snapshots,
    case_inputs,
    file_hashes,
    file_stamps,
    prepare_case,
)
from interactivenet.preprocessing.storage import FILES
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import read_object, remove, write_json
from interactivenet.system.parallel import Workers
from interactivenet.system.spread import MOST_ENTRIES, folder_of, spread_files, subfolder
from interactivenet.system.stamps import Stamp

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FACTS = "fingerprint"
#: pictures of the regions
SNAPSHOTS = Snapshots(save_snapshot, snapshot_made_from)
#: modules that the worker processes import before the first case
WORKER_MODULES = ("interactivenet.pipeline.planning_steps", "interactivenet.imaging.nifti")


@dataclass(frozen=True, eq=False)
class MeasuredCase:
    """Facts of one case, None where it cannot be used.

    hashes: SHA-256 of its files.  stamps: their sizes and times, from before that.
    error: why it cannot be used, '' where it can.
    """

    name: str
    hashes: Mapping[str, str]
    stamps: Mapping[str, Stamp | None] = field(default_factory=dict)
    facts: CaseFacts | None = None
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    error: str = ""


def measure_cases(
    task: Task, folder: Path, workers: Workers, *, overwrite: bool = False
) -> Iterator[MeasuredCase]:
    """Measure the training cases, each into ``fingerprint/CASE.json`` of the processed task.

    A case whose files are unchanged since an earlier run is not read again.
    """
    shared = _without_cases(task)
    spread = len(task.training) > MOST_ENTRIES
    works = ((shared, folder, case, overwrite, spread) for case in task.training)
    yield from workers.map(_measure, works)


def collect(task: Task, measured: Iterator[MeasuredCase]) -> tuple[Fingerprint, list[MeasuredCase]]:
    """Join the facts of the cases; the measured cases come back without their histograms."""
    facts: list[CaseFacts] = []
    histograms: dict[str, Histogram] = {}
    cases = []
    for case in measured:
        if case.facts is not None:
            facts.append(case.facts)
        for name, histogram in case.histograms.items():
            histograms[name] = histograms.get(name, Histogram()) + histogram
        cases.append(MeasuredCase(case.name, case.hashes, case.stamps, error=case.error))
    return Fingerprint(task.modalities, tuple(facts), histograms), cases


def are_many(fingerprint: Fingerprint) -> bool:
    """Whether the regions of a task are too many for one folder."""
    return FILES * len(fingerprint.prompts) > MOST_ENTRIES


def prepare_cases(
    task: Task, measured: list[MeasuredCase], preparation: Preparation, workers: Workers
) -> Iterator[PreparedCase]:
    """Write the regions of every case that could be measured."""
    hashes = {case.name: case.hashes for case in measured if not case.error}
    shared = replace(preparation, task=_without_cases(task))
    cases = [case for case in task.training if case.name in hashes]
    yield from workers.map(prepare_case, ((shared, case, hashes[case.name]) for case in cases))


def remove_stale_facts(task: Task, folder: Path) -> None:
    """Remove the facts of cases that the task does not have any more."""
    names = {case.name for case in task.training}
    for path in spread_files(folder / FACTS, ".json"):
        if path.stem not in names:
            remove(path)


def _without_cases(task: Task) -> Task:
    """Return a task as workers need it, who get their case beside it."""
    return replace(task, training=(), test=())


def _measure(work: tuple[Task, Path, Case, bool, bool]) -> MeasuredCase:
    task, folder, case, overwrite, spread = work
    hashes: dict[str, str] = {}
    stamps: dict[str, Stamp | None] = {}
    try:
        stamps = file_stamps(task, case)
        hashes = file_hashes(task, case)
        facts_of = folder / FACTS
        path = folder_of(facts_of, case.name, ".json") / f"{case.name}.json"
        if spread and not path.exists():
            path = subfolder(facts_of, case.name) / path.name
        key = CacheKey(
            {
                "version": FACTS_VERSION,
                "subtype": case.subtype,
                **case_inputs(task, case, hashes),
            }
        )
        if not overwrite and (measured := _measured_before(path, key)):
            return MeasuredCase(case.name, hashes, stamps, *measured)
        scan = read_scan(case, len(task.modalities), task.labels)
        facts = measure_case(scan, case.subtype)
        assert scan.label is not None
        foreground = scan.label.array[0] > 0
        histograms = {
            name: Histogram.of(channel[foreground])
            for name, channel in zip(task.modalities, scan.image.array, strict=True)
            if is_ct(name)
        }
        content = {
            "made_from": key.content,
            "facts": asdict(facts),
            "histograms": {
                name: [histogram.values.tolist(), histogram.counts.tolist()]
                for name, histogram in histograms.items()
            },
        }
        write_json(path, content)
        return MeasuredCase(case.name, hashes, stamps, facts, histograms)
    except Exception as error:  # one odd case must not end the others
        return MeasuredCase(case.name, hashes, stamps, error=describe_failure(error))


@cache
def _facts_reader() -> TypeAdapter[CaseFacts]:
    """Return what reads the facts of a case: made once, for that takes longer than any case."""
    from pydantic import TypeAdapter

    return TypeAdapter(CaseFacts)


def _measured_before(path: Path, key: CacheKey) -> tuple[CaseFacts, dict[str, Histogram]] | None:
    """Read the facts that an earlier run measured on the same files."""
    try:
        content = read_object(path)
        if not key.matches(content):
            return None
        facts = _facts_reader().validate_python(content["facts"])
        histograms = {
            modality: Histogram(np.array(values, dtype=np.float64), np.array(counts, np.int64))
            for modality, (values, counts) in content["histograms"].items()
        }
    except (DataError, LookupError, ValueError, TypeError, AttributeError, OverflowError):
        # damaged: measured again
        return None
    return facts, histograms
