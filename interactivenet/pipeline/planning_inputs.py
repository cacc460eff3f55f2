"""What a plan was made from, as its record names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from interactivenet.datasets.splits import GROUPS
from interactivenet.datasets.task import Task
from interactivenet.pipeline.planning_steps import MeasuredCase
from interactivenet.system.files import sha256
from interactivenet.system.provenance import digest_of_files


def input_hashes(
    task: Task, measured: Iterable[MeasuredCase]
) -> dict[str, str | Mapping[str, Any]]:
    """SHA-256 of all files that a plan depends on, by their paths in the task.

    Of an image that is a folder, as a DICOM series, what
    :func:`~interactivenet.system.provenance.digest_of_files` says of its files.
    """
    lists = [task.folder / name for name in ("dataset.json", GROUPS)]
    noted: dict[str, str | Mapping[str, Any]] = {
        path.name: sha256(path) for path in lists if path.exists()
    }
    files = {case.name: case.files for case in task.training}
    for case in measured:
        left = dict(case.hashes)
        for path in files[case.name]:
            folder = path.relative_to(task.folder).as_posix()
            inside = [name for name in left if name.startswith(f"{folder}/")]
            if inside:
                noted[folder] = digest_of_files(
                    {name.removeprefix(f"{folder}/"): left.pop(name) for name in inside}
                )
        noted |= left
    return noted
