"""What a caller gives, images, points and masks of any kind, as what this program works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interactivenet.datasets.case import Scan
from interactivenet.datasets.modalities import modalities_of
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError, naming
from interactivenet.imaging.channels import join_channels, short_names
from interactivenet.imaging.components import label_counts
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.in_memory import as_volume
from interactivenet.imaging.io import (
    AS_IT_IS,
    ReadOptions,
    read_image,
    read_label,
    suffix_of,
)
from interactivenet.imaging.label_values import as_label
from interactivenet.inference.reading import read_case
from interactivenet.planning.plan import Plan
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.placement import check_certain
from interactivenet.prompts.prompt import LabelNames, Prompt

if TYPE_CHECKING:
    from typing import TypeAlias

    import SimpleITK
    from nibabel.spatialimages import SpatialImage
    from numpy.typing import ArrayLike

    from interactivenet.imaging.volume import Volume

    OneImage: TypeAlias = "str | PathLike[str] | Volume | SpatialImage | SimpleITK.Image"
    #: an image, or one for each modality of the model; of any modality, any number of them
    ImageLike: TypeAlias = "OneImage | Sequence[OneImage] | Scan | Case"
    #: a file of prompts, positions (N, 3) in RAS+ mm, or prompts
    PointsLike: TypeAlias = "str | PathLike[str] | ArrayLike | Prompt | Sequence[Prompt]"

#: what an image without a file is called in messages
UNNAMED = "image"


def open_scan(image: ImageLike, plan: Plan, reading: ReadOptions = AS_IT_IS) -> tuple[Scan, Path]:
    """Read an image of any kind; return it and the path that messages call it by.

    reading: how, where there are several ways; a ``Case`` has its own.
    Raises DataError, naming the image, where it cannot be used or is not of the plan's modalities.
    """
    if isinstance(image, Case):
        image = image if reading == AS_IT_IS else replace(image, reading=reading)
        return read_case(image, plan), image.images[0]
    if isinstance(image, Scan):
        scan, path = image, Path(image.name)
    else:
        images = list(image) if isinstance(image, list | tuple) else [image]
        if not images:
            raise RequestError(field="image", message="no image is given")
        paths = [
            Path(each) if isinstance(each, str | PathLike) else Path(f"{UNNAMED} {number}")
            for number, each in enumerate(images, 1)
        ]
        if len(images) == 1 and not isinstance(images[0], str | PathLike):
            paths = [Path(UNNAMED)]
        volumes = [_read(each, path, reading) for each, path in zip(images, paths, strict=True)]
        volume = volumes[0] if len(volumes) == 1 else join_channels(volumes, paths)
        path = paths[0]
        files = short_names(paths) if len(paths) == len(volume.array) else ()
        name = path.name[: len(path.name) - len(suffix_of(path))]
        scan = Scan(name, volume, files=files)
    channels = len(scan.image.array)
    expected = modalities_of(plan.modalities, channels)
    if channels != len(expected):
        raise DataError(
            f"{path}: has {channels} channels, expected {len(expected)}: {', '.join(expected)}"
        )
    return scan, path


def as_prompts(
    points: PointsLike, plan: Plan, scan: Scan, path: Path, reading: ReadOptions = AS_IT_IS
) -> tuple[Prompt, ...]:
    """Turn points of any kind, see :meth:`Session.segment`, into prompts.

    path: of the scan, for messages.  reading: how a mask is read.
    """
    labels = plan.label_names
    grid = (path, scan.image.source)
    if isinstance(points, str | PathLike):
        return tuple(read_prompts(Path(points), labels, image=grid, options=reading))
    given: Sequence[Any] = points if isinstance(points, list | tuple) else [points]
    prompts = tuple(each for each in given if isinstance(each, Prompt))
    if len(prompts) == len(given):
        for prompt in prompts:
            if not labels.has(prompt.label):
                raise RequestError(
                    f"a prompt has label {prompt.label}", field="points",
                    expected=f"a label of the model ({labels})",
                )  # fmt: skip
            check_certain(prompt.points, grid)
        return prompts
    try:
        positions = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RequestError(
            field="points", expected="an array (N, 3) in mm along RAS+, prompts, or a path"
        ) from error
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise RequestError(
            f"they have shape {positions.shape}", field="points",
            expected="an array (N, 3) of one object's points, in mm along RAS+",
        )  # fmt: skip
    if len(plan.labels) != 1:
        raise RequestError(
            f"the model has several labels ({labels})", field="points",
            remedy="give the label of the points: `Prompt(label, points)`",
        )  # fmt: skip
    check_certain(positions, grid)
    ((label, name),) = plan.labels.items()
    return (Prompt(label, positions, name),)


def as_corrections(positive: ArrayLike | None, negative: ArrayLike | None) -> list[Correction]:
    """Turn clicks, positions (N, 3) or (3,) in RAS+ mm, into corrections, positive ones first.

    Raises RequestError where there are none, or they have another shape.
    """
    corrections = []
    for field, given in (("positive", positive), ("negative", negative)):
        if given is None:
            continue
        try:
            positions = np.atleast_2d(np.asarray(given, np.float64))
        except (TypeError, ValueError):
            positions = np.empty(0)
        if not positions.size and np.size(given) == 0:
            continue
        if positions.ndim != 2 or positions.shape[1] != 3 or not np.isfinite(positions).all():
            raise RequestError(
                field=field, value=given, expected="positions (N, 3) in mm along RAS+"
            )
        corrections += [Correction((x, y, z), field == "positive") for x, y, z in positions]
    if not corrections:
        raise RequestError(field="positive", expected="a click, positive or negative")
    return corrections


def as_mask(mask: OneImage, labels: LabelNames, image: tuple[Path, Geometry]) -> Volume:
    """Read a label map of any kind that lies on the lattice of an image.

    Raises DataError where it cannot be used, is empty, or has a value that is none of ``labels``.
    """
    if isinstance(mask, str | PathLike):
        path = Path(mask)
        label = read_label(path, names=labels.only_names, image=image)
    else:
        path = Path("mask")
        with naming(path):
            volume = as_volume(mask)
        label = as_label(path, volume, image)
    values = label_counts(label.array[0])
    if not values:
        raise DataError(f"{path}: is empty: there is nothing to correct")
    for value in values:
        if not labels.has(value):
            raise DataError(f"{path}: has label {value}, expected one of the model's ({labels})")
    return label


def _read(image: Any, path: Path, reading: ReadOptions) -> Volume:
    if isinstance(image, str | PathLike):
        return read_image(path, reading)
    with naming(path):
        return as_volume(image, reading)
