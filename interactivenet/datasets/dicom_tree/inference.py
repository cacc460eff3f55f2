"""New cases of many patients in a DICOM tree: their series, and the points that belong to each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from interactivenet.datasets.dicom_cases import NameBy, name_of
from interactivenet.datasets.dicom_tree.choosing import (
    ChosenCase,
    check_one_frame,
    choose_cases,
    unused_series,
)
from interactivenet.datasets.dicom_tree.contents import Tree, read_tree
from interactivenet.datasets.dicom_tree.patterns import ModalityPattern, index_of, parse_patterns
from interactivenet.datasets.file_matching import name_problem, stems
from interactivenet.datasets.inference_cases import NewCases
from interactivenet.datasets.modalities import is_any
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.dicom.reading import folder_of
from interactivenet.imaging.io import READABLE_LABELS, ReadOptions
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.system.names import composed, list_names, list_some, printable

#: so many series that are not used are named
_NAMED = 8


@dataclass(frozen=True)
class TreeQuery:
    """Which series of a tree are segmented.

    Attributes:
        modalities: What the series of each are known by, as ``ModalityPattern.parse`` reads them.
        resample_to: The modality whose grid counts; None where all must lie on one.
        across_frames: Whether series of several frames of reference are taken for one.
    """

    modalities: tuple[str, ...]
    resample_to: str | None = None
    across_frames: bool = False

    def patterns(self, expected: Sequence[str]) -> tuple[ModalityPattern, ...]:
        """Return the patterns in the order of a model's modalities, ``expected``.

        Raises RequestError where the names are others. A model of any modality takes any names.
        """
        given = parse_patterns(self.modalities)
        if is_any(expected):
            return given
        named = {pattern.name.casefold(): pattern for pattern in given}
        if set(named) != {name.casefold() for name in expected}:
            names = ", ".join(pattern.name for pattern in given)
            raise RequestError(
                f"{names} are given", field="modalities",
                expected=f"the modalities of the model, {', '.join(expected)}",
            )  # fmt: skip
        return tuple(named[name.casefold()] for name in expected)


@dataclass(frozen=True)
class _Files:
    """Files of points, or labels: names without suffix -> files, each taken by one case."""

    folder: Path
    named: Mapping[str, Sequence[Path]]

    def of(self, keys: Sequence[str]) -> Path | None:
        """Return the file that has one of these names; raises DataError for several."""
        found = [path for key in dict.fromkeys(map(composed, keys))
                 for path in self.named.get(key, ())]  # fmt: skip
        if len(found) > 1:
            raise DataError(f"has {len(found)} files in {self.folder}: {list_names(found)}")
        return found[0] if found else None


def find_tree_cases(
    images: Sequence[Path],
    interactions: Sequence[Path],
    labels: Path | None,
    modalities: Sequence[str],
    query: TreeQuery,
    *,
    reading: ReadOptions,
    name_by: NameBy = "series",
) -> NewCases:
    """Find the cases of a DICOM tree, and match them with points, and with labels.

    images: the tree's folder.  interactions, labels: a folder each; or one file, for a tree of one
    case. Files are named as the case, as its PatientID, where no other study could be meant, or as
    the SeriesInstanceUID of the series whose grid counts.  modalities: of the model.
    A case is named by PatientID and that series; ``name_by`` says otherwise. What is no case is one
    that failed. Raises RequestError where what is given does not fit together.
    """
    for path in (*images, *interactions, *([labels] if labels else [])):
        if not path.exists():
            raise RequestError(f"{path}: does not exist")
    if len(images) != 1 or not images[0].is_dir():
        raise RequestError(
            f"{len(images)} paths are given" if len(images) != 1 else f"{images[0]}: is a file",
            field="images", expected="the one folder of a DICOM tree, as `modalities` are given",
        )  # fmt: skip
    if reading.series:
        raise RequestError(
            "cannot be combined with `modalities`, which say which series are meant",
            field="series", value=reading.series,
        )  # fmt: skip
    patterns = query.patterns(modalities)
    reference = None if query.resample_to is None else index_of(query.resample_to, patterns)
    tree = read_tree(images[0])
    points = {} if not interactions[0].is_dir() else stems(interactions[0], PROMPT_SUFFIXES)
    choice = choose_cases(tree, patterns, _named_by_points(tree, points))
    new = NewCases(notes=[*choice.notes, *_notes(tree, choice.cases)])
    new.failures.update(choice.left_out)
    found: list[tuple[ChosenCase, Case, list[str]]] = []
    failed: set[str] = set()
    for chosen in choice.cases:
        try:
            case, notes = _case(chosen, patterns, reference, query, reading, name_by)
        except DataError as error:
            new.failures[chosen.name] = str(error)
            for number in range(len(patterns)):
                failed.update(_names_of(chosen, number))
            continue
        found.append((chosen, case, notes))
    found = _without_repeated(found, new)
    keys = _keys(found, reference or 0)
    _match(found, keys, interactions, labels, points, failed, new)
    new.failures = {printable(name): why for name, why in sorted(new.failures.items())}
    return new


def _case(
    chosen: ChosenCase,
    patterns: Sequence[ModalityPattern],
    reference: int | None,
    query: TreeQuery,
    reading: ReadOptions,
    name_by: NameBy,
) -> tuple[Case, list[str]]:
    """Return a case without its points, and notes; raises DataError where it cannot be one."""
    _, notes = check_one_frame(
        chosen, patterns, reference or 0, resample=reference is not None,
        across_frames=query.across_frames,
    )  # fmt: skip
    tags = chosen.series[reference or 0].file.tags
    if not chosen.patient.identifier and name_by in ("folder", "series"):
        tags = {**tags, "PatientID": chosen.name}  # as a task calls it, by its study
    name = name_of(tags, "series" if name_by == "folder" else name_by)
    if problem := name_problem(name, recorded=True):
        raise DataError(problem)
    series = tuple(one.uid for one in chosen.series)
    resample_to = reference if len(chosen.series) > 1 else None
    options = replace(reading, channel_series=series, resample_to=resample_to)
    images = tuple(folder_of(one) for one in chosen.series)
    return Case(name, images, reading=options), [*chosen.notes, *notes]


def _without_repeated(
    found: Sequence[tuple[ChosenCase, Case, list[str]]], new: NewCases
) -> list[tuple[ChosenCase, Case, list[str]]]:
    """Leave out cases that have one name: they would become one."""
    kept = []
    names = [case.name.casefold() for _, case, _ in found]
    for chosen, case, notes in found:
        if names.count(case.name.casefold()) > 1:
            new.failures[chosen.name] = f"several cases have its name, {case.name}"
        else:
            kept.append((chosen, case, notes))
    return kept


def _keys(
    found: Sequence[tuple[ChosenCase, Case, list[str]]], reference: int
) -> dict[str, list[str]]:
    """Return the names that files of each case may have."""
    return {case.name: [case.name, *_names_of(chosen, reference)] for chosen, case, _ in found}


def _names_of(chosen: ChosenCase, reference: int) -> list[str]:
    file = chosen.series[reference].file
    names = [file.series]
    if chosen.is_only:  # a file that is named after a patient must not be of another study
        names += [chosen.patient.identifier, chosen.name]
    with suppress(DataError):  # a header without a PatientID
        names.append(name_of(file.tags, "series"))
    return names


def _match(
    found: Sequence[tuple[ChosenCase, Case, list[str]]],
    keys: Mapping[str, Sequence[str]],
    interactions: Sequence[Path],
    labels: Path | None,
    points: Mapping[str, Sequence[Path]],
    failed: Collection[str],
    new: NewCases,
) -> None:
    """Give the cases their points and labels; those without points have failed.

    failed: names that points of cases may have that are none, which has been said.
    """
    single = not interactions[0].is_dir()
    if (single or (labels and not labels.is_dir())) and len(found) != 1:
        given = interactions[0] if single else labels
        names = ", ".join(case.name for _, case, _ in found[:_NAMED])
        raise RequestError(
            f"{given}: is one file, but the tree has {len(found)} cases ({names})",
            expected="a folder with a file for each",
        )
    files, taken = _Files(interactions[0], points), set()
    maps = _Files(labels, stems(labels, READABLE_LABELS)) if labels else None
    unlabelled: list[str] = []
    for _, case, notes in found:
        try:
            first = interactions[0] if single else files.of(keys[case.name])
            label = labels
            if maps and labels and labels.is_dir():
                label = maps.of(keys[case.name])
        except DataError as error:
            new.failures[case.name] = str(error)
            continue
        if first is None:
            others = [key for key in dict.fromkeys(keys[case.name]) if key != case.name]
            new.failures[case.name] = (
                f"has no points in {interactions[0]}: expected {case.name}.json, or the same with"
                f" the name {' or '.join(others[:2])}"
            )
            continue
        taken.add(first)
        if labels and label is None:
            unlabelled.append(case.name)
        more = tuple(interactions[1:]) if single else ()
        new.cases.append(replace(case, interaction=first, more_interactions=more, label=label))
        new.notes += [f"{case.name}: {note}" for note in notes]
    for name, paths in points.items():
        if not taken & set(paths) and name not in new.failures and name not in failed:
            new.failures[name] = f"has no case in the tree: {paths[0]} belongs to none"
    if unlabelled and len(unlabelled) < len(new.cases):
        new.notes.append(f"{labels}: holds no label map for {', '.join(unlabelled)}: not compared")


def _named_by_points(tree: Tree, points: Mapping[str, Sequence[Path]]) -> dict[str, str]:
    """Return the series that files of points are named after: UID -> what to say of it."""
    named = {}
    for patient in tree.patients:
        for study in patient.studies:
            for series in study.series:
                uid = series.file.series
                if any(name == uid or name.endswith(f"_{uid}") for name in points):
                    named[uid] = "the one that points are named after"
    return named


def _notes(tree: Tree, cases: Sequence[ChosenCase]) -> list[str]:
    """Say what of a tree is not used."""
    notes = [f"{text}: not used" for _, text in tree.lost]
    unused = [f"{patient}: {series.brief}" for patient, series in unused_series(tree, cases)]
    if unused:
        notes.append(f"series that are not used: {list_some(unused, _NAMED)}")
    return notes
