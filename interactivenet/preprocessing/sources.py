"""Whether a task's files are still those that its plan was made from: judged by their content.

The record of every region has the checksums of its case's files. To compare these with the files
costs reading all of them, so ``sources.json`` beside the plan has the size and the times of each
file when it was hashed: one in which none of these differs is taken for unchanged. A copy, in which
they do, is hashed, and is the same where its content is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError
from interactivenet.imaging.image_files import files_of
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.region_records import record_path
from interactivenet.preprocessing.storage import REGIONS
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.files import is_readable, json_bytes, read_object, sha256, write_json
from interactivenet.system.parallel import available_cores, map_cases
from interactivenet.system.stamps import Stamp, stamp

SOURCES = "sources.json"


def write_sources(
    folder: Path, hashes: Mapping[str, str], stamps: Mapping[str, Stamp | None]
) -> None:
    """Write the ``sources.json`` of a processed task.

    hashes, stamps: of files by their paths in the raw task; the stamps taken before the hashes.
    Of more files than it can be read again with, such as millions of slices, it has some: the
    others are hashed whenever they are compared.
    """
    files = {
        name: {"sha256": hashes[name], "stamp": list(mark)}
        for name, mark in sorted(stamps.items())
        if mark is not None and name in hashes
    }
    while not is_readable(json_bytes({"files": files})):
        files = dict(list(files.items())[: len(files) // 2])
    write_json(folder / SOURCES, {"files": files})


@dataclass(frozen=True)
class Sources:
    """A raw task, and what its cases were when they were planned.

    folder: of the processed task.  hashes: those of the task's files that are known already.
    """

    task: Task
    folder: Path
    hashes: Mapping[str, str] = field(default_factory=dict)

    def changes(self, planned: PlannedTask) -> list[str]:
        """Say what differs from what was planned, a few words for each file; [] where nothing.

        A file that is not there, or cannot be read, has not changed: whoever needs it will say so.
        """
        cases = {case.name: case for case in self.task.training}
        regions = {name.rpartition("__")[0]: name for name in sorted(planned.coverage)}
        gone = [
            f"{name}, which is no longer in dataset.json" for name in regions if name not in cases
        ]
        kept = [(cases[name], region) for name, region in regions.items() if name in cases]

        def compare(work: tuple[Case, str]) -> list[str]:
            return self.changes_of(*work)

        found = [change for of_case in map_cases(compare, kept, available_cores())
                 for change in of_case]  # fmt: skip
        return sorted(dict.fromkeys([*gone, *found]))

    def changes_of(self, case: Case, region: str) -> list[str]:
        """Say what differs of one case.  region: the name of one of its regions."""
        path = record_path(self.folder / REGIONS, region)
        record = read_object(path).get(MADE_FROM, {})
        hashes = record.get("files")
        if not isinstance(hashes, dict):
            raise DataError(
                f"{path}: does not say what it was made from",
                remedy=f"run `plan(task={self.task.name!r}, overwrite=True)`",
            )
        changes = []
        if record.get("modalities") != list(self.task.modalities):
            changes.append("the modalities in dataset.json")
        if record.get("labels") != {str(v): name for v, name in self.task.labels.names.items()}:
            changes.append("the labels in dataset.json")
        before = _parts(record.get("images") or [], record.get("label"), record.get("interaction"))
        now = _parts(case.images, case.label, case.interaction)
        for part in sorted({*before, *now}):
            if part not in now:
                changes.append(f"{case.name}, which has no {part} any more")
            elif part not in before:
                changes.append(f"{case.name}, which has {part} now")
            else:
                changes += self._changed(Path(now[part]), _below(str(before[part]), hashes))
        return changes

    def _changed(self, path: Path, before: Mapping[str, str]) -> list[str]:
        """Say which files of an image, a label map or points differ.

        before: checksums; of a series by the files' names, else of the name ''.
        """
        if not path.exists():
            return []
        now = files_of(path)
        name = path.relative_to(self.task.folder).as_posix()
        changed = [
            f"{name}/{file}" if file else name
            for file, place in now.items()
            if file not in before or not self._is_still(place, before[file])
        ]
        return changed + [f"{name}/{file}" for file in before if file not in now]

    def _is_still(self, path: Path, digest: str) -> bool:
        name = path.relative_to(self.task.folder).as_posix()
        if name in self.hashes:
            return self.hashes[name] == digest
        known = self._known.get(name)
        if isinstance(known, dict) and known.get("sha256") == digest:
            current = stamp(path)
            if current is not None and known.get("stamp") == list(current):
                return True
        try:
            return sha256(path) == digest
        except DataError:
            return True

    @cached_property
    def _known(self) -> Mapping[str, Any]:
        try:
            files = read_object(self.folder / SOURCES).get("files", {})
        except DataError:  # damaged: everything is hashed
            return {}
        return files if isinstance(files, dict) else {}


def _parts(
    images: Sequence[Path | str], label: Path | str | None, points: Path | str | None
) -> dict[str, Path | str]:
    parts = {f"image {number}": image for number, image in enumerate(images)}
    return parts | {
        name: path for name, path in (("label", label), ("points", points)) if path is not None
    }


def _below(path: str, hashes: Mapping[str, str]) -> dict[str, str]:
    """Return those checksums that are of a path, or of the files in it, by their names in it."""
    if path in hashes:
        return {"": hashes[path]}
    return {
        name.removeprefix(f"{path}/"): digest
        for name, digest in hashes.items()
        if name.startswith(f"{path}/")
    }
