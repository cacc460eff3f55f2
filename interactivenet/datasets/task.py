"""Tasks: where their files are, and ``dataset.json``, which lists them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, InteractiveNetError, RequestError, naming
from interactivenet.imaging.io import AS_IT_IS, ReadOptions
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.fields import field_of_kind, numbered_names
from interactivenet.system.files import (
    is_readable,
    json_bytes,
    read_json,
    read_object,
    remove,
    write_json,
)
from interactivenet.system.names import SafeName, printable, safe_path, word_fault

#: key of dataset.json: which position of NIfTI headers counts
USE_FORM = "use_form"
#: in every folder of a stage, what failed there
FAILURES = "failures.json"
#: letters of a reason in it, where with whole ones it would be too large to be read again
_REASON = 200
_ENTRY_KEYS = {"case", "image", "label", "interaction", "subtype"}


@dataclass(frozen=True)
class Case:
    """The files of one case; images in modality order.

    name: safe as that of files; raises DataError where it is not.
    reading: how its images, and its label, are read where there are several ways.
    more_interactions: further files of points, each of other objects than ``interaction`` has.
    """

    name: str
    images: tuple[Path, ...]
    label: Path | None = None
    interaction: Path | None = None
    subtype: str | None = None
    reading: ReadOptions = AS_IT_IS
    more_interactions: tuple[Path, ...] = ()

    @property
    def all_interactions(self) -> tuple[Path, ...]:
        """All files of points."""
        return (self.interaction, *self.more_interactions) if self.interaction else ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them: images, label and points; a DICOM series is its folder."""
        return (*self.images, *((self.label,) if self.label else ()), *self.all_interactions)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", SafeName(self.name, "case"))


@dataclass(frozen=True)
class Task:
    """A checked raw task: what dataset.json says.

    reading: how its files are read, where there are several ways.
    """

    name: str
    folder: Path
    modalities: tuple[str, ...]
    labels: LabelNames
    training: tuple[Case, ...]
    test: tuple[Case, ...]
    reading: ReadOptions = AS_IT_IS

    @staticmethod
    def load(folder: Path) -> Task:
        """Read ``dataset.json``; raises RequestError where it is missing, DataError if broken."""
        path = folder / "dataset.json"
        if not path.exists():
            raise RequestError(
                f"{path} does not exist: run `check_dataset(task={folder.name!r}, modalities=...,"
                " labels=...)` first"
            )
        with naming(path):
            return _task(read_json(path), folder)

    def save(self) -> Path:
        """Write ``dataset.json`` into the task's folder and return its path."""

        def entry(case: Case) -> dict[str, Any]:
            content: dict[str, Any] = {
                "case": case.name,
                "image": [self._relative(path) for path in case.images],
            }
            if case.label:
                content["label"] = self._relative(case.label)
            if case.interaction:
                content["interaction"] = self._relative(case.interaction)
            if case.subtype is not None:
                content["subtype"] = case.subtype
            return content

        training = [entry(case) for case in self.training]
        test = [entry(case) for case in self.test]
        content: dict[str, Any] = {
            "name": self.name,
            "tensorImageSize": "3D",
            "modality": {str(i): name for i, name in enumerate(self.modalities)},
            "labels": {"0": "background"} | {str(v): n for v, n in self.labels.names.items()},
            "numTraining": len(self.training),
            "numTest": len(self.test),
            "training": training,
            "test": test,
        }
        if self.reading.use_form:
            content[USE_FORM] = self.reading.use_form
        path = self.folder / "dataset.json"
        before = read_object(path)
        if before and not has_own_list(self.folder):
            set_aside(path)
        # what a person or another program noted there (licence, reference ...) stays
        lists = [part for key in ("training", "test") if isinstance(part := before.get(key), list)]
        entries = [e for part in lists for e in part if isinstance(e, dict)]
        noted = {e["case"]: e for e in entries if isinstance(e.get("case"), str)}
        for listed in (*training, *test):
            extra = noted.get(listed["case"], {})
            listed.update({k: v for k, v in extra.items() if k not in _ENTRY_KEYS})
        write_json(path, {**before, **content})
        return path

    def with_interactions(self, files: Mapping[tuple[str, str], Path]) -> Task:
        """Return the task with the prompt files (subset 'Tr' or 'Ts', case name) -> path."""

        def updated(cases: tuple[Case, ...], subset: str) -> tuple[Case, ...]:
            return tuple(
                replace(case, interaction=files.get((subset, case.name), case.interaction))
                for case in cases
            )

        return replace(self, training=updated(self.training, "Tr"), test=updated(self.test, "Ts"))

    def _relative(self, path: Path) -> str:
        return "./" + path.relative_to(self.folder).as_posix()


def read_use_form(folder: Path) -> Literal["", "sform", "qform"]:
    """Return which position of NIfTI headers ``dataset.json`` says to use; '' where it is silent.

    Raises DataError where it says anything else.
    """
    path = folder / "dataset.json"
    form = read_object(path).get(USE_FORM, "")
    if form not in ("", "sform", "qform"):
        raise DataError(f"{path}: has {USE_FORM} {form!r}, expected 'sform' or 'qform'")
    return cast('Literal["", "sform", "qform"]', form)


