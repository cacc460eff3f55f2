"""Checking a raw task: every file of every case is read once, and what is wrong is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from interactivenet.datasets.case_lists import read_subtypes
from interactivenet.datasets.findings import Finding
from interactivenet.datasets.image_checks import check_tags, image_notes
from interactivenet.datasets.simulated import simulated_files
from interactivenet.datasets.stray_files import check_folder_names
from interactivenet.datasets.task import Case, Task
from interactivenet.datasets.task_files import find_cases
from interactivenet.errors import DataError, RequestError, describe_failure
from interactivenet.imaging.channels import short_names
from interactivenet.imaging.components import label_counts
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.io import AS_IT_IS, ReadOptions, read_image, read_label
from interactivenet.imaging.lattice import check_same_lattice
from interactivenet.prompts.checks import Add, check_prompt
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames
from interactivenet.prompts.prompt_objects import PromptObjects
from interactivenet.system.files import sha256
from interactivenet.system.parallel import map_cases

_SUBSETS = ("Tr", "Ts")


@dataclass(frozen=True)
class CheckedCase:
    """What checking one case gave. ``grid`` is None where its images could not be used."""

    case: Case
    subset: str
    findings: tuple[Finding, ...]
    grid: Geometry | None = None
    label_voxels: dict[int, int] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether nothing is wrong enough to leave the case out."""
        return not any(finding.level == "error" for finding in self.findings)


