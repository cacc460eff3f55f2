"""How well a segmentation agrees with a label, in mm.

A mask's surface is those of its voxels that have one of their six face neighbours outside of
it, beyond the image's border included; distances are between voxel centres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from interactivenet.errors import DataError

Mask = NDArray[np.bool_]

#: a surface's voxels this near to the other one agree, mm
TOLERANCE_MM = 2.0


def evaluate_masks(
    prediction: ArrayLike, label: ArrayLike, spacing: ArrayLike, tolerance_mm: float = TOLERANCE_MM
) -> dict[str, float]:
    """Compare two masks (X, Y, Z) on one grid; spacing: (3,) mm.

    Returns
    dice: twice the common volume over the sum of both.
    nsd: normalised surface Dice, the share of both surfaces' voxels that lie within the
        tolerance of the other surface.
    hd: Hausdorff distance, mm.  hd95: the larger of the two directed 95th percentiles, mm.
    assd: mean distance of both surfaces' voxels from the other surface, mm.
    volume_prediction_ml, volume_label_ml.

    Two empty masks agree: 1, 1 and distances of 0. Where one alone is empty: 0, 0 and NaN.
    Raises DataError where shapes differ or the spacing is no spacing.
    """
    masks, sides = _checked(prediction, label, spacing)
    voxel_ml = float(np.prod(sides)) / 1000
    counts = [int(np.count_nonzero(mask)) for mask in masks]
    volumes = {
        "volume_prediction_ml": counts[0] * voxel_ml,
        "volume_label_ml": counts[1] * voxel_ml,
    }
    if not all(counts):
        equal = counts[0] == counts[1]
        agreement, distance = (1.0, 0.0) if equal else (0.0, float("nan"))
        return {"dice": agreement, "nsd": agreement, "hd": distance, "hd95": distance,
                "assd": distance, **volumes}  # fmt: skip
    first, second = _cropped(masks)
    both = int(np.count_nonzero(first & second))
    there = surface_distances(first, second, sides)
    back = surface_distances(second, first, sides)
    every = np.concatenate([there, back])
    return {
        "dice": 2 * both / sum(counts),
        "nsd": float((every <= tolerance_mm).mean()),
        "hd": float(every.max()),
        "hd95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
        "assd": float(every.mean()),
        **volumes,
    }


def dice_score(prediction: ArrayLike, label: ArrayLike) -> float:
    """Return the Dice of two masks of one shape: twice the common volume over the sum of both.

    Two empty masks agree: 1. Raises DataError where shapes differ.
    """
    first, second = np.asarray(prediction) != 0, np.asarray(label) != 0
    if first.shape != second.shape:
        raise DataError(
            f"prediction and label must share one shape, got {first.shape} and {second.shape}"
        )
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 2 * int(np.count_nonzero(first & second)) / total if total else 1.0


def surface_distances(one: Mask, other: Mask, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance (N,), mm, of each of one mask's surface voxels from the other's surface."""
    away = ndimage.distance_transform_edt(~surface(other), sampling=spacing)
    return np.asarray(away[surface(one)], dtype=np.float64)


def surface(mask: Mask) -> Mask:
    """Mark the surface of a mask (X, Y, Z)."""
    inside = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(3, 1))
    return np.asarray(mask & ~inside)


def _checked(
    prediction: ArrayLike, label: ArrayLike, spacing: ArrayLike
) -> tuple[tuple[Mask, Mask], NDArray[np.float64]]:
    first, second = np.asarray(prediction) != 0, np.asarray(label) != 0
    if first.shape != second.shape or first.ndim != 3:
        raise DataError(
            f"prediction and label must share one shape (X, Y, Z), got {first.shape} and"
            f" {second.shape}"
        )
    return (first, second), checked_spacing(spacing)


def checked_spacing(spacing: ArrayLike) -> NDArray[np.float64]:
    """Return a spacing (3,), mm; raises DataError where it is none."""
    sides = np.asarray(spacing, dtype=np.float64)
    if sides.shape != (3,) or not np.isfinite(sides).all() or (sides <= 0).any():
        raise DataError(f"spacing must be three positive lengths in mm, got {spacing!r}")
    return sides


def _cropped(masks: tuple[Mask, Mask]) -> tuple[Mask, Mask]:
    """Cut both masks to the box around them, with background all around."""
    (where,) = ndimage.find_objects((masks[0] | masks[1]).view(np.uint8))
    first, second = (np.pad(mask[where], 1) for mask in masks)
    return first, second
