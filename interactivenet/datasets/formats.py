"""Datasets of other programs: recognising them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from interactivenet.datasets.dataset_json import LIST, read_dataset_json
from interactivenet.datasets.layouts import EXPECTED, described_layout
from interactivenet.datasets.sources import (
    Source,
    SourceCase,
    match_files,
    with_safe_names,
    without_links,
    without_repeated_names,
)
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import READABLE, READABLE_LABELS
from interactivenet.prompts.prompt import LabelNames


def find_source(folder: Path, labels: LabelNames | None = None) -> Source:
    """Recognise a dataset: Decathlon, nnU-Net, or a plain folder of images/ and labels/.

    labels: names to take in place of the source's own.
    Raises RequestError where it is none of these, or where no case of it can be imported.
    """
    if (folder / LIST).exists():
        source = read_dataset_json(folder, labels)
    elif (folder / "images").is_dir() and (folder / "labels").is_dir():
        source = _plain(folder, labels)
    else:
        raise RequestError(
            f"{folder}: no dataset found: {described_layout(folder)}", expected=EXPECTED
        )
    source = without_repeated_names(with_safe_names(source))
    if not source.cases:
        reasons = "; ".join(
            f"{name} {reason}" for name, reason in list(source.left_out.items())[:3]
        )
        raise RequestError(
            f"{folder}: no case of this {source.kind} dataset can be imported"
            + (f": {reasons}" if reasons else "")
        )
    return replace(source, notes=(*source.notes, *_unused_folders(source)))


def some_of(source: Source, cases: int | None, test_cases: int, seed: int) -> Source:
    """Take some cases of a source with a label, drawn by a seed, and make some of them test cases.

    cases: for training; None for all that are left. Cases of the source that are for testing or
    have no label are left out where anything is asked for. Raises RequestError where there are
    fewer.
    """
    if cases is None and not test_cases:
        return source
    labelled = [case for case in source.cases if case.subset == "Tr" and case.label]
    wanted = test_cases + (1 if cases is None else cases)
    if len(labelled) < wanted:
        raise RequestError(
            f"{source.folder}: has {len(labelled)} labelled cases, but {wanted} were asked for"
        )
    order = random.Random(seed).sample(labelled, len(labelled))
    test, training = order[:test_cases], order[test_cases:][:cases]
    chosen = [*training, *(replace(case, subset="Ts") for case in test)]
    return replace(source, cases=tuple(sorted(chosen, key=lambda case: case.name)))


def _plain(folder: Path, labels: LabelNames | None) -> Source:
    cases, left_out = match_files(
        folder / "images", folder / "labels", "Tr", READABLE, label_suffixes=READABLE_LABELS
    )
    cases, broken = _with_structures(cases)
    left_out |= broken
    numbers = {index for case in cases for index in case.images} or {0}
    if 0 not in numbers:
        raise RequestError(
            f"{folder / 'images'}: its images are numbered from _{min(numbers):04d}",
            expected="_0000 for the first modality",
        )
    count = 1 + max(numbers)
    return Source("plain", folder, ("",) * count, labels or LabelNames({}), cases, left_out)


def _with_structures(
    cases: Sequence[SourceCase],
) -> tuple[tuple[SourceCase, ...], dict[str, str]]:
    """Take the RTSTRUCT or DICOM SEG in a label's folder for the label; say why that is not clear.

    Any other folder is a DICOM series, which stays one.
    """
    from interactivenet.imaging.structures.reading.structure_files import find_structure_file

    kept, left_out = [], {}
    for case in cases:
        try:
            found = find_structure_file(case.label) if case.label and case.label.is_dir() else None
        except DataError as error:
            left_out[case.name] = str(error)
        else:
            kept.append(replace(case, label=found) if found else case)
    return tuple(kept), left_out


def _unused_folders(source: Source) -> Iterator[str]:
    """Say which folders of a source hold nothing that is imported."""
    used = {
        part
        for case in source.cases
        for path in (*case.images.values(), case.label)
        if path
        for part in without_links(path).parents
    }
    expected = ("imagesTr", "labelsTr", "imagesTs", "labelsTs", "images", "labels")
    names = [
        path.name
        for path in sorted(source.folder.iterdir())
        if path.is_dir()
        and path.name not in expected
        and not path.name.startswith((".", "__"))
        and without_links(path) not in used
    ]
    if names:
        some = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        yield f"nothing was taken from {'folders' if len(names) > 1 else 'folder'} {some}"
