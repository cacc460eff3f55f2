"""A task's regions on disk: written once, read at every draw of training.

``regions/CASE__LABEL[_N].npz`` holds the arrays (image float32, label uint8), uncompressed; the
``.json`` beside it holds the geometry and what the region was made from, and is written last: a
region without it is not finished.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.task import Case, Task, simulated_files
from interactivenet.errors import DataError, describe_failure, one_line
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.region import Region, make_region
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import (
    read_json,
    read_object,
    remove,
    replacing,
    sha256,
    write_json,
)

REGIONS, SNAPSHOTS = "regions", "snapshots"
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
    overwrite: make again what is unchanged.
    """

    task: Task
    plan: Plan
    folder: Path
    snapshots: Snapshots | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class PreparedCase:
    """What became of one case: 'written', 'unchanged' or 'failed' (error says why).

    regions: names of its regions.  coverage: of each, the fraction of its object's voxels that
    the planned cut holds.  notes: what went less well.
    """

    name: str
    status: str
    regions: tuple[str, ...] = ()
    coverage: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    notes: tuple[str, ...] = ()


def region_names(case: str, labels: Iterable[int]) -> list[str]:
    """Name the regions of a case whose prompts have these labels, in their order."""
    names: list[str] = []
    for label in labels:
        name, number = f"{case}__{label}", 1
        while name in names:
            number += 1
            name = f"{case}__{label}_{number}"
        names.append(name)
    return names


def file_hashes(task: Task, case: Case) -> dict[str, str]:
    """SHA-256 of all files of a case by their path in the task; of each slice of a series."""
    paths = [*case.images, *(p for p in (case.label, case.interaction) if p)]
    files = [
        file
        for path in paths
        for file in (sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path])
    ]
    return {file.relative_to(task.folder).as_posix(): sha256(file) for file in files}


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
            return PreparedCase(case.name, "unchanged", tuple(unchanged), unchanged)
    scan = read_scan(case, len(plan.modalities), task.labels)
    names = region_names(case.name, [prompt.label for prompt in scan.prompts])
    coverage, notes = {}, []
    for name, prompt in zip(names, scan.prompts, strict=True):
        region = replace(make_region(scan, prompt, plan), simulation=_simulation(key.content))
        coverage[name] = region.coverage
        save_region(preparation.folder / REGIONS, name, region, _key_of_region(key, names))
        path = preparation.folder / SNAPSHOTS / f"{name}.png"
        remove(path)
        if snapshots:
            try:
                snapshots.save(path, scan, region, plan, picture)
            except Exception as error:  # no picture is no reason to do without the region
                notes.append(f"{path.name} could not be drawn: {one_line(error)}")
    return PreparedCase(case.name, "written", tuple(names), coverage, notes=tuple(notes))


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
    }


