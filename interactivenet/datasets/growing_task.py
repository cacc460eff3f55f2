"""A raw task that gets its cases one by one, as they are annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from interactivenet.datasets.placing import place
from interactivenet.datasets.task import Case, Task, has_own_list
from interactivenet.errors import DataError
from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import ReadOptions, read_image, suffix_of, write_volume
from interactivenet.prompts.prompt import LabelNames


def read_list(folder: Path) -> Task | None:
    """Return what a task's ``dataset.json`` lists; None where there is none yet.

    Raises DataError where it cannot be used, or another program wrote it.
    """
    path = folder / "dataset.json"
    if not path.exists():
        return None
    task = Task.load(folder)
    if not has_own_list(folder):
        raise DataError(f"{path}: was written by another program")
    return task


def listed_with(
    task: Task | None,
    folder: Path,
    subset: str,
    case: Case,
    modalities: Sequence[str],
    labels: LabelNames,
) -> Task:
    """Return a task that lists one case more, or anew, to be saved.

    task: as it is listed so far; None for a new one.  subset: 'Tr' or 'Ts'.  labels: of the task
    with this case.
    """
    if task is None:
        task = Task(folder.name, folder, tuple(modalities), labels, (), ())
    listed = task.training if subset == "Tr" else task.test
    before = next((each for each in listed if each.name == case.name), None)
    if before is not None:
        case = replace(case, subtype=before.subtype)
    others = [each for each in listed if each.name != case.name]
    cases = tuple(sorted([*others, case], key=lambda each: each.name))
    task = replace(task, labels=labels)
    return replace(task, training=cases) if subset == "Tr" else replace(task, test=cases)


def place_images(
    folder: Path, subset: str, case: str, images: Sequence[Path], reading: ReadOptions
) -> tuple[Path, ...]:
    """Copy, or link, the images of a case into a raw task; return where they are.

    An image of one file stays as it is; a DICOM series, and voxels beside a header, become NIfTI on
    the same grid. Raises DataError where one cannot be read or written.
    """
    placed = []
    for number, image in enumerate(images):
        suffix = suffix_of(image)
        single = bool(suffix) and image.is_file() and len(files_of(image)) == 1
        name = f"{case}_{number:04d}{suffix if single else '.nii.gz'}"
        target = folder / f"images{subset}" / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            if single:
                place(image, target, copy=False)
            else:
                volume = read_image(image, reading)
                write_volume(target, volume.array[0], volume.source)
        placed.append(target)
    return tuple(placed)


def image_files(images: Sequence[Path]) -> list[Path]:
    """Return the files of images that were placed."""
    return [file for image in images for file in files_of(image).values()]
