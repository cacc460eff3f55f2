"""Simulated prompts for a whole task: which cases, with which settings, into which files."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet import simulate
from interactivenet.case_files import stems
from interactivenet.checking import label_counts
from interactivenet.errors import DataError, RequestError
from interactivenet.io.atomic import read_json, replacing, write_json
from interactivenet.io.images import READABLE, read_label
from interactivenet.io.prompt_files import PROMPT_SUFFIXES, write_prompts
from interactivenet.parallel import map_cases
from interactivenet.prompts import MARGIN_POINTS, LabelNames, Prompt
from interactivenet.task import SIMULATION, Task
from interactivenet.volume import Volume


@dataclass(frozen=True)
class Settings:
    """How prompts are simulated; stored beside them.

    random: this many random points per object instead of margin points, 0 for none.
    centre: the object's deepest point instead of margin points (with ``random``: both).
    depth_mm: depth of margin points below the extremes; None for 5 voxels, 1 along coarse axes.
    jitter_mm: standard deviation of noise on each coordinate; points stay inside the object.
    """

    seed: int = 0
    random: int = 0
    centre: bool = False
    depth_mm: float | None = None
    jitter_mm: float = 0.0
    per_component: bool = False
    largest_component: bool = True
    format: str = "nii.gz"

    def __post_init__(self) -> None:
        checks = {
            "--seed": self.seed >= 0,
            "--random": self.random >= 0,
            "--depth-mm": self.depth_mm is None or self.depth_mm >= 0,
            "--jitter-mm": self.jitter_mm >= 0,
        }
        for option, right in checks.items():
            if not right:
                raise RequestError(f"{option}: expected 0 or more")


@dataclass(frozen=True)
class SimulatedCase:
    """What became of one case: 'written', 'unchanged', 'kept' (a person's) or 'failed'."""

    subset: str
    name: str
    status: str
    objects: int = 0
    points: int = 0
    notes: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)


def simulate_task(
    folder: Path, settings: Settings, *, jobs: int = 1, overwrite: bool = False
) -> Iterator[SimulatedCase]:
    """Write the prompts of every labelled case of a raw task, yielding each case as it is done.

    Prompts are written as ``interactions{Tr,Ts}/CASE.nii.gz``, or ``.json`` where the settings
    ask for it or two objects of the case share a label. Files that another program or a person
    wrote are kept, unless ``overwrite``; unchanged ones of an earlier run are skipped. At the
    end ``simulation.json`` has the settings, and ``dataset.json``, where there is one, lists
    the prompts.
    """
    record_path = folder / SIMULATION
    earlier = read_json(record_path) if record_path.exists() else {}
    task = Task.load(folder) if (folder / "dataset.json").exists() else None
    work = labelled_cases(folder)

    def one(item: tuple[str, str, list[Path]]) -> SimulatedCase:
        subset, name, paths = item
        before = earlier.get("cases", {}).get(f"{subset}/{name}", {})
        try:
            if len(paths) > 1:
                raise DataError(f"has {len(paths)} label files: {', '.join(p.name for p in paths)}")
            return _simulate_case(
                subset, name, paths[0], settings, task.labels if task else None, before, overwrite
            )
        except DataError as error:
            return SimulatedCase(subset, name, "failed", notes=(str(error),), record=before)

    cases: dict[str, Any] = {}
    files: dict[tuple[str, str], Path] = {}
    try:
        for result in map_cases(one, work, jobs):
            if result.record:
                cases[f"{result.subset}/{result.name}"] = result.record
                files[result.subset, result.name] = folder / result.record["file"]
            yield result
    finally:  # what was written stays known, also when the run is stopped half way
        known = earlier.get("cases", {}) | cases
        write_json(record_path, {"settings": asdict(settings), "cases": known})
    if task:
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
        raise RequestError(f"{folder / 'labelsTr'} holds no label maps: nothing to simulate from")
    return work


