"""Which series of a DICOM tree are a case's modalities, and why; what is left out, and why.

A case is a study that has all modalities; or all studies of a patient together, where each modality
is in one of them only. Nothing is guessed: where several series of a study could be a modality,
one has to be named by something else (a structure set, points), else the case is left out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from interactivenet.datasets.dicom_cases import safe_part
from interactivenet.datasets.dicom_tree.contents import Patient, Study, Tree
from interactivenet.datasets.dicom_tree.patterns import ModalityPattern
from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import grid_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Geometry
from interactivenet.system.names import list_some

#: so many series are named where more are meant
_NAMED = 6


@dataclass(frozen=True, eq=False)
class ChosenCase:
    """The series of a case, in the order of the modalities.

    Attributes:
        name: Of the patient, safe for files; with the number of the study, by date, of several.
        patient: Whose it is.
        series: One of each modality.
        reasons: Why each was chosen.
        notes: What a user should know.
        is_only: Whether no other study of the patient has all modalities.
    """

    name: str
    patient: Patient
    series: tuple[Series, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    is_only: bool = True


@dataclass
class ChosenCases:
    """What is made of a tree. left_out: case -> why it is none."""

    cases: list[ChosenCase] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def choose_cases(
    tree: Tree, patterns: Sequence[ModalityPattern], preferred: Mapping[str, str]
) -> ChosenCases:
    """Find the cases of a tree.

    preferred: SeriesInstanceUID -> what names it, in words: of several series that could be a
    modality, the one that is named is it.
    """
    choice = ChosenCases()
    names = _patient_names(tree.patients)
    for patient in tree.patients:
        if not patient.studies:
            continue
        name = names[id(patient)]
        matched = [(study, _matches(study.series, patterns)) for study in patient.studies]
        complete = [(study, found) for study, found in matched if all(found)]
        if not complete:
            try:
                choice.cases.append(_spread(tree, patient, name, matched, patterns, preferred))
            except DataError as error:
                choice.left_out[name] = str(error)
            continue
        for number, (study, found) in enumerate(complete, 1):
            case = f"{name}_{number}" if len(complete) > 1 else name
            try:
                series, reasons = _one_of_each(tree, found, patterns, preferred)
            except DataError as error:
                choice.left_out[case] = f"{study}: {error}"
                continue
            notes = [f"{study}, {number} of {len(complete)} of this patient"]
            notes = notes if len(complete) > 1 else []
            if not patient.identifier:
                notes.append("has no PatientID: named by its StudyInstanceUID")
            choice.cases.append(
                ChosenCase(case, patient, series, reasons, tuple(notes), len(complete) == 1)
            )
        choice.notes += [
            f"{name}: {study} is no case: {_lacking(found, patterns)}"
            for study, found in matched
            if not all(found) and any(found)
        ]
    return choice


def check_one_frame(
    case: ChosenCase,
    patterns: Sequence[ModalityPattern],
    reference: int,
    *,
    resample: bool,
    across_frames: bool,
) -> tuple[list[Geometry], list[str]]:
    """Check that the modalities of a case lie in one frame of reference, and on grids that fit.

    reference: number of the modality whose grid counts.  resample: whether the others may be
    resampled onto it.  across_frames: whether series of several frames of reference may be.
    Returns their grids, from the headers, and notes. Raises DataError where they do not fit.
    """
    grids = [grid_of(series) for series in case.series]
    base, notes = case.series[reference].file.reference, []
    for pattern, series, grid in zip(patterns, case.series, grids, strict=True):
        own = series.file.reference
        if series is not case.series[reference] and (own != base or not own):
            which = f"{patterns[reference].name} ({base or 'none'}) and {pattern.name}"
            fault = f"lie in several frames of reference, {which} ({own or 'none'})"
            if not across_frames:
                raise DataError(
                    f"its series {fault}, so that nothing says how they lie to each other",
                    remedy="register them first; or, where they are, `across_frames=True`",
                )
            notes.append(f"its series {fault}: taken for one, as was asked for")
        if not resample and not grid.is_same_lattice(grids[reference]):
            names = " or ".join(pattern.name for pattern in patterns)
            raise DataError(
                f"its series lie on different grids: {patterns[reference].name} has"
                f" {grids[reference]}, {pattern.name} has {grid}",
                remedy=f"`resample_to` one of them, {names}, resamples the others",
            )
    return grids, notes


def unused_series(tree: Tree, cases: Sequence[ChosenCase]) -> list[tuple[Patient, Series]]:
    """Return the volumes that are in no case."""
    used = {id(series) for case in cases for series in case.series}
    return [
        (patient, series)
        for patient in tree.patients
        for study in patient.studies
        for series in study.series
        if id(series) not in used
    ]


def _matches(series: Sequence[Series], patterns: Sequence[ModalityPattern]) -> list[list[Series]]:
    return [[one for one in series if pattern.matches(one)] for pattern in patterns]


def _spread(
    tree: Tree,
    patient: Patient,
    name: str,
    matched: Sequence[tuple[Study, list[list[Series]]]],
    patterns: Sequence[ModalityPattern],
    preferred: Mapping[str, str],
) -> ChosenCase:
    """Make one case of several studies; raises DataError where that is not clear."""
    having = [[study for study, found in matched if found[n]] for n in range(len(patterns))]
    found = [list(chain.from_iterable(f[n] for _, f in matched)) for n in range(len(patterns))]
    if not all(found):
        raise DataError(f"{_lacking(found, patterns)}; it has {_listed(_all_series(patient))}")
    for pattern, studies in zip(patterns, having, strict=True):
        if len(studies) > 1:
            raise DataError(
                f"has no study with all modalities, and {pattern.name} in {len(studies)} studies:"
                f" {', '.join(map(str, studies))}"
            )
    series, reasons = _one_of_each(tree, found, patterns, preferred)
    said = ", ".join(
        f"{pattern.name} of the {studies[0]}"
        for pattern, studies in zip(patterns, having, strict=True)
    )
    note = f"its modalities are of several studies: {said}"
    return ChosenCase(name, patient, series, reasons, (note,))


def _one_of_each(
    tree: Tree,
    found: Sequence[Sequence[Series]],
    patterns: Sequence[ModalityPattern],
    preferred: Mapping[str, str],
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """Choose one series for each modality, and say why; raises DataError where that is not clear.

    found: those that match, at least one each.
    """
    candidates = [list(series) for series in found]
    reasons = [f"only series that matches {pattern}" for pattern in patterns]
    for _ in patterns:  # a series that only one modality can be is no other
        for number, series in enumerate(candidates):
            if len(series) == 1:
                continue
            taken = {id(other[0]) for other in candidates if len(other) == 1}
            left = [one for one in series if id(one) not in taken]
            if left and len(left) < len(series):
                candidates[number] = left
                reasons[number] = f"only series left that matches {patterns[number]}"
    for number, series in enumerate(candidates):
        if len(series) == 1:
            continue
        named = [one for one in series if one.file.series in preferred]
        if len(named) == 1:
            candidates[number] = named
            said = preferred[named[0].file.series]
            reasons[number] = f"of {len(series)} that match {patterns[number]}, {said}"
            continue
        which = "and more than one of them is referred to" if named else "and nothing says which"
        raise DataError(
            f"has {len(series)} series that match {patterns[number]}: {_listed(series)}, {which}:"
            " choose one by its number, UID or description"
        )
    chosen = [series[0] for series in candidates]
    for one, count in Counter(map(id, chosen)).items():
        if count > 1:
            same = next(each for each in chosen if id(each) == one)
            names = [p.name for p, each in zip(patterns, chosen, strict=True) if each is same]
            raise DataError(f"has one series, {same}, that matches {' and '.join(names)}")
    for pattern, each in zip(patterns, chosen, strict=True):
        if problem := each.problem or tree.lost_beside(each):
            raise DataError(f"{pattern.name}, {each.file.path.parent}: {problem}")
    return tuple(chosen), tuple(reasons)


def _lacking(found: Sequence[Sequence[Series]], patterns: Sequence[ModalityPattern]) -> str:
    missing = [str(pattern) for pattern, series in zip(patterns, found, strict=True) if not series]
    return f"has no series that matches {' and '.join(missing)}"


def _all_series(patient: Patient) -> list[Series]:
    return [series for study in patient.studies for series in study.series]


def _listed(series: Sequence[Series]) -> str:
    return list_some([one.brief for one in series], _NAMED)


def _patient_names(patients: Sequence[Patient]) -> dict[int, str]:
    """Return a name for each patient, by its id(); of two that would be one, with a digest."""
    names = {id(patient): safe_part(str(patient)) or "patient" for patient in patients}
    counts = Counter(name.casefold() for name in names.values())
    for patient in patients:
        name = names[id(patient)]
        if counts[name.casefold()] > 1:
            digest = hashlib.sha256(str(patient).encode()).hexdigest()[:6]
            names[id(patient)] = f"{name}-{digest}"
    return names
