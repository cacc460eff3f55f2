"""A DICOM tree as the source of a raw task: all that is decided before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interactivenet.datasets.dicom_tree.choosing import (
    ChosenCase,
    check_one_frame,
    choose_cases,
    unused_series,
)
from interactivenet.datasets.dicom_tree.contents import Patient, Tree, TreeStructures, read_tree
from interactivenet.datasets.dicom_tree.patterns import ModalityPattern, index_of, parse_patterns
from interactivenet.datasets.dicom_tree.structure_sets import (
    Labelling,
    Outlines,
    choose_outlines,
    named_by_structures,
)
from interactivenet.datasets.sources import (
    Source,
    SourceCase,
    with_safe_names,
    without_repeated_names,
)
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.dicom.reading import folder_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.prompt import LabelNames


@dataclass(frozen=True)
class TreeRequest:
    """What is made of a tree.

    Attributes:
        patterns: Of the modalities, in their order.
        labelling: How outlines become labels.
        resample_to: Number of the modality whose grid the others are resampled onto; None where
            all must lie on one.
        across_frames: Whether series of several frames of reference are taken for one.
    """

    patterns: tuple[ModalityPattern, ...]
    labelling: Labelling
    resample_to: int | None = None
    across_frames: bool = False

    @staticmethod
    def parse(
        modalities: Sequence[str],
        labels: LabelNames,
        rois: Sequence[str] = (),
        structures: str = "",
        resample_to: str | None = None,
        across_frames: bool = False,
    ) -> TreeRequest:
        """Check what is asked for; raises RequestError where it cannot be."""
        if not modalities:
            raise RequestError(
                "a DICOM tree needs a pattern for each modality", field="modalities",
                expected="NAME=PATTERN, such as 'CT=' or 'MR=T1*'",
            )  # fmt: skip
        patterns = parse_patterns(modalities)
        reference = None if resample_to is None else index_of(resample_to, patterns)
        labelling = Labelling(labels.names, tuple(rois), structures)
        return TreeRequest(patterns, labelling, reference, across_frames)

    @property
    def reference(self) -> int:
        """Number of the modality whose grid counts."""
        return self.resample_to or 0


@dataclass(frozen=True)
class TreeCase(SourceCase):
    """A case of a tree.

    chosen: its series.  grids: of these.  outlines: its structure set.
    """

    chosen: ChosenCase | None = None
    grids: tuple[Geometry, ...] = ()
    outlines: Outlines | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The slices of its series, and the structure set."""
        series = self.chosen.series if self.chosen else ()
        slices = dict.fromkeys(one.file.path for each in series for one in each.slices)
        return (*slices, *((self.label,) if self.label else ()))

    @property
    def series(self) -> tuple[Series, ...]:
        """One for each modality."""
        assert self.chosen is not None
        return self.chosen.series


@dataclass(frozen=True)
class TreeSource(Source):
    """A tree, and what is made of it.

    unused: series that are in no case.  unused_structures: structure sets that no case has.
    """

    tree: Tree | None = None
    unused: tuple[tuple[Patient, Series], ...] = ()
    unused_structures: tuple[tuple[Patient, TreeStructures], ...] = ()


def find_tree_source(folder: Path, request: TreeRequest, labels: LabelNames) -> TreeSource:
    """Read the headers of a tree and decide what becomes of it; there may be no case left."""
    tree = read_tree(folder)
    patterns, labelling = request.patterns, request.labelling
    named = named_by_structures(tree, labelling.pattern)
    choice = choose_cases(tree, patterns, named)
    cases, left_out = [], dict(choice.left_out)
    for chosen in choice.cases:
        try:
            cases.append(_case(tree, chosen, request))
        except DataError as error:
            left_out[chosen.name] = str(error)
    for case in _of_shared_outlines(cases):
        cases.remove(case)
        assert case.outlines is not None
        left_out[case.name] = (
            f"has outlines, {case.outlines.structures}, that refer to none of its series and lie"
            " on those of other cases, too: nothing says of which they are"
        )
    taken = {id(case.outlines.structures) for case in cases if case.outlines}
    source = TreeSource(
        "DICOM", folder, tuple(pattern.name for pattern in patterns), labels, tuple(cases),
        left_out, (*choice.notes, *_notes(tree)), _groups(cases), tree,
        tuple(unused_series(tree, [case.chosen for case in cases if case.chosen])),
        tuple((patient, one) for patient in tree.patients for one in patient.structures
              if id(one) not in taken),
    )  # fmt: skip
    checked = without_repeated_names(with_safe_names(source))
    assert isinstance(checked, TreeSource)
    return checked


def _case(tree: Tree, chosen: ChosenCase, request: TreeRequest) -> TreeCase:
    patterns, reference = request.patterns, request.reference
    grids, notes = check_one_frame(
        chosen, patterns, reference, resample=request.resample_to is not None,
        across_frames=request.across_frames,
    )  # fmt: skip
    outlines = choose_outlines(
        tree, chosen, patterns, grids, reference, request.labelling,
        across_frames=request.across_frames,
    )  # fmt: skip
    images = {number: folder_of(series) for number, series in enumerate(chosen.series)}
    for pattern, series in zip(patterns, chosen.series, strict=True):
        notes += [f"{pattern.name}: {note}" for note in series.notes]
    return TreeCase(
        "Tr", chosen.name, images, outlines.structures.file.path,
        notes=(*chosen.notes, *notes, *outlines.notes),
        chosen=chosen, grids=tuple(grids), outlines=outlines,
    )  # fmt: skip


def _of_shared_outlines(cases: Sequence[TreeCase]) -> list[TreeCase]:
    """Return the cases that have a structure set with others, which says nothing of its series."""
    outlines = [case.outlines for case in cases if case.outlines]
    counts = Counter(id(one.structures) for one in outlines)
    return [
        case
        for case in cases
        if case.outlines and counts[id(case.outlines.structures)] > 1 and not case.outlines.refers
    ]


def _groups(cases: Sequence[TreeCase]) -> dict[str, str]:
    """Return case -> patient, of patients with several cases: these must share a fold."""
    patients = {case.name: str(case.chosen.patient) for case in cases if case.chosen}
    counts = Counter(patients.values())
    return {name: patient for name, patient in patients.items() if counts[patient] > 1}


def _notes(tree: Tree) -> list[str]:
    """Say what of a tree is not looked at."""
    notes = [f"{text}: not used" for _, text in tree.lost]
    if tree.others:
        notes.append(f"series that are no volumes are not used: {', '.join(map(str, tree.others))}")
    if tree.foreign:
        kinds: dict[str, int] = {}
        for file in tree.foreign:
            kinds[file.reason] = kinds.get(file.reason, 0) + 1
        counted = ", ".join(f"{number} of {kind}" for kind, number in sorted(kinds.items()))
        notes.append(f"files that are neither slices nor outlines are not used: {counted}")
    return notes