def _simulate_case(
    subset: str,
    name: str,
    label: Path,
    settings: Settings,
    labels: LabelNames | None,
    before: dict[str, Any],
    overwrite: bool,
) -> SimulatedCase:
    folder = label.parent.parent / f"interactions{subset}"
    there = stems(folder, PROMPT_SUFFIXES).get(name, [])
    ours = [p for p in there if before.get("prompt") == _digest(p) and before["file"] == _key(p)]
    if len(there) > 1 and len(ours) < len(there) and not overwrite:
        both = ", ".join(path.name for path in there)
        raise DataError(f"has {len(there)} prompt files for one: {both}")
    wanted: dict[str, Any] = {"settings": asdict(settings), "label": _digest(label)}
    if ours and not overwrite and all(before.get(key) == value for key, value in wanted.items()):
        return SimulatedCase(subset, name, "unchanged", record=before)
    unknown = bool(there) and not ours and not overwrite
    try:
        volume = read_label(label)
        prompts, notes = _prompts(volume, settings, labels, f"{subset}/{name}")
    except DataError:
        if unknown:
            return SimulatedCase(subset, name, "kept", record={"file": _key(there[0])})
        raise
    shared = len({prompt.label for prompt in prompts}) < len(prompts)
    path = folder / f"{name}.{'json' if shared else settings.format}"
    with replacing(path) as temporary:
        notes += write_prompts(temporary, prompts, image=volume.source)
        digest = _digest(temporary)
        if unknown and not (there == [path] and _digest(path) == digest):
            # not ours, and not left by a run of these settings that was killed
            temporary.unlink()
            return SimulatedCase(subset, name, "kept", record={"file": _key(there[0])})
        for other in there:
            other.unlink()
    points = sum(len(prompt.points) for prompt in prompts)
    record = {**wanted, "file": _key(path), "prompt": digest, "notes": notes}
    return SimulatedCase(subset, name, "written", len(prompts), points, tuple(notes), record)


def _prompts(
    volume: Volume, settings: Settings, labels: LabelNames | None, key: str
) -> tuple[list[Prompt], list[str]]:
    label = volume.array[0]
    values = sorted(label_counts(label))
    if not values:
        raise DataError("the label map is empty: no object to point at")
    prompts, notes = [], []
    for value in values:
        objects = simulate.find_objects(
            label == value,
            per_component=settings.per_component,
            largest_only=settings.largest_component,
        )
        for number, thing in enumerate(objects):
            # drawn from the seed, the case and the object alone: other cases change nothing
            rng = np.random.default_rng([settings.seed, zlib.crc32(key.encode()), value, number])
            voxels = _points(thing, volume.spacing, settings, rng)
            what = f"label {value}" + (f", object {number + 1}" if len(objects) > 1 else "")
            if thing.ignored:
                notes.append(
                    f"{what}: {thing.ignored} voxels outside the largest of"
                    f" {thing.components} components are ignored"
                )
            if len(voxels) < _wanted(settings):
                notes.append(f"{what}: too small, {len(voxels)} points instead of"
                             f" {_wanted(settings)}")  # fmt: skip
            name = labels.names.get(value, "") if labels else ""
            prompts.append(Prompt(value, volume.voxel_to_world(voxels), name))
    return prompts, notes


def _points(
    thing: simulate.Object,
    spacing: tuple[float, float, float],
    settings: Settings,
    rng: np.random.Generator,
) -> simulate.Indices:
    if settings.random or settings.centre:
        parts = [simulate.centre_point(thing, spacing)] if settings.centre else []
        if settings.random:
            parts.append(simulate.random_points(thing, settings.random, rng))
        points = np.unique(np.concatenate(parts), axis=0)
    else:
        points = simulate.margin_points(thing, spacing, rng, settings.depth_mm)
    if settings.jitter_mm:
        points = simulate.jitter(points, thing, spacing, settings.jitter_mm, rng)
    return points


def _wanted(settings: Settings) -> int:
    if settings.random or settings.centre:
        return settings.random + int(settings.centre)
    return MARGIN_POINTS


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, expected a file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
