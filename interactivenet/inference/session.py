"""One image, read once and prompted many times."""

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
from interactivenet.imaging.in_memory import as_volume
from interactivenet.imaging.io import (
    AS_IT_IS,
    ReadOptions,
    join_channels,
    read_image,
    short_names,
    suffix_of,
)
from interactivenet.inference.reading import read_case
from interactivenet.planning.plan import Plan
from interactivenet.postprocessing.merging import Segmentation, average
from interactivenet.prompts.arrangement import check_inside
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.placement import check_certain
from interactivenet.prompts.prompt import Prompt

if TYPE_CHECKING:
    from typing import TypeAlias

    import SimpleITK
    from nibabel.spatialimages import SpatialImage
    from numpy.typing import ArrayLike

    from interactivenet.imaging.volume import Volume
    from interactivenet.inference.predictor import Predictor

    OneImage: TypeAlias = "str | PathLike[str] | Volume | SpatialImage | SimpleITK.Image"
    #: an image, or one for each modality of the model; of any modality, any number of them
    ImageLike: TypeAlias = "OneImage | Sequence[OneImage] | Scan | Case"
    #: a file of prompts, positions (N, 3) in RAS+ mm, or prompts
    PointsLike: TypeAlias = "str | PathLike[str] | ArrayLike | Prompt | Sequence[Prompt]"

#: what an image without a file is called in messages
UNNAMED = "image"


class Session:
    """An image in memory, to be prompted as often as needed.

    Made by :meth:`Predictor.open`. Nothing is kept between two calls of :meth:`segment` but the
    image: each answer depends on its own points alone.

    Attributes:
        predictor: What segments.
        scan: The image, read, and the prompts that came with it.

    Examples:
        >>> session = predictor.open("scan.nii.gz")  # doctest: +SKIP
        >>> result = session.segment(points_mm)  # doctest: +SKIP
    """

    def __init__(
        self, predictor: Predictor, image: ImageLike, reading: ReadOptions = AS_IT_IS
    ) -> None:
        self.predictor = predictor
        self._reading = reading
        self.scan, self._path = open_scan(image, predictor.plan, reading)

    def segment(self, points: PointsLike | None = None) -> Segmentation:
        """Segment the objects that points mark.

        Args:
            points: One of

                - an array (N, 3) of one object's points, in mm along RAS+, for models of one label;
                - a :class:`Prompt`, or a sequence of them, for one or more objects;
                - the path of a file of prompts, in any format that :func:`read_prompts` reads;
                - None: the prompts that came with the image, for a ``Case`` or a ``Scan``.

        Returns:
            The label map on the grid of the image, and what is known of each object. A voxel that
            several prompts claim belongs to the one with the highest probability.

        Raises:
            DataError: A point lies outside the image (it is named), a file cannot be read, there
                are no points, or they are in mm and the image's header has two positions
                (``use_form`` of :meth:`Predictor.open` says which is meant).
            RequestError: The points are of another shape, or do not say of which label they are,
                or are of one that the model does not have.
        """
        prompts = self.scan.prompts
        if points is not None:
            prompts = as_prompts(points, self.predictor.plan, self.scan, self._path, self._reading)
        with naming(self.scan.name):
            for prompt in prompts:
                check_inside(prompt, self.scan.image.source)
        prepared = self.predictor.prepare(self.scan, prompts)
        claims = self.predictor.claims(prepared, self.predictor.answer(prepared))
        return self.predictor.merged(prepared, [average(of_prompt) for of_prompt in claims])


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


def _read(image: Any, path: Path, reading: ReadOptions) -> Volume:
    if isinstance(image, str | PathLike):
        return read_image(path, reading)
    with naming(path):
        return as_volume(image, reading)
