"""Robots that correct an outline by clicks, and the brush: what a person would do without a model.

Pure functions on masks (X, Y, Z) along RAS+, which know nothing of models or files, so that any
program can be measured with them. The same masks give the same clicks, always.

Both robots look for the largest *error component*: the voxels in which prediction and truth
differ, whichever of them has the voxel, in 26-connected components, of which the one of most voxels
counts, and of equal ones the one whose first voxel comes first in the array.

- ``cvpr`` is the protocol of the CVPR 2025 challenge "Foundation models for interactive 3D
  biomedical image segmentation": its click lies where the component is deepest, by the Euclidean
  distance to the outside of the component *in voxels*, whatever the spacing, beyond the image's
  border being outside. Of equal maxima the challenge's script draws one with the seed 42, and so
  does this one; they come in another order where its arrays have other axes.
- ``sloppy`` is a hand in a hurry: any voxel of the component, missed by up to 2 mm.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.components import Mask, bounding_box, label_components

RobotName = Literal["cvpr", "sloppy"]
ROBOTS: tuple[RobotName, ...] = get_args(RobotName)
#: how far the sloppy robot's hand slips at most, mm
SLIP_MM = 2.0
#: of a ball that the brush paints, voxels along each axis
BRUSH_RADIUS = 2
#: the challenge's script draws one of equally deep voxels with this seed, each time anew
_SEED_OF_TIES = 42
#: a hand that slips onto an earlier click of the other side is tried again so often
_TRIES = 100


@dataclass(frozen=True)
class Click:
    """A correcting click.

    voxel: where, on the grid along RAS+.  positive: whether it says that this is the object.
    """

    voxel: tuple[int, int, int]
    positive: bool


def largest_error(prediction: Mask, truth: Mask) -> NDArray[np.intp]:
    """Return the voxels (N, 3) of the largest error component of two masks (X, Y, Z).

    In the order of the array; (0, 3) where the masks are equal. Raises DataError where they differ
    in shape or are not 3D.
    """
    part = _largest_error(prediction, truth)
    if part is None:
        return np.empty((0, 3), np.intp)
    inside, start = part
    return np.asarray(np.argwhere(inside) + start)


def next_click(
    robot: RobotName,
    prediction: Mask,
    truth: Mask,
    spacing: ArrayLike,
    rng: np.random.Generator,
    before: Sequence[Click] = (),
) -> Click | None:
    """Return a robot's next click; None where it sees no error left.

    prediction, truth: masks (X, Y, Z).  spacing: (3,) mm.  rng: of what the sloppy robot draws, see
    :func:`click_rng`.  before: its earlier clicks of this object.
    Raises RequestError for a robot that there is not, DataError as :func:`largest_error`.
    """
    if robot == "cvpr":
        return cvpr_click(prediction, truth)
    if robot == "sloppy":
        return sloppy_click(prediction, truth, spacing, rng, before)
    raise RequestError(field="robot", value=robot, expected=f"one of {', '.join(ROBOTS)}")


def cvpr_click(prediction: Mask, truth: Mask) -> Click | None:
    """Return the click of the CVPR 2025 challenge's protocol; None where the masks are equal."""
    part = _largest_error(prediction, truth)
    if part is None:
        return None
    inside, start = part
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1]
    deepest = np.argwhere(depth == depth.max())
    # the old generator: as the challenge's script, and it never changes between versions of NumPy
    drawn = np.random.RandomState(_SEED_OF_TIES).choice(len(deepest))
    return _click(deepest[drawn] + start, truth, deepest[drawn] + start)


def sloppy_click(
    prediction: Mask,
    truth: Mask,
    spacing: ArrayLike,
    rng: np.random.Generator,
    before: Sequence[Click] = (),
) -> Click | None:
    """Return the click of a hand in a hurry; None where the masks are equal.

    It means a voxel of the largest error component, each as likely, and misses it by 0 to 2 mm, in
    any direction: in whichever voxel it ends, the outermost one where it would leave the image, it
    says of it what is true of the voxel that it meant. What an earlier click said of a voxel, it
    does not contradict: it tries again, and gives up (None) after a hundred times.

    Arguments as for :func:`next_click`.
    """
    voxels = largest_error(prediction, truth)
    if not len(voxels):
        return None
    contradicted = {(click.voxel, not click.positive) for click in before}
    last = np.array(truth.shape) - 1
    for _ in range(_TRIES):
        meant = voxels[rng.integers(len(voxels))]
        direction = rng.normal(size=3)
        slip = rng.uniform(0, SLIP_MM) * direction / np.linalg.norm(direction)
        place = np.rint(meant + slip / np.asarray(spacing, np.float64)).clip(0, last)
        click = _click(place, truth, meant)
        if (click.voxel, click.positive) not in contradicted:
            return click
    return None


def click_rng(seed: int, case: str, number: int, step: int) -> np.random.Generator:
    """Return what an object's click is drawn with: it follows from these and nothing else.

    number: of the object in the case, from 0.  step: of the click, from 1.
    """
    return np.random.default_rng([seed, number, step, zlib.crc32(case.encode())])


def paint(mask: Mask, click: Click, radius: int = BRUSH_RADIUS) -> Mask:
    """Return a mask (X, Y, Z) with a ball painted into it, or out of it by a negative click.

    radius: in voxels along each axis, whatever the spacing.
    """
    painted = np.array(mask, np.bool_)
    centre = np.array(click.voxel)
    first = np.maximum(centre - radius, 0)
    stop = np.minimum(centre + radius + 1, mask.shape)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))
    offsets = np.indices(stop - first) - (centre - first)[:, None, None, None]
    painted[x, y, z][(offsets**2).sum(axis=0) <= radius**2] = click.positive
    return painted


def is_heeded(mask: Mask, clicks: Sequence[Click]) -> bool:
    """Whether the voxel of each click lies on its side of a mask (X, Y, Z)."""
    return all(bool(mask[click.voxel]) == click.positive for click in clicks)


def _largest_error(
    prediction: Mask, truth: Mask
) -> tuple[NDArray[np.bool_], NDArray[np.intp]] | None:
    """Mark the largest error component in a box, and say at which voxel (3,) the box starts."""
    if prediction.shape != truth.shape or truth.ndim != 3:
        raise DataError(
            f"prediction and truth must share one shape (X, Y, Z), got {prediction.shape} and"
            f" {truth.shape}"
        )
    error = (prediction != 0) ^ (truth != 0)
    box = bounding_box(error)
    if box is None:
        return None
    numbers, _ = label_components(error[box])
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    start = np.array([extent.start for extent in box])
    # numbered by their first voxels: of equal sizes, the first
    largest = numbers == int(sizes.argmax())
    inner = bounding_box(largest)
    assert inner is not None
    return largest[inner], start + [extent.start for extent in inner]


def _click(place: NDArray[Any], truth: Mask, meant: NDArray[np.intp]) -> Click:
    x, y, z = (int(index) for index in place)
    return Click((x, y, z), bool(truth[tuple(meant)]))
