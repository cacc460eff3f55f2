"""Simulated prompts for a whole task: which cases, with which settings, into which files."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.file_matching import stems
from interactivenet.datasets.task import SIMULATION, Task, has_own_list, simulated_files
from interactivenet.errors import DataError, RequestError, one_line
from interactivenet.imaging.components import label_counts
from interactivenet.imaging.geometry import Volume
from interactivenet.imaging.io import READABLE, read_label
from interactivenet.prompts import simulation
from interactivenet.prompts.io import PROMPT_SUFFIXES, write_prompts
from interactivenet.prompts.prompt import MARGIN_POINTS, LabelNames, Prompt
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.system.files import remove, replacing, sha256, write_json
from interactivenet.system.parallel import map_cases


@dataclass(frozen=True)
class SimulatedCase:
    """What became of one case: 'written', 'unchanged', 'kept' (a person's) or 'failed'."""

    subset: str
    name: str
    status: str
    objects: int = 0
    points: int = 0
    notes: tuple[str, ...] = ()
    file: str = ""


def simulate_task(
    folder: Path, settings: SimulationOptions, *, jobs: int = 1, overwrite: bool = False
) -> Iterator[SimulatedCase]:
    """Write the prompts of every labelled case of a raw task, yielding each case as it is done.

    Prompts are written as ``interactions{Tr,Ts}/CASE.nii.gz``, or ``.json`` where the settings
    ask for it or two objects of the case share a label. Files that another program or a person
    wrote are kept, unless ``overwrite``; unchanged ones of an earlier run are skipped, whether
    it ended or was killed. At the end ``simulation.json`` has the settings, and
    ``dataset.json``, where there is one, lists the prompts.
    """
    journal = _Journal(folder)
    task = Task.load(folder) if (folder / "dataset.json").exists() else None
    work = labelled_cases(folder)

    def one(item: tuple[str, str, list[Path]]) -> SimulatedCase:
        subset, name, paths = item
        try:
            if len(paths) > 1:
                raise DataError(f"has {len(paths)} label files: {', '.join(p.name for p in paths)}")
            labels = task.labels if task else None
            return _simulate_case(subset, name, paths[0], settings, labels, journal, overwrite)
        except DataError as error:
            return SimulatedCase(subset, name, "failed", notes=(str(error),))
        except Exception as error:  # one odd file must not end the others
            why = f"unexpected {type(error).__name__}: {one_line(error)} (please report it)"
            return SimulatedCase(subset, name, "failed", notes=(why,))

    files: dict[tuple[str, str], Path] = {}
    for result in map_cases(one, work, jobs):
        if result.file:
            files[result.subset, result.name] = folder / result.file
        yield result
    journal.close(settings)
    if task and has_own_list(folder):
        task.with_interactions(files).save()


class _Journal:
    """What is known of the prompt files that were simulated here.

    ``simulation.json`` has the settings and, per case, what its file was made from. While a run
    goes on, each file is noted in a hidden journal before it gets its name, so that a run that
    was killed knows its own files from a person's.
    """

    def __init__(self, folder: Path) -> None:
        self._record, self._path = folder / SIMULATION, folder / ".simulation.journal"
        self._lock = threading.Lock()
        cases = simulated_files(folder)
        self._known: dict[str, list[dict[str, Any]]] = {k: [v] for k, v in cases.items()}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    key, record = json.loads(line)
                except ValueError:
                    continue  # half a line: its file never got its name
                self._known.setdefault(key, []).append(record)

    def of(self, key: str, path: Path) -> dict[str, Any] | None:
        """Return what a case's file was made from, None if it was not simulated here."""
        found = {"file": _key(path), "prompt": sha256(path)}
        for record in reversed(self._known.get(key, [])):
            if all(record.get(name) == value for name, value in found.items()):
                return dict(record)
        return None

    def add(self, key: str, record: dict[str, Any]) -> None:
        """Note a file that is about to get its name."""
        with self._lock:
            self._known.setdefault(key, []).append(record)
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    # a new line first: the one before may have been cut off by a kill
                    file.write("\n" + json.dumps([key, record]))
            except OSError as error:
                raise DataError(
                    f"{self._path}: cannot be written: {error.strerror or error}"
                ) from error

    def close(self, settings: SimulationOptions) -> None:
        """Write ``simulation.json`` with what each case's file on disk was made from."""
        cases = {}
        for key, records in sorted(self._known.items()):
            for record in reversed(records):
                path = self._record.parent / record.get("file", "")
                if path.is_file() and sha256(path) == record.get("prompt"):
                    cases[key] = record
                    break
        write_json(self._record, {"settings": asdict(settings), "cases": cases})
        remove(self._path)


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
    settings: SimulationOptions,
    labels: LabelNames | None,
    journal: _Journal,
    overwrite: bool,
) -> SimulatedCase:
    key = f"{subset}/{name}"
    folder = label.parent.parent / f"interactions{subset}"
    there = stems(folder, PROMPT_SUFFIXES).get(name, [])
    ours = {path: record for path in there if (record := journal.of(key, path)) is not None}
    if len(there) > 1 and len(ours) < len(there):
        both = ", ".join(path.name for path in there)
        raise DataError(f"has {len(there)} prompt files for one: {both}")
    if there and not ours and not overwrite:
        return SimulatedCase(subset, name, "kept", file=_key(there[0]))
    names = {str(value): text for value, text in labels.names.items()} if labels else {}
    made_from = {"settings": asdict(settings), "label": sha256(label), "names": names}
    if len(ours) == 1 and not overwrite:
        ((path, record),) = ours.items()
        if all(record.get(part) == value for part, value in made_from.items()):
            return SimulatedCase(subset, name, "unchanged", file=_key(path))

    volume = read_label(label)
    prompts, notes = _prompts(volume, settings, labels, key)
    shared = len({prompt.label for prompt in prompts}) < len(prompts)
    path = folder / f"{name}.{'json' if shared else settings.format}"
    with replacing(path) as temporary:
        notes += write_prompts(temporary, prompts, image=volume.source)
        journal.add(key, {**made_from, "file": _key(path), "prompt": sha256(temporary)})
    for other in there:
        if other != path:
            remove(other)
        if other not in ours:
            notes.append(f"{other.name}, from elsewhere, was replaced")
    points = sum(len(prompt.points) for prompt in prompts)
    return SimulatedCase(subset, name, "written", len(prompts), points, tuple(notes), _key(path))


def _prompts(
    volume: Volume, settings: SimulationOptions, labels: LabelNames | None, key: str
) -> tuple[list[Prompt], list[str]]:
    label = volume.array[0]
    values = sorted(label_counts(label))
    if not values:
        raise DataError("the label map is empty: no object to point at")
    prompts, notes = [], []
    for value in values:
        objects = simulation.find_objects(
            label == value,
            per_component=settings.per_component,
            largest_only=settings.largest_component,
        )
        for number, thing in enumerate(objects):
            # drawn from the seed, the case and the object alone: other cases change nothing
            rng = np.random.default_rng([settings.seed, zlib.crc32(key.encode()), value, number])
            voxels = simulation.draw_points(thing, volume.spacing, settings, rng)
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


def _wanted(settings: SimulationOptions) -> int:
    if settings.random or settings.centre:
        return settings.random + int(settings.centre)
    return MARGIN_POINTS


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
