"""A task's cases made into regions, by worker processes; what is unchanged is not made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from interactivenet.datasets import simulated
from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, describe_failure, one_line
from interactivenet.imaging.image_files import files_of
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.region import Region, make_region
from interactivenet.preprocessing.region_records import VOLUME, record_path, volume_of
from interactivenet.preprocessing.storage import (
    REGIONS,
    SNAPSHOTS,
    region_names,
    region_settings,
    save_region,
    simulation_of,
)
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import read_object, remove, sha256
from interactivenet.system.spread import folder_of, spread_files, subfolder
from interactivenet.system.stamps import Stamp, stamp

#: regions of another version are made again
_VERSION = 2


@dataclass(frozen=True)
class Snapshots:
    """How pictures of regions are drawn: both functions must be picklable.

    save: (path, scan, region, plan, made from): draws one, and keeps in it what it was made from.
    made_from: reads that back, '' where there is no picture.
    """

    save: Callable[[Path, Scan, Region, Plan, str], None]
    made_from: Callable[[Path], str]


@dataclass(frozen=True)
class Preparation:
    """What a worker needs to prepare cases.

    folder: of the processed task.  snapshots: draws pictures of the regions; None for none.
    overwrite: make again what is unchanged.  spread: regions and pictures go to subfolders.
    """

    task: Task
    plan: Plan
    folder: Path
    snapshots: Snapshots | None = None
    overwrite: bool = False
    spread: bool = False


@dataclass(frozen=True)
class PreparedCase:
    """What became of one case: 'written', 'unchanged' or 'failed' (error says why).

    regions: names of its regions.  coverage: of each, the fraction of its object's voxels that
    the planned cut holds.  volumes: of each object, ml, in the scan and on the target grid.
    notes: what went less well.
    """

    name: str
    status: str
    regions: tuple[str, ...] = ()
    coverage: Mapping[str, float] = field(default_factory=dict)
    volumes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    error: str = ""
    notes: tuple[str, ...] = ()


def file_hashes(task: Task, case: Case) -> dict[str, str]:
    """SHA-256 of all files of a case by their path in the task; of each slice of a series."""
    files = [file for path in case.files for file in files_of(path).values()]
    return {file.relative_to(task.folder).as_posix(): sha256(file) for file in files}


def file_stamps(task: Task, case: Case) -> dict[str, Stamp | None]:
    """Sizes and times of the files of a case, by their path as in :func:`file_hashes`."""
    files = [file for path in case.files for file in files_of(path).values()]
    return {file.relative_to(task.folder).as_posix(): stamp(file) for file in files}


def prepare_case(work: tuple[Preparation, Case, Mapping[str, str]]) -> PreparedCase:
    """Make and write the regions of one case, unless they are there and unchanged.

    work: the preparation, the case, and its files' hashes. Never raises for a fault of the case.
    """
    preparation, case, hashes = work
    try:
        return _prepare(preparation, case, hashes)
    except Exception as error:  # one odd case must not end the others
        return PreparedCase(case.name, "failed", error=describe_failure(error))


def _prepare(preparation: Preparation, case: Case, hashes: Mapping[str, str]) -> PreparedCase:
    task, plan, snapshots = preparation.task, preparation.plan, preparation.snapshots
    key = CacheKey(
        {
            "version": _VERSION,
            "settings": region_settings(plan),
            "simulation": simulation_settings(task, case, hashes),
            **case_inputs(task, case, hashes),
        }
    )
    picture = _picture_digest(key, plan) if snapshots else ""
    if not preparation.overwrite:
        unchanged = _unchanged(preparation, case.name, key, picture)
        if unchanged is not None:
            return unchanged
    scan = read_scan(case, len(plan.modalities), task.labels)
    names = region_names(case.name, [prompt.label for prompt in scan.prompts])
    coverage, volumes, notes = {}, {}, []
    for name, prompt in zip(names, scan.prompts, strict=True):
        region = replace(make_region(scan, prompt, plan), simulation=simulation_of(key.content))
        coverage[name] = region.coverage
        if region.volume_ml:
            volumes[name] = region.volume_ml
        spread, folder = preparation.spread, preparation.folder / SNAPSHOTS
        save_region(
            preparation.folder / REGIONS, name, region, _key_of_region(key, names), spread=spread
        )
        pictures = folder / f"{name}.png", subfolder(folder, name) / f"{name}.png"
        for path in pictures:
            remove(path)
        path = pictures[spread]
        if snapshots:
            try:
                snapshots.save(path, scan, region, plan, picture)
            except Exception as error:  # a region is of use without a picture, too
                notes.append(f"{path.name} could not be drawn: {one_line(error)}")
    return PreparedCase(case.name, "written", tuple(names), coverage, volumes, notes=tuple(notes))


def _key_of_region(key: CacheKey, names: Iterable[str]) -> CacheKey:
    """Return what one region is made from: its case, of which there are these regions."""
    return CacheKey({**key.content, "regions": list(names)})


def _picture_digest(key: CacheKey, plan: Plan) -> str:
    """Identify what the pictures of a case are drawn from: its regions and the encoding."""
    content = [key.content, asdict(plan.encoding)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def case_inputs(task: Task, case: Case, hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return what a case is made of, as JSON data: its files, which is which, what they mean."""

    def relative(path: Path | None) -> str | None:
        return path.relative_to(task.folder).as_posix() if path else None

    return {
        "images": [relative(path) for path in case.images],
        "label": relative(case.label),
        "interaction": relative(case.interaction),
        "files": dict(hashes),
        "modalities": list(task.modalities),
        "labels": {str(value): name for value, name in task.labels.names.items()},
        **({"reading": case.reading.as_json()} if case.reading.as_json() else {}),
    }