def simulation_settings(task: Task, case: Case, hashes: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the settings that a case's prompts were simulated with; None for a person's."""
    if case.interaction is None:
        return None
    subset = case.interaction.parent.name.removeprefix("interactions")
    record = simulated_files(task.folder).get(f"{subset}/{case.name}", {})
    file = case.interaction.relative_to(task.folder).as_posix()
    if record.get("file") != file or record.get("prompt") != hashes.get(file):
        return None  # not simulated, or edited since
    settings = record.get("settings")
    return dict(settings) if isinstance(settings, dict) else None


def region_settings(plan: Plan) -> dict[str, Any]:
    """Return those decisions of a plan that a region depends on, as JSON data."""
    return {
        "spacing": list(plan.spacing),
        "cut": {key: [list(side) for side in value] for key, value in asdict(plan.cut).items()},
        "normalisation": [asdict(normalisation) for normalisation in plan.normalisation],
        "divisor": list(plan.network.divisor),
        "smallest": list(plan.network.smallest),
    }


def save_region(folder: Path, name: str, region: Region, key: CacheKey | None = None) -> None:
    """Write a region's arrays, and then its geometry, without which it counts as unfinished.

    key: what it is made from.
    """
    path = folder / f"{name}.npz"
    remove(path.with_suffix(".json"))
    arrays: dict[str, Array] = {"image": region.image}
    if region.label is not None:
        arrays["label"] = region.label
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
        size = temporary.stat().st_size
    content = {
        "case": region.case,
        "label": region.prompt.label,
        "name": region.prompt.name,
        "points": region.prompt.points.tolist(),
        "grid": _geometry(region.grid),
        "source": _geometry(region.source),
        "start": region.start.tolist(),
        "stop": region.stop.tolist(),
        "coverage": region.coverage,
        "bytes": size,
        MADE_FROM: key.content if key else {},
    }
    write_json(path.with_suffix(".json"), content)


def load_region(folder: Path, name: str, plan: Plan) -> Region:
    """Read a region back.

    Raises DataError where it is missing, unfinished or damaged, or was made for another plan.
    """
    path = folder / f"{name}.json"
    content = read_json(path)
    try:
        if content[MADE_FROM]["settings"] != region_settings(plan):
            raise DataError(
                f"{path}: was made with other settings than the plan's",
                remedy=f"run `plan(task={plan.task!r})` again",
            )
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            image = arrays["image"]
            label = arrays.get("label")
        if image.shape[1:] != tuple(content["grid"]["shape"]):
            noted = tuple(content["grid"]["shape"])
            raise ValueError(f"the image has shape {image.shape}, its record says {noted}")
        return Region(
            case=content["case"],
            prompt=Prompt(content["label"], np.array(content["points"]), content["name"]),
            image=image,
            label=label,
            grid=Geometry(tuple(content["grid"]["shape"]), np.array(content["grid"]["affine"])),
            source=Geometry(
                tuple(content["source"]["shape"]), np.array(content["source"]["affine"])
            ),
            start=np.array(content["start"], dtype=np.intp),
            stop=np.array(content["stop"], dtype=np.intp),
            coverage=content["coverage"],
            simulation=_simulation(content[MADE_FROM]),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path.with_suffix('.npz')}: is damaged, or is not a region: {one_line(error)}",
            remedy=f"`plan(task={plan.task!r}, overwrite=True)` makes it again",
        ) from error


def remove_stale(folder: Path, regions: Iterable[str]) -> int:
    """Remove regions, and pictures of them, that no case of the task has; returns how many."""
    kept = set(regions)
    files = [*(folder / REGIONS).glob("*.npz"), *(folder / REGIONS).glob("*.json"),
             *(folder / SNAPSHOTS).glob("*.png")]  # fmt: skip
    stale = [path for path in files if path.stem not in kept]
    for path in stale:
        remove(path)
    return len({path.stem for path in stale})


def _unchanged(
    preparation: Preparation, case: str, key: CacheKey, picture: str
) -> dict[str, float] | None:
    """Coverage by region of a finished case that was made from the same; None if it was not.

    picture: what its snapshots must have been made from; '' where none are wanted.
    """
    folder, snapshots = preparation.folder / REGIONS, preparation.snapshots
    first = next((name for name in region_names(case, preparation.plan.labels)
                  if (folder / f"{name}.json").exists()), None)  # fmt: skip
    if first is None:
        return None
    names = _record(folder / f"{first}.json").get(MADE_FROM, {}).get("regions", [])
    coverage = {}
    for name in names:
        record = _record(folder / f"{name}.json")
        arrays = folder / f"{name}.npz"
        if not _key_of_region(key, names).matches(record):
            return None
        if not arrays.exists() or arrays.stat().st_size != record.get("bytes"):
            return None
        drawn = preparation.folder / SNAPSHOTS / f"{name}.png"
        if snapshots and snapshots.made_from(drawn) != picture:
            return None
        coverage[name] = float(record["coverage"])
    return coverage or None


def _record(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except DataError:  # damaged: made again
        return {}


def _simulation(made_from: Mapping[str, Any]) -> SimulationOptions | None:
    settings = made_from.get("simulation")
    return None if settings is None else SimulationOptions(**settings)


def _geometry(grid: Geometry) -> dict[str, Any]:
    return {"shape": list(grid.shape), "affine": grid.affine.tolist()}
