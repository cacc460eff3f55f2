"""Which structure set of a DICOM tree holds a case's outlines, and on which of its series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interactivenet.datasets.dicom_tree.choosing import ChosenCase
from interactivenet.datasets.dicom_tree.contents import Tree, TreeStructures
from interactivenet.datasets.dicom_tree.patterns import ModalityPattern, text_matches
from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import folder_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import ReadOptions, read_label
from interactivenet.imaging.structures.roi_names import RoiNames

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
        return RoiNames.parse(self.rois).match(drawn, self.names)


@dataclass(frozen=True, eq=False)
class Outlines:
    """The structure set of a case.

    Attributes:
        structures: The file.
        drawn_on: Number of the modality on whose slices its outlines lie.
        reason: Why it was chosen.
        values: ROI -> label value.
        notes: What a user should know.
    """

    structures: TreeStructures
    drawn_on: int
    reason: str
    values: Mapping[str, int]
    notes: tuple[str, ...] = ()


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
    reference whose outlines lie on a modality's slices. One of whose ROIs none is a label does not
    count. Raises DataError where there is none, or several.
    """
    meant = [one for one in case.patient.structures if is_meant(one, labelling.pattern)]
    if not meant:
        raise DataError(_none(case, labelling))
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
            _check_frame(chosen.structures, case.series[number], across_frames)
            why = f"refers to the {patterns[number].name}"
            return _of(chosen, number, why, doubtful)
    found = []
    for outlines in usable:
        for number in order:
            series = case.series[number]
            is_in_frame = _frame(outlines.structures) == series.file.reference != ""
            if is_in_frame and _lies_on(outlines, series, grids[number], labelling):
                found.append(_of(outlines, number, "", doubtful))
                break
    if found:
        number = found[0].drawn_on
        chosen = _only(found, case.series[number], patterns[number])
        name = patterns[chosen.drawn_on].name
        why = f"is in the frame of reference of the {name}, on whose slices its outlines lie"
        return _of(chosen, chosen.drawn_on, why, doubtful)
    told = [f"{one.structures} refers to other series" for one in usable] + faults
    raise DataError(f"has no structure set that fits: {_some(told)}")


def _of(chosen: Outlines, number: int, reason: str, faults: Sequence[str]) -> Outlines:
    notes = chosen.notes
    if faults:
        notes += (f"structure sets that were not taken: {_some(faults)}",)
    return Outlines(chosen.structures, number, reason, chosen.values, notes)


def _only(found: Sequence[Outlines], series: Series, pattern: ModalityPattern) -> Outlines:
    if len(found) > 1:
        named = _some([f"{one.structures}, {one.structures.file.uid}" for one in found])
        raise DataError(
            f"has {len(found)} structure sets for its {pattern.name}, {series}: {named}",
            remedy="`structures` chooses one by its label, description, file name or UID",
        )
    return found[0]


def _refers_to(structures: TreeStructures, series: Series) -> bool:
    return structures.header is not None and series.file.series in structures.header.series


def _frame(structures: TreeStructures) -> str:
    return structures.header.frame_of_reference if structures.header else ""


def _check_frame(structures: TreeStructures, series: Series, across_frames: bool) -> None:
    """Raise DataError where outlines are in another frame of reference than the series they are of.

    That they refer to the series says which image was outlined, not that the coordinates fit.
    """
    frame, own = _frame(structures), series.file.reference
    if frame and own and frame != own and not across_frames:
        raise DataError(
            f"{structures.file.name} refers to {series}, but is in another frame of reference,"
            f" {frame}, expected {own}",
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
    named = _some([str(one) for one in others])
    return f"has no structure set that is '{labelling.pattern}', but {named}"


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return "; ".join(texts[:_NAMED]) + more