def has_own_list(folder: Path) -> bool:
    """Whether the folder's ``dataset.json`` was written by this program, not by another."""
    training = read_object(folder / "dataset.json").get("training")
    return isinstance(training, list) and all(
        isinstance(entry, dict) and "case" in entry for entry in training
    )


def set_aside(path: Path) -> Path:
    """Rename a file to NAME.old, or NAME.old2 and so on, and return its new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.old{number if number > 1 else ''}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise DataError(f"{path}: cannot be renamed: {error.strerror or error}") from error
    return aside


def are_failures(content: Mapping[str, Any]) -> bool:
    """Whether this is what a ``failures.json`` holds: stage -> case -> reason."""
    return all(isinstance(reasons, dict) for reasons in content.values())


def record_failures(folder: Path, stage: str, failures: Mapping[str, str]) -> Path:
    """Write what failed in a stage, case -> reason, to the folder's ``failures.json``.

    Other stages' entries are kept; without any failure the file goes away. Of so many that it
    would be too large to be read again, the reasons are shortened.
    """
    path = folder / FAILURES
    content = read_object(path)
    if not are_failures(content):
        raise DataError(f"{path}: was not written by this program", remedy="move it away")
    content.pop(stage, None)
    if failures:
        content[stage] = dict(failures)
    if content:
        if not is_readable(json_bytes(content)):
            content = _shortened(content)
        write_json(path, content)
    elif path.exists():
        remove(path)
    return path


def _shortened(failures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the failures of very many cases with the beginnings of their reasons."""
    return {
        stage: {
            case: text if len(text := str(reason)) <= _REASON else f"{text[:_REASON]} ..."
            for case, reason in reasons.items()
        }
        for stage, reasons in failures.items()
    }


def failed_cases(folder: Path) -> tuple[str, ...]:
    """Return the cases that the ``failures.json`` of a folder names, whatever stage they failed in.

    Raises DataError where it was not written by this program.
    """
    content = read_object(folder / FAILURES)
    if not are_failures(content):
        raise DataError(
            f"{folder / FAILURES}: was not written by this program", remedy="move it away"
        )
    return tuple(case for failures in content.values() for case in failures)


def _task(content: Any, folder: Path) -> Task:
    """Return a task of what its dataset.json holds; raises DataError, naming the field at fault."""
    content = field_of_kind(content, dict, "the file")
    for key in ("labels", "modality", "training"):
        if key not in content:
            raise DataError(f"is not an InteractiveNet dataset.json: field {key} is missing")
    modality, names = (numbered_names(content[key], key) for key in ("modality", "labels"))
    for name in modality.values():
        if fault := word_fault(name):
            raise DataError(f"field modality has the name '{printable(name)}': {fault}")
    lists = {key: field_of_kind(content.get(key, []), list, key) for key in ("training", "test")}
    reading = ReadOptions(read_use_form(folder))
    cases = {
        key: tuple(
            _case(entry, folder, f"{key}[{number}]", reading)
            for number, entry in enumerate(entries)
        )
        for key, entries in lists.items()
    }
    names_of = Counter(case.name for listed in cases.values() for case in listed)
    if twice := [name for name, count in names_of.items() if count > 1]:
        raise DataError(f"lists the case '{twice[0]}' {names_of[twice[0]]} times, expected once")
    try:
        labels = LabelNames({value: name for value, name in names.items() if value})
    except InteractiveNetError as error:
        raise DataError(f"field labels: {error}") from error
    return Task(
        folder.name, folder, tuple(modality.values()), labels, cases["training"], cases["test"],
        reading,
    )  # fmt: skip


def _case(entry: Any, folder: Path, field: str, reading: ReadOptions) -> Case:
    if isinstance(entry, str):  # as the Decathlon lists test images
        entry = {"image": entry}
    field_of_kind(entry, dict, field)

    def inside(relative: Any, key: str) -> Path:
        return folder / safe_path(relative, f"field {field}.{key}")

    label, interaction = (
        inside(entry[key], key) if entry.get(key) else None for key in ("label", "interaction")
    )
    if "image" not in entry:
        raise DataError(f"field {field}.image is missing")
    images = entry["image"] if isinstance(entry["image"], list) else [entry["image"]]
    if not images:
        raise DataError(f"field {field}.image is empty")
    paths = tuple(inside(image, "image") for image in images)
    name = entry.get("case") or re.sub(r"(_\d{4})?\.[^/]*$", "", paths[0].name)
    subtype = entry.get("subtype")
    if subtype is not None:
        subtype = str(field_of_kind(subtype, (str, int), f"{field}.subtype"))
    return Case(SafeName(name, f"field {field}.case"), paths, label, interaction, subtype, reading)


def read_test_set(roots: Roots, task: str) -> tuple[Case, ...]:
    """Return the test cases of a task; raises RequestError where there is none with points."""
    dataset = Task.load(roots.raw_task(task))
    if not dataset.test:
        raise RequestError(
            f"{dataset.folder}: dataset.json lists no test cases",
            expected="images in imagesTs",
            remedy=f"`check_dataset(task={task!r})` lists them, `infer()` takes other folders",
        )
    if not any(case.interaction for case in dataset.test):
        raise RequestError(
            f"{dataset.folder}: no test case has points",
            expected="points in interactionsTs",
            remedy=f"`simulate(task={task!r})` makes them, if there are labels",
        )
    return dataset.test