@dataclass
class TaskCheck:
    """A raw task under check: iterate over :meth:`run`, then take :meth:`task`."""

    folder: Path
    modalities: tuple[str, ...]
    labels: LabelNames
    use_subtypes: bool = False
    reading: ReadOptions = AS_IT_IS

    def __post_init__(self) -> None:
        kinds = ("images", "labels", "interactions")
        expected = [f"{kind}{subset}" for kind in kinds for subset in _SUBSETS]
        check_folder_names(self.folder, expected)
        subsets = {subset: find_cases(self.folder, subset, self.modalities) for subset in _SUBSETS}
        self.findings = [finding for subset in subsets.values() for finding in subset.findings]
        in_both = {case.name for case in subsets["Tr"].cases} & {
            case.name for case in subsets["Ts"].cases
        }
        self.findings += [
            Finding("error", name, "is in both imagesTr and imagesTs: a test case must be unseen")
            for name in sorted(in_both)
        ]
        self.cases = [
            (subset, replace(case, reading=self.reading))
            for subset, matched in subsets.items()
            for case in matched.cases
            if case.name not in in_both
        ]
        if not self.cases and not self.findings:
            raise RequestError(
                f"{self.folder / 'imagesTr'} holds no images: expected files such as"
                " CASE_0000.nii.gz"
            )
        if self.use_subtypes:
            self._add_subtypes()
        self.checked: list[CheckedCase] = []
        self.simulated = simulated_files(self.folder)

    def run(self, jobs: int = 1) -> Iterator[CheckedCase]:
        """Check the cases on ``jobs`` threads, yielding each as it is done."""
        for checked in map_cases(self._check, self.cases, jobs):
            self.checked.append(checked)
            self.findings += checked.findings
            yield checked

    def task(self) -> Task:
        """Return the task of all usable cases; call it after :meth:`run` has finished."""
        training, test = (
            tuple(check.case for check in self.checked if check.usable and check.subset == subset)
            for subset in _SUBSETS
        )
        return Task(
            self.folder.name, self.folder, self.modalities, self.labels, training, test,
            self.reading,
        )  # fmt: skip

    def failures(self) -> dict[str, str]:
        """Return why cases were left out: case -> reasons."""
        reasons: dict[str, str] = {}
        for finding in self.findings:
            if finding.level == "error":
                before = f"{reasons[finding.case]}; " if finding.case in reasons else ""
                reasons[finding.case] = before + finding.message
        return reasons

    def overall(self) -> list[Finding]:
        """Return what only the whole task shows."""
        findings = []
        usable = [check for check in self.checked if check.usable and check.subset == "Tr"]
        seen: Counter[int] = Counter()
        for check in usable:
            seen.update(check.label_voxels)
        for value, name in self.labels.names.items():
            if usable and not seen[value]:
                findings.append(Finding("warning", "", f"no case has label {value} ({name})"))
        without = [check.case.name for check in usable if check.case.interaction is None]
        if without:
            findings.append(
                Finding(
                    "note",
                    "",
                    f"{len(without)} of {len(usable)} training cases have no prompts yet:"
                    f" `simulate(task={self.folder.name!r})` makes them",
                )
            )
        return findings

    def _add_subtypes(self) -> None:
        path = self.folder / "subtypes.json"
        if not path.exists():
            raise RequestError(f"{path} does not exist: expected it to map case names to subtypes")
        subtypes = read_subtypes(path)
        names = {case.name for _, case in self.cases}
        for name in sorted(set(subtypes) - names - {finding.case for finding in self.findings}):
            self.findings.append(Finding("warning", name, "is in subtypes.json but has no image"))
        kept = []
        for subset, case in self.cases:
            if case.name in subtypes:
                kept.append((subset, replace(case, subtype=subtypes[case.name])))
            elif subset == "Ts":
                kept.append((subset, case))
            else:
                self.findings.append(Finding("error", case.name, "has no entry in subtypes.json"))
        self.cases = kept

    def _check(self, item: tuple[str, Case]) -> CheckedCase:
        subset, case = item
        findings: list[Finding] = []

        def add(level: str, message: str) -> None:
            short = message.replace(f"{self.folder}/", "")
            findings.append(Finding(level, case.name, short))

        grid: Geometry | None = None
        voxels: dict[int, int] = {}
        try:
            grid = _check_images(case, self.modalities, add)
            label = _check_label(case, grid, self.labels, voxels, add) if case.label else None
            if case.interaction:
                prompts = read_prompts(
                    case.interaction, self.labels, image=(case.images[0], grid),
                    options=case.reading,
                )  # fmt: skip
                record = self.simulated.get(f"{subset}/{case.name}", {})
                settings = record.get("settings", {})
                margin = not (settings.get("random") or settings.get("centre"))
                if not margin and record.get("prompt") != sha256(case.interaction):
                    margin = True  # another file has taken the simulated one's place
                objects = PromptObjects(label)
                for prompt in prompts:
                    check_prompt(prompt, grid, objects, add, margin)
                    if subset == "Tr" and (count := len(prompt.corrections)):
                        few = "1 correction" if count == 1 else f"{count} corrections"
                        add("note", f"prompt of label {prompt.label}: {few}, not used in training")
                missing = sorted(set(voxels) - {prompt.label for prompt in prompts})
                if missing:
                    add("warning", f"label {_joined(missing)} has no prompt")
        except Exception as error:  # one odd file must not end the check of the others
            add("error", describe_failure(error))
        return CheckedCase(case, subset, tuple(findings), grid, voxels)


def _check_images(case: Case, modalities: Sequence[str], add: Add) -> Geometry:
    """Read every modality on its own, so that memory holds one at a time."""
    first: Geometry | None = None
    tags: list[Mapping[str, str]] = []
    for path, modality in zip(case.images, modalities, strict=True):
        volume = read_image(path, case.reading)
        if first is None:
            first = volume.source
        else:
            check_same_lattice(path, volume.source, case.images[0], first)
        for note in image_notes(volume, (path.name,), (modality,)):
            add("warning", note)
        tags += volume.tags
    assert first is not None
    check_tags(tags, short_names(case.images), modalities)
    return first


def _check_label(
    case: Case, grid: Geometry, labels: LabelNames, voxels: dict[int, int], add: Add
) -> Array:
    assert case.label is not None
    image = (case.images[0], grid)
    volume = read_label(case.label, case.reading, names=labels.names, image=image)
    for note in volume.notes:
        add("warning", f"{case.label.name}: {note}")
    label = np.asarray(volume.array[0])
    voxels.update(label_counts(label))
    if not voxels:
        raise DataError(f"{case.label}: is empty, expected voxels of {labels}")
    unknown = sorted(set(voxels) - set(labels.names))
    if unknown:
        raise DataError(f"{case.label}: holds label value {_joined(unknown)}, expected {labels}")
    return label


def _joined(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
