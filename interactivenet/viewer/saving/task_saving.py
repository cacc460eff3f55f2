"""Saving a case into a raw task, so that every stage takes the task as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from interactivenet.datasets.growing_task import image_files, listed_with, place_images, read_list
from interactivenet.datasets.image_checks import check_tags
from interactivenet.datasets.modality_names import modality_names
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, InteractiveNetError
from interactivenet.imaging.channels import read_channels, short_names
from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.io import suffix_of
from interactivenet.postprocessing.merging import Segmentation
from interactivenet.prompts.prompt import OBJECT, LabelNames, Prompt
from interactivenet.viewer.annotations.annotation_files import TaskAnnotationFiles
from interactivenet.viewer.annotations.annotation_record import (
    Annotation,
    Saved,
    renamed,
    with_free_name,
    write_annotation,
)
from interactivenet.viewer.annotations.records import same_path
from interactivenet.viewer.worklist.worklist import WorklistEntry


def save_into_task(folder: Path, entry: WorklistEntry, made: Annotation) -> Saved:
    """Write a case into a raw task, its images if need be, and list it in ``dataset.json``.

    Labels get the values that the task has for their names; new names the lowest that are free.
    Raises DataError where the scan has another number of images than the task's cases, or its DICOM
    header contradicts their modality.
    """
    if is_own := entry.task is not None and same_path(entry.task, folder):
        folder = entry.task or folder  # as its images are spelled
    subset = (entry.subset if is_own else "") or "Tr"
    files = TaskAnnotationFiles(folder, subset=subset)
    first, made = made, with_free_name(made, files)
    task, problem = None, ""
    try:
        task = read_list(folder)
    except InteractiveNetError as error:
        problem = f"{error}: the case is saved, but not listed there"
    if task is not None:
        _check_count(task, entry)
    labels = _with_names(task.labels if task else LabelNames({}), made.prompts)
    result, prompts = _relabelled(made.result, made.prompts, labels)
    made = replace(made, result=result, prompts=prompts, labels=labels)
    notes = [*([problem] if problem else []), *renamed(first, made)]
    images, names = entry.images, short_names(entry.images)
    modalities = task.modalities if task else made.provenance.modalities
    if not modalities:
        modalities = modality_names(read_channels(entry.images, entry.reading), names)
        notes.append(
            f"dataset.json says that its images are {', '.join(modalities)}: correct it if not"
        )
    elif _is_dicom(entry) and not is_own:  # what is copied no longer says what it is
        _check_modality(_header_tags(entry), names, modalities, folder.name)
    if not is_own:
        images = place_images(folder, subset, made.case, entry.images, entry.reading)
    saved = write_annotation(files, made)
    written = [*saved.files]
    if not problem:
        points = files.points(made.case)
        case = Case(
            made.case, images, files.label_map(made.case), points if points in written else None
        )
        written.append(listed_with(task, folder, subset, case, modalities, labels).save())
    written += [] if images == entry.images else image_files(images)
    return Saved(tuple(written), (*notes, *saved.notes), saved.mark)


def check_fits(folder: Path, entry: WorklistEntry, tags: Sequence[Mapping[str, str]]) -> None:
    """Raise DataError where :func:`save_into_task` would refuse a scan, before it is outlined.

    tags: of its channels, as in a Volume.
    """
    try:
        task = read_list(folder)
    except InteractiveNetError:
        return  # it is saved, but not listed
    if task is not None:
        _check_count(task, entry)
        if _is_dicom(entry):
            _check_modality(tags, short_names(entry.images), task.modalities, folder.name)


def _is_dicom(entry: WorklistEntry) -> bool:
    return any(not suffix_of(path) for path in entry.images)


def _header_tags(entry: WorklistEntry) -> list[Mapping[str, str]]:
    """Return what the header of each image says of it, where it is DICOM."""
    return [
        {} if suffix_of(path) else find_series(path, entry.reading.series).file.tags
        for path in entry.images
    ]


def _check_count(task: Task, entry: WorklistEntry) -> None:
    if len(task.modalities) != len(entry.images):
        raise DataError(
            f"{entry.name}: has {len(entry.images)} images, but the cases of {task.folder.name}"
            f" have {len(task.modalities)}: {', '.join(task.modalities)}"
        )


def _check_modality(
    tags: Sequence[Mapping[str, str]], names: Sequence[str], modalities: Sequence[str], task: str
) -> None:
    """Raise DataError where DICOM headers contradict the modalities of a task."""
    try:
        check_tags(tags, names, modalities)
    except DataError as error:
        raise DataError(
            error.message, expected=f"{error.expected}, as the other cases of {task} are",
            remedy="save it into another task, or download it",
        ) from error  # fmt: skip


def _with_names(labels: LabelNames, prompts: Sequence[Prompt]) -> LabelNames:
    """Return labels with those that prompts name besides: each gets the lowest free value.

    A label of the model's keeps its value, where that is free.
    """
    names = dict(labels.names)
    for prompt in prompts:
        name = prompt.name or labels.names.get(prompt.label, OBJECT)
        if LabelNames(names).value_of(name) is not None:
            continue
        free = next(value for value in range(1, len(names) + 2) if value not in names)
        names[prompt.label if prompt.label not in names else free] = name
    return LabelNames(dict(sorted(names.items())))


def _relabelled(
    result: Segmentation, prompts: Sequence[Prompt], labels: LabelNames
) -> tuple[Segmentation, tuple[Prompt, ...]]:
    """Return a segmentation, and its prompts, with the labels' values."""
    renamed = []
    for prompt in prompts:
        value = labels.value_of(prompt.name or labels.names.get(prompt.label, OBJECT))
        assert value is not None
        renamed.append(replace(prompt, label=value, name=labels.names[value]))
    values = np.array([0, *(prompt.label for prompt in renamed)], np.uint32)
    label = values[result.instance_map]
    if values.max() < 2**16:
        label = label.astype(np.uint16)
    objects = tuple(
        replace(segmented, prompt=prompt)
        for segmented, prompt in zip(result.objects, renamed, strict=True)
    )
    return replace(result, label=label, objects=objects), tuple(renamed)
