"""Segments that 3D Slicer submits: which label each is, what made it, and its clicks."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.components import bounding_box
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label, suffix_of
from interactivenet.postprocessing.merging import PromptProbability, Segmentation, merge
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.viewer.monai_label.forms import keep
from interactivenet.viewer.monai_label.slicer_image import Outlined, SlicerImage
from interactivenet.viewer.sessions.annotation import values_of
from interactivenet.viewer.worklist.uploads import SENDABLE

if TYPE_CHECKING:
    from interactivenet.viewer.annotations.annotation_record import MadeBy

#: what Slicer calls what is not an object
_BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class Submitted:
    """What is saved.

    result: the segments, an object each.  prompts, made_by: one of each object. Of one that nobody
    has clicked on, the prompt is a single point, with which no model would be asked.
    """

    result: Segmentation
    prompts: tuple[Prompt, ...]
    made_by: tuple[MadeBy, ...]


def read_segments(
    name: str, data: BinaryIO, label_info: Any, grid: Geometry
) -> dict[str, NDArray[np.bool_]]:
    """Read the segments that are not empty: name -> mask (X, Y, Z) along RAS+.

    name: of the file, whose ending says the format.  label_info: [{'name': ...}, ...], in the order
    of the values from 1 on. What it says of values ('idx') counts segments that were left out, too.
    Raises RequestError where a value has no name, DataError where the file is no label map on the
    grid of the image.
    """
    suffix = suffix_of(Path(name))
    if suffix not in SENDABLE:
        raise RequestError(
            "the segments were sent in a format that is not read here",
            expected=f"one of {', '.join(SENDABLE)}",
            remedy="set the file extension in 3D Slicer's settings of MONAI Label",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"segments{suffix}"
        keep(data, path)
        array = read_label(path, image=(Path("image"), grid)).array[0]
    names = _names(label_info)
    segments = {}
    for value in np.unique(array[array > 0]).tolist():
        if value > len(names):
            raise RequestError(f"the segments have the value {value}, but {len(names)} names")
        if names[value - 1].casefold() != _BACKGROUND:
            segments[names[value - 1]] = array == value
    return segments


def describe_segments(
    segments: dict[str, NDArray[np.bool_]], image: SlicerImage, labels: LabelNames, grid: Geometry
) -> Submitted:
    """Make an annotation of segments.

    A segment is the model's work where it is what was inferred last, but for what other segments
    have taken of it; else a person has changed it. Its clicks are kept in any case. One without
    clicks is a person's alone.

    labels: that they may be of.  grid: stored, of the image.
    Raises RequestError where there are no segments, or one is of no label.
    """
    if not segments:
        raise RequestError("all segments are empty: there is nothing to save")
    drawn = np.logical_or.reduce(list(segments.values()))
    claims = []
    made_by: list[MadeBy] = []
    inferred: list[Outlined | None] = []
    for (value, name), (called, mask) in zip(
        values_of(list(segments), labels), segments.items(), strict=True
    ):
        outlined = _of_label(image, called, name)
        if outlined is None:
            prompt = Prompt(value, _a_point(mask, grid.ras), name)
        else:
            state = outlined.state
            prompt = Prompt(value, np.array(state.points), name, corrections=state.corrections)
        others = drawn & ~mask
        same = outlined is not None and np.array_equal(_unpacked(outlined, mask) & ~others, mask)
        made_by.append(_maker(prompt, outlined, same))
        inferred.append(outlined if same else None)
        claims.append(_claim(prompt, mask))
    # without their corrections, which are in the masks already
    result = merge(
        [replace(each, prompt=replace(each.prompt, corrections=())) for each in claims], grid
    )
    objects = []
    for each, claim, outlined in zip(result.objects, claims, inferred, strict=True):
        known = each if outlined is None else replace(
            outlined.segmented, volume_ml=each.volume_ml
        )  # fmt: skip
        objects.append(replace(known, prompt=claim.prompt))
    prompts = tuple(claim.prompt for claim in claims)
    return Submitted(replace(result, objects=tuple(objects)), prompts, tuple(made_by))


def _names(label_info: Any) -> Sequence[str]:
    if not isinstance(label_info, list):
        raise RequestError("the segments have no names", expected="'label_info': [{'name': ...}]")
    given = [each.get("name") if isinstance(each, dict) else None for each in label_info]
    names = [name.strip() for name in given if isinstance(name, str) and name.strip()]
    if len(names) < len(given):
        raise RequestError("a segment has no name", expected="'label_info': [{'name': ...}]")
    if len(set(names)) < len(names):
        raise RequestError("two segments have the same name")
    return names


def _of_label(image: SlicerImage, *names: str) -> Outlined | None:
    return next((image.outlined[name] for name in names if name in image.outlined), None)


def _unpacked(outlined: Outlined, like: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.unpackbits(outlined.mask, axis=-1, count=like.shape[-1]).astype(np.bool_)


def _claim(prompt: Prompt, mask: NDArray[np.bool_]) -> PromptProbability:
    box = bounding_box(mask)
    if box is None:
        raise DataError(f"segment '{prompt.name}' is empty")
    x, y, z = (side.start for side in box)
    return PromptProbability(prompt, mask[box].astype(np.float16), (x, y, z), 1.0)


def _maker(prompt: Prompt, outlined: Outlined | None, same: bool) -> MadeBy:
    if outlined is None:
        return "person"
    if not same:
        return "brush"
    return "corrections" if prompt.corrections else "model"


def _a_point(mask: NDArray[np.bool_], grid: Geometry) -> NDArray[np.float64]:
    """Return the position (1, 3), RAS+ mm, of the voxel of a mask that is nearest to its centre."""
    voxels = np.argwhere(mask)
    nearest = np.linalg.norm((voxels - voxels.mean(axis=0)) * grid.spacing, axis=1).argmin()
    return grid.voxel_to_world(voxels[[nearest]])
