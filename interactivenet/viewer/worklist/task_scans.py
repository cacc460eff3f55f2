"""The scans of a raw task, finished or in the making: images alone are enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from interactivenet.datasets.file_matching import match_cases, stems
from interactivenet.datasets.modalities import ANY
from interactivenet.datasets.stray_files import unread_files
from interactivenet.datasets.task import Task
from interactivenet.errors import InteractiveNetError
from interactivenet.imaging.io import READABLE
from interactivenet.viewer.worklist.scan_files import (
    FoundScan,
    FoundScans,
    expected_modalities,
    header_problem,
    images_of_case,
)

_SUBSETS: tuple[Literal["Tr", "Ts"], ...] = ("Tr", "Ts")


def find_task_scans(folder: Path) -> FoundScans:
    """List the scans of a raw task: those of imagesTr, then those of imagesTs.

    The modalities are those of ``dataset.json``; without one, the numbers in the files' names tell
    how many there are. What cannot be opened is listed with its problem.
    """
    found = FoundScans()
    modalities: Sequence[str] = (ANY,)
    if (folder / "dataset.json").exists():
        try:
            modalities = Task.load(folder).modalities
        except InteractiveNetError as error:
            found.notes.append(f"dataset.json cannot be used: {error}")
    for subset in _SUBSETS:
        _add_subset(folder, subset, modalities, found)
    return found


def _add_subset(
    folder: Path, subset: Literal["Tr", "Ts"], modalities: Sequence[str], found: FoundScans
) -> None:
    images, labels, points = (
        folder / f"{kind}{subset}" for kind in ("images", "labels", "interactions")
    )
    expected = expected_modalities(images, modalities)
    matched = match_cases(
        images, labels, points, expected, labelled=False, several=expected == (ANY,)
    )
    for case in matched.cases:
        problem = next(filter(None, map(header_problem, case.images)), "")
        found.scans.append(
            FoundScan(
                case.name, case.images, points=case.interaction, problem=problem, subset=subset,
                task=folder,
            )
        )  # fmt: skip
    for finding in matched.findings:
        if finding.level == "error":
            paths = images_of_case(stems(images, READABLE), finding.case)
            found.scans.append(
                FoundScan("", paths or (images / finding.case,), problem=finding.message,
                          subset=subset, task=folder)
            )  # fmt: skip
        else:
            found.notes.append(f"{finding.case}: {finding.message}")
    for name, reason in unread_files(images, READABLE).items():
        found.scans.append(
            FoundScan("", (images / name,), problem=reason, subset=subset, task=folder)
        )