def simulation_settings(task: Task, case: Case, hashes: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the settings that a case's prompts were simulated with; None for a person's."""
    if case.interaction is None:
        return None
    digest = hashes.get(case.interaction.relative_to(task.folder).as_posix())
    return simulated.simulation_settings(case.interaction, case.name, digest)


def remove_stale(folder: Path, regions: Iterable[str]) -> int:
    """Remove regions, and pictures of them, that no case of the task has; returns how many."""
    kept = set(regions)
    files = [*spread_files(folder / REGIONS, ".npz"), *spread_files(folder / REGIONS, ".json"),
             *spread_files(folder / SNAPSHOTS, ".png")]  # fmt: skip
    stale = [path for path in files if path.stem not in kept]
    for path in stale:
        remove(path)
    return len({path.stem for path in stale})


def _unchanged(
    preparation: Preparation, case: str, key: CacheKey, picture: str
) -> PreparedCase | None:
    """Return a finished case that was made from the same; None if it was not.

    picture: what its snapshots must have been made from; '' where none are wanted.
    """
    try:
        return _covered(preparation, case, key, picture)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return None  # a record is damaged: made again


def _covered(
    preparation: Preparation, case: str, key: CacheKey, picture: str
) -> PreparedCase | None:
    folder, snapshots = preparation.folder / REGIONS, preparation.snapshots
    first = next((name for name in region_names(case, preparation.plan.labels)
                  if record_path(folder, name).exists()), None)  # fmt: skip
    if first is None:
        return None
    names = _record(record_path(folder, first)).get(MADE_FROM, {}).get("regions", [])
    coverage, volumes = {}, {}
    for name in names:
        path = record_path(folder, name)
        record, arrays = _record(path), path.with_name(f"{name}.npz")
        if not _key_of_region(key, names).matches(record):
            return None
        if not arrays.exists() or arrays.stat().st_size != record.get("bytes"):
            return None
        pictures = preparation.folder / SNAPSHOTS
        drawn = folder_of(pictures, name, ".png") / f"{name}.png"
        if snapshots and snapshots.made_from(drawn) != picture:
            return None
        if VOLUME not in record:  # of an earlier version: measured now
            return None
        coverage[name] = float(record["coverage"])
        if volume := volume_of(record):
            volumes[name] = volume
    return PreparedCase(case, "unchanged", tuple(names), coverage, volumes) if coverage else None


def _record(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except DataError:  # damaged: made again
        return {}
