"""Which structure set of a DICOM tree holds a case's outlines, and on which of its series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from interactivenet.datasets.dicom_tree.choosing import ChosenCase
from interactivenet.datasets.dicom_tree.contents import Tree, TreeStructures
from interactivenet.datasets.dicom_tree.patterns import ModalityPattern, text_matches
from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import folder_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import ReadOptions, read_label
from interactivenet.imaging.structures.reading.roi_names import RoiNames, listed_rois
from interactivenet.system.names import list_some

#: so many structure sets are named where more are meant
_NAMED = 6


@dataclass(frozen=True)
class Labelling:
    """How outlines become labels.

    Attributes:
        names: Label value -> name.
        rois: Definitions of which ROIs are which label, 'GTV*=tumour'.
        pattern: Of the structure set, where there are several: a glob or part of its label, its
            description or its file's name, or its UID; '' for any.
    """

    names: Mapping[int, str]
    rois: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def reading(self) -> ReadOptions:
        """How :func:`~interactivenet.imaging.io.read_label` reads them."""
        return ReadOptions(rois=self.rois)

    def values(self, structures: TreeStructures) -> tuple[dict[str, int], tuple[str, ...]]:
        """Return ROI -> label value, and what is to be said; raises DataError where none is one."""
        if structures.header is None:
            raise DataError(structures.broken)
        drawn = [roi.name for roi in structures.header.rois]
        values, notes = RoiNames.parse(self.rois).match(drawn, self.names)
        if not any(roi.parts for roi in structures.header.rois if roi.name in values):
            raise DataError(f"has nothing drawn in its {listed_rois(list(values))}")
        return values, notes


@dataclass(frozen=True, eq=False)
class Outlines:
    """The structure set of a case.

    Attributes:
        structures: The file.
        drawn_on: Number of the modality on whose slices its outlines lie.
        reason: Why it was chosen.
        values: ROI -> label value.
        notes: What a user should know.
        refers: Whether it refers to a series of the case.
    """

    structures: TreeStructures
    drawn_on: int
    reason: str
    values: Mapping[str, int]
    notes: tuple[str, ...] = ()
    refers: bool = False

    @property
    def frames(self) -> frozenset[str]:
        """UIDs of the frames of reference of the ROIs that are labels; none where unknown."""
        header = self.structures.header
        if header is None:
            return frozenset()
        rois = [roi.number for roi in header.rois if roi.name in self.values]
        return frozenset(header.frames_of(rois).values())


def named_by_structures(tree: Tree, pattern: str) -> dict[str, str]:
    """Return the series that structure sets refer to: SeriesInstanceUID -> what to say of it."""
    return {
        uid: f"the one that {structures.file.name} refers to"
        for patient in tree.patients
        for structures in patient.structures
        if structures.header and is_meant(structures, pattern)
        for uid in structures.header.series
    }


def is_meant(structures: TreeStructures, pattern: str) -> bool:
    """Whether a structure set is what a pattern says; see :class:`Labelling`."""
    header, file = structures.header, structures.file
    texts = [file.path.name, file.tags.get("SeriesDescription", "")]
    texts += [header.label, header.description] if header else []
    return (
        not pattern
        or pattern in (file.uid, file.series)
        or any(text and text_matches(pattern, text) for text in texts)
    )


def choose_outlines(
    tree: Tree,
    case: ChosenCase,
    patterns: Sequence[ModalityPattern],
    grids: Sequence[Geometry],
    reference: int,
    labelling: Labelling,
    *,
    across_frames: bool,
) -> Outlines:
    """Find the structure set of a case.

    grids: of its series.  reference: number of the modality whose grid counts. First comes one that
    refers to its series; then one that refers to another modality's; then one in the same frame of
    reference whose outlines lie on a modality's slices, if it is of no other study. One of whose
    ROIs none is a label does not count. Raises DataError where there is none, or several.
    """
    meant = [one for one in case.patient.structures if is_meant(one, labelling.pattern)]
    if not meant:
        raise DataError(_none(case, labelling) + _of_others(tree, case))
    usable, faults, doubtful = [], [], []
    for one in meant:
        try:
            values, notes = labelling.values(one)
        except DataError as error:
            faults.append(f"{one.file.name} {error}")
            if one.header is None or any(_refers_to(one, series) for series in case.series):
                doubtful.append(faults[-1])  # it would have counted: else nobody misses it
        else:
            usable.append(Outlines(one, reference, "", values, notes))
    order = [reference, *(n for n in range(len(patterns)) if n != reference)]
    for number in order:
        found = [one for one in usable if _refers_to(one.structures, case.series[number])]
        if found:
            chosen = _only(found, case.series[number], patterns[number])
            several = [n for n in order if _refers_to(chosen.structures, case.series[n])]
            if len(several) > 1:  # a fusion: outlined on one of them, seen on the others
                lies = [n for n in several if _lies_on(chosen, case.series[n], grids[n], labelling)]
                number = lies[0] if lies else number
            _check_frame(chosen, case.series[number], across_frames)
            why = f"refers to the {patterns[number].name}"
            return replace(_of(chosen, number, why, doubtful), refers=True)
    found = []
    for outlines in usable:
        for number in order if _is_of_its_studies(outlines.structures, case) else ():
            series = case.series[number]
            if series.file.reference in outlines.frames and _lies_on(
                outlines, series, grids[number], labelling
            ):
                found.append(_of(outlines, number, "", ()))
                break
    if found:
        number = found[0].drawn_on
        chosen = _only(found, case.series[number], patterns[number])
        name = patterns[chosen.drawn_on].name
        why = f"is in the frame of reference of the {name}, on whose slices its outlines lie"
        return _of(chosen, chosen.drawn_on, why, doubtful)
    frames = [series.file.reference for series in case.series]
    told = [_elsewhere(one, frames, _is_of_its_studies(one.structures, case)) for one in usable]
    told += faults
    raise DataError(f"has no structure set that fits: {list_some(told, _NAMED, '; ')}")


def _of(chosen: Outlines, number: int, reason: str, faults: Sequence[str]) -> Outlines:
    notes = chosen.notes
    if faults:
        notes += (f"structure sets that were not taken: {list_some(faults, _NAMED, '; ')}",)
    return Outlines(chosen.structures, number, reason, chosen.values, notes)


def _only(found: Sequence[Outlines], series: Series, pattern: ModalityPattern) -> Outlines:
    if len(found) > 1:
        named = list_some(
            [f"{one.structures}, {one.structures.file.uid}" for one in found], _NAMED, "; "
        )
        raise DataError(
            f"has {len(found)} structure sets for its {pattern.name}, {series}: {named}",
            remedy="`structures` chooses one by its label, description, file name or UID",
        )
    return found[0]


def _elsewhere(outlines: Outlines, frames: Sequence[str], is_of_its_studies: bool) -> str:
    """Say why outlines that refer to no series of a case are not of it; frames: of its series."""
    header = outlines.structures.header
    refers = "refers to other series" if header and header.series else "refers to no series"
    if not is_of_its_studies:
        return f"{outlines.structures} {refers}, and is of another study"
    if outlines.frames & set(frames):
        return f"{outlines.structures} {refers}, and does not lie on the slices of these"
    named = ", ".join(sorted(outlines.frames)) or "unknown"
    return f"{outlines.structures} {refers}, and its frame of reference is another one ({named})"


def _is_of_its_studies(structures: TreeStructures, case: ChosenCase) -> bool:
    """Whether outlines may be of a case: those of a follow-up may lie in the same place.

    They are of the studies of the series that they refer to, or of their own where these are not
    in the tree.
    """
    known = [(series.file.series, study.uid) for study in case.patient.studies
             for series in study.series]  # fmt: skip
    header = structures.header
    own = {study for uid, study in known if header and uid in header.series}
    own = own or ({study for _, study in known} & {structures.file.study})
    return not own or not own.isdisjoint(series.file.study for series in case.series)


def _refers_to(structures: TreeStructures, series: Series) -> bool:
    return structures.header is not None and series.file.series in structures.header.series


def _check_frame(outlines: Outlines, series: Series, across_frames: bool) -> None:
    """Raise DataError where outlines are in another frame of reference than the series they are of.

    That they refer to the series says which image was outlined, not that the coordinates fit.
    """
    frames, own = outlines.frames, series.file.reference
    if frames and own and own not in frames and not across_frames:
        raise DataError(
            f"{outlines.structures.file.name} refers to {series}, but is in another frame of"
            f" reference, {', '.join(sorted(frames))}, expected {own}",
            remedy="where these are one, `across_frames=True` takes it",
        )


def _lies_on(outlines: Outlines, series: Series, grid: Geometry, labelling: Labelling) -> bool:
    """Whether outlines lie on the slices of a series."""
    path, image = outlines.structures.file.path, (folder_of(series), grid)
    try:
        label = read_label(path, labelling.reading, names=labelling.names, image=image)
    except DataError:
        return False
    return bool(label.array.any())


def _none(case: ChosenCase, labelling: Labelling) -> str:
    others = case.patient.structures
    if not others:
        return "has no structure set (RTSTRUCT or DICOM SEG) in the tree"
    named = list_some([str(one) for one in others], _NAMED, "; ")
    return f"has no structure set that is '{labelling.pattern}', but {named}"


def _of_others(tree: Tree, case: ChosenCase) -> str:
    """Say which structure sets refer to a case's series, but are said to be of another patient."""
    others = [
        f"{one.file.name} refers to it, but is of patient {patient}"
        for patient in tree.patients
        if patient is not case.patient
        for one in patient.structures
        if any(_refers_to(one, series) for series in case.series)
    ]
    return f"; {list_some(others, _NAMED, '; ')}" if others else ""
