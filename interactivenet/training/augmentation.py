"""Augmentation of training samples: one composed affine, and changes of the image's values.

What is changed, how often and how much follows nnU-Net (Isensee et al., Nature Methods 2021, doi
10.1038/s41592-020-01008-z). The points' maps are moved along with the image and nothing else:
their values say where the points are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from monai.data import get_track_meta, set_track_meta
from monai.transforms import (
    Compose,
    RandAdjustContrast,
    RandGaussianNoise,
    RandGaussianSmooth,
    RandScaleIntensity,
    RandScaleIntensityFixedMean,
    RandSimulateLowResolution,
)
from numpy.typing import NDArray
from torch.nn import functional

from interactivenet.imaging.geometry import box, coarse_axes

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How samples are varied.

    rotation: largest angle about each axis, radians; about the coarse axis alone where the
        grid is anisotropic.
    zoom: smallest and largest factor.
    rotated, zoomed: how often (0 to 1) a sample is.  flipped: how often along each axis.
    values: factor on how often the image's values are changed; 0 leaves them alone.
    """

    rotation: float = math.pi / 6
    zoom: tuple[float, float] = (0.7, 1.4)
    rotated: float = 0.2
    zoomed: float = 0.2
    flipped: float = 0.5
    values: float = 1.0


NONE = Augmentation(rotated=0.0, zoomed=0.0, flipped=0.0, values=0.0)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the voxels of a patch come from in a sample.

    The voxel at ``centre + matrix @ (voxel - (shape - 1) / 2)`` of the sample, in voxels, stands
    at ``voxel`` of the patch.  matrix: (3, 3), None for the identity.
    flips: (3,) axes along which the patch is mirrored afterwards.
    """

    centre: NDArray[np.float64]
    matrix: NDArray[np.float64] | None
    flips: tuple[bool, bool, bool]


def draw_placement(
    centre: NDArray[np.float64],
    spacing: tuple[float, float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Placement:
    """Draw how a patch around ``centre`` (3,), voxels, is turned, zoomed and mirrored.

    spacing: of the sample, mm: bodies are turned, not voxels.
    """
    turned = rng.random() < augmentation.rotated
    zoomed = rng.random() < augmentation.zoomed
    matrix = None
    if turned or zoomed:
        matrix = np.eye(3)
        if turned:
            coarse = coarse_axes(spacing)
            for axis in range(3):
                angle = rng.uniform(-augmentation.rotation, augmentation.rotation)
                if coarse[axis] or not coarse.any():
                    matrix = matrix @ rotation(axis, angle)
        if zoomed:
            low, high = augmentation.zoom
            # as often enlarged as reduced
            zoom = rng.uniform(low, 1) if rng.random() < 0.5 else rng.uniform(1, high)
            matrix = matrix / zoom
        sides = np.array(spacing)
        matrix = matrix * sides[None] / sides[:, None]
    x, y, z = (bool(rng.random() < augmentation.flipped) for _ in range(3))
    return Placement(centre, matrix, (x, y, z))


def rotation(axis: int, angle: float) -> NDArray[np.float64]:
    """Return the matrix (3, 3) that turns by an angle (radians) about an axis."""
    first, second = (index for index in range(3) if index != axis)
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[first, second], matrix[second, first] = -math.sin(angle), math.sin(angle)
    return matrix


def place(
    array: Floats, label: Mask, shape: tuple[int, int, int], placement: Placement, padding: Floats
) -> tuple[Floats, Mask]:
    """Take a patch out of a sample, in one interpolation, or in none where it is only moved.

    array: (C, X, Y, Z), linearly interpolated.  label: (X, Y, Z), nearest.  padding: (C,), what
    stands beyond the sample. Returns (C, *shape) and shape.
    """
    if placement.matrix is None:
        patch, mask = _crop(array, label, shape, placement.centre, padding)
    else:
        grid = _grid(array.shape[1:], shape, placement)
        # beyond the sample grid_sample gives 0
        shifted = torch.from_numpy(array - padding[:, None, None, None])
        moved = _sample(shifted, grid, "bilinear").numpy()
        patch = moved + padding[:, None, None, None]
        mask = _sample(torch.from_numpy(label[None]).float(), grid, "nearest").numpy()[0]
    axes = tuple(axis for axis, flipped in enumerate(placement.flips) if flipped)
    patch, mask = np.flip(patch, tuple(axis + 1 for axis in axes)), np.flip(mask, axes)
    return np.ascontiguousarray(patch, np.float32), np.ascontiguousarray(mask, np.uint8)


def _crop(
    array: Floats,
    label: Mask,
    shape: tuple[int, int, int],
    centre: NDArray[np.float64],
    padding: Floats,
) -> tuple[Floats, Mask]:
    size, whole = np.array(shape), np.array(label.shape)
    start = np.rint(centre - (size - 1) / 2 - 1e-6).astype(int)
    low, high = np.maximum(start, 0), np.minimum(start + size, whole)
    patch = np.empty((len(array), *shape), np.float32)
    patch[:] = padding[:, None, None, None]
    mask = np.zeros(shape, np.uint8)
    if (high > low).all():
        source, target = box(low, high), box(low - start, high - start)
        patch[target] = array[source]
        mask[target] = label[source]
    return patch, mask


def _grid(
    whole: tuple[int, ...], shape: tuple[int, int, int], placement: Placement
) -> torch.Tensor:
    """Positions for grid_sample, in its terms: from -1 to 1, the last axis first."""
    assert placement.matrix is not None
    size = np.maximum(np.array(whole) - 1, 1) / 2  # half the way from the first to the last voxel
    patch = (np.array(shape) - 1) / 2
    matrix = placement.matrix * patch[None] / size[:, None]
    offset = placement.centre / size - 1
    theta = np.concatenate([matrix[::-1, ::-1], offset[::-1, None]], axis=1)[None]
    return functional.affine_grid(
        torch.from_numpy(theta).float(), [1, 1, *shape], align_corners=True
    )


def _sample(array: torch.Tensor, grid: torch.Tensor, mode: str) -> torch.Tensor:
    return functional.grid_sample(
        array[None], grid, mode=mode, padding_mode="zeros", align_corners=True
    )[0]


class ValueChanges:
    """Changes of an image's values, MONAI's: of a (C, X, Y, Z) float32 tensor.

    ``set_random_state(seed)`` makes the next call repeatable.
    """

    def __init__(self, changes: Compose) -> None:
        self._changes = changes

    def set_random_state(self, seed: int) -> ValueChanges:
        """Draw from a seed from here on; returns itself."""
        self._changes.set_random_state(seed)
        return self

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Change an image.

        MONAI's tracking of a tensor's affine, which takes a third of the time for small images, is
        off meanwhile. It is a setting of the whole process: one thread at a time.
        """
        tracked = get_track_meta()
        set_track_meta(False)
        try:
            return torch.as_tensor(self._changes(image))
        finally:
            set_track_meta(tracked)


def value_changes(augmentation: Augmentation) -> ValueChanges:
    """Return the changes of an image's values for an augmentation."""
    often = augmentation.values
    changes = Compose(
        [
            RandGaussianNoise(prob=0.15 * often, std=0.3),
            RandGaussianSmooth((0.5, 1.0), (0.5, 1.0), (0.5, 1.0), prob=0.2 * often),
            RandScaleIntensity(factors=0.25, prob=0.15 * often),
            RandScaleIntensityFixedMean(factors=0.25, prob=0.15 * often, preserve_range=True),
            RandSimulateLowResolution(prob=0.15 * often, zoom_range=(0.5, 1.0)),
            RandAdjustContrast(prob=0.1 * often, gamma=(0.7, 1.5), invert_image=True,
                               retain_stats=True),
            RandAdjustContrast(prob=0.3 * often, gamma=(0.7, 1.5), retain_stats=True),
        ]
    )  # fmt: skip
    return ValueChanges(changes)
