"""A DICOM tree as the source of a task: read, and told before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from interactivenet.datasets.conversion import ImportOptions
from interactivenet.datasets.dicom_tree.contents import Patient
from interactivenet.datasets.dicom_tree.import_source import (
    TreeCase,
    TreeRequest,
    TreeSource,
    find_tree_source,
)
from interactivenet.datasets.dicom_tree.patterns import ModalityPattern
from interactivenet.datasets.dicom_tree.writing import write_tree_case
from interactivenet.datasets.findings import Finding
from interactivenet.datasets.sources import SourceCase
from interactivenet.errors import RequestError
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.pipeline.reporting import Reporter, Table, counted
from interactivenet.prompts.prompt import LabelNames

#: so many series that are not used are listed
_LISTED = 100
#: what the writing of a case depends on, besides files and settings: of another, a new import
_VERSION = 1


def read_source(
    folder: Path,
    options: ImportOptions,
    *,
    modalities: Sequence[str],
    labels: LabelNames | None,
    structures: str,
    resample_to: str | None,
    across_frames: bool,
    reporter: Reporter,
) -> tuple[TreeSource, ImportOptions, tuple[str, ...]]:
    """Decide what becomes of a tree, and say it.

    Returns the source, how its cases are written, and the names of its modalities. Raises
    RequestError where it cannot be, or where no case is left.
    """
    if options.merge_labels:
        raise RequestError(
            "is not for DICOM trees", field="merge_labels",
            expected="`rois`, several of which may name one label",
        )  # fmt: skip
    if labels is None:
        raise RequestError(
            f"{folder} does not say which ROIs are which label", field="rois",
            expected="patterns and labels, such as 'GTV*=tumour'",
        )  # fmt: skip
    request = TreeRequest.parse(
        modalities, labels, options.rois, structures, resample_to, across_frames
    )
    reporter.say(f"reading the headers of {folder}")
    source = find_tree_source(folder, request, labels)
    show_tree(source, request, reporter)
    if not source.cases:
        _refuse(source, reporter)

    def write(case: SourceCase, images: Path, labels: Path) -> dict[str, object]:
        assert isinstance(case, TreeCase)
        return write_tree_case(case, images, labels, request, options.copy)

    names = tuple(pattern.name for pattern in request.patterns)
    settings = (_VERSION, *map(str, request.patterns), sorted(labels.names.items()), structures,
                request.resample_to, across_frames)  # fmt: skip
    return source, replace(options, write=write, settings=settings), names


def _refuse(source: TreeSource, reporter: Reporter) -> NoReturn:
    """Say why each case is left out; raises RequestError with one of the reasons."""
    left_out = source.left_out
    refusal = f"{source.folder}: no case of this DICOM tree can be used"
    if not left_out:
        raise RequestError(refusal)
    name, reason = list(left_out.items())[-1]
    if len(left_out) == 1:
        raise RequestError(f"{refusal}: {name} {reason}")
    reporter.findings([Finding("error", case, reason) for case, reason in left_out.items()])
    raise RequestError(f"{refusal}, {len(left_out)} are left out: {name}, for one, {reason}")


def show_tree(source: TreeSource, request: TreeRequest, reporter: Reporter) -> None:
    """Say which series and structure sets are whose, and why, and which are not used."""
    assert source.tree is not None
    patients = counted(len(source.tree.patients), "patient")
    reporter.say(f"{source.folder}: {patients}, {counted(len(source.cases), 'case')}")
    cases = [case for case in source.cases if isinstance(case, TreeCase)]
    if cases:
        reporter.table(
            Table(
                ("case", "modality", "series", "voxels, mm", "why"),
                tuple(row for case in cases for row in _series_rows(case, request)),
                left=5,
            )
        )
        _say_resampled(cases, request, reporter)
        reporter.table(
            Table(
                ("case", "structure set", "ROIs -> labels", "why"),
                tuple(_outline_row(case, request) for case in cases),
                left=4,
            )
        )
    unused = [
        *((_whose(patient, series.file.study), series.brief) for patient, series in source.unused),
        *((_whose(patient, one.file.study), str(one)) for patient, one in source.unused_structures),
    ]
    if unused:
        rows = tuple(unused[:_LISTED])
        if len(unused) > _LISTED:
            rows += (("...", f"and {len(unused) - _LISTED} more"),)
        reporter.table(Table(("patient", "not used"), rows, left=2))


def _series_rows(case: TreeCase, request: TreeRequest) -> list[tuple[str, ...]]:
    assert case.chosen is not None
    rows: list[tuple[str, ...]] = []
    for number, (pattern, series, grid, reason) in enumerate(
        zip(request.patterns, case.series, case.grids, case.chosen.reasons, strict=True)
    ):
        size = "x".join(map(str, grid.shape))
        text = f"{size} of {'x'.join(f'{mm:.3g}' for mm in grid.spacing)}"
        why = reason.replace(f" {pattern}", "", 1)  # the pattern has a column of its own
        name = case.name if number == 0 else ""
        rows.append((name, str(pattern), _kind(series, pattern) + series.title, text, why))
    return rows


def _kind(series: Series, pattern: ModalityPattern) -> str:
    """Return what scanner a series is of, where the pattern does not say so."""
    return "" if pattern.kind else f"{series.file.tags.get('Modality', 'no modality')} "


def _say_resampled(cases: Sequence[TreeCase], request: TreeRequest, reporter: Reporter) -> None:
    """Say which modalities are resampled, in how many cases."""
    reference = request.patterns[request.reference].name
    for number, pattern in enumerate(request.patterns):
        moved = sum(
            not case.grids[number].is_same_lattice(case.grids[request.reference]) for case in cases
        )
        if moved:
            which = f"{moved} of {counted(len(cases), 'case')}"
            reporter.say(f"{pattern.name} is resampled onto the grid of the {reference}: {which}")


def _whose(patient: Patient, uid: str) -> str:
    """Return whose a file is, with the study where its patient has several."""
    study = next((str(study) for study in patient.studies if study.uid == uid), "")
    return f"{patient}, {study}" if study and len(patient.studies) > 1 else str(patient)


def _outline_row(case: TreeCase, request: TreeRequest) -> tuple[str, ...]:
    outlines = case.outlines
    assert outlines is not None
    names = request.labelling.names
    rois = ", ".join(f"{roi} -> {names.get(v, v)}" for roi, v in outlines.values.items())
    return case.name, outlines.structures.file.name, rois, outlines.reason
