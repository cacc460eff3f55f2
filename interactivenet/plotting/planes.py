"""Planes of a volume as radiologists look at them: what snapshots and overlays share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import Array

#: plane -> (axis across it, axis to the left, axis upwards), of arrays along RAS+
PLANES = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2)}
#: letters at the left, right, bottom and top of each plane: the patient's right, or front, left
SIDES = {"axial": "RLPA", "coronal": "RLIS", "sagittal": "APIS"}
#: outlines and points, told apart by the colour-blind, too
COLOURS = {"label": "#ffd21f", "prediction": "#2fb4ff", "points": "#ff3b6b"}
#: points further than this from a plane are drawn faintly, mm
_NEAR_MM = 3.0
#: what is shown of the values below and above the object's, as a share of their range
_REACH = 1.0


def choose_window(image: Array, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Choose the values (low, high) that are black and white: around those of the object.

    Bone and air beside a tumour in CT would leave nothing of its contrast.
    image: values around the object.  inside: of the same shape, which of them are the object's.
    """
    low, high = np.percentile(image, (1, 99)).tolist()
    if inside.any():
        darkest, brightest = np.percentile(image[inside], (1, 99)).tolist()
        reach = _REACH * max(brightest - darkest, (high - low) / 10)
        low, high = max(image.min(), darkest - reach), min(image.max(), brightest + reach)
    return float(low), float(high if high > low else low + 1)


def near_plane(distances: NDArray[np.float64], spacing: float) -> NDArray[np.bool_]:
    """Tell which points belong to a plane. distances: mm.  spacing: across the plane, mm."""
    return np.asarray(distances <= max(_NEAR_MM, spacing / 2))


def draw_plane(
    axes: Any,
    plane: str,
    image: Array,
    spacing: tuple[float, float, float],
    index: int,
    *,
    window: tuple[float, float],
    colours: str = "gray",
    masks: Mapping[str, Array],
    voxels: NDArray[np.float64],
) -> None:
    """Draw a plane of an image (X, Y, Z) along RAS+ with outlines and points.

    index: of the plane, along the axis across it.  spacing: mm.
    window: values (low, high) at the ends of matplotlib's ``colours``.
    masks: name, as in ``COLOURS``, -> (X, Y, Z) mask to outline.  voxels: points (N, 3), fractions
    allowed; those far from the plane are drawn faintly.
    """
    across, left, up = PLANES[plane]
    sides = np.array(spacing)
    # mm, from the centre of the first voxel
    extent = (
        -0.5 * sides[left], (image.shape[left] - 0.5) * sides[left],
        -0.5 * sides[up], (image.shape[up] - 0.5) * sides[up],
    )  # fmt: skip
    axes.imshow(
        image.take(index, axis=across).T, cmap=colours, origin="lower", extent=extent,
        vmin=window[0], vmax=window[1], interpolation="nearest",
    )  # fmt: skip
    for name, mask in masks.items():
        flat = np.pad(mask.take(index, axis=across).T, 1).astype(float)
        if flat.any():
            centres = [np.arange(-1, image.shape[axis] + 1) * sides[axis] for axis in (left, up)]
            axes.contour(*centres, flat, levels=[0.5], colors=COLOURS[name], linewidths=1.2)
    distances = np.abs(voxels[:, across] - index) * sides[across]
    for position, distance in zip(voxels * sides, distances, strict=True):
        near = bool(near_plane(distance, float(sides[across])))
        axes.plot(
            position[left], position[up], "o", markersize=4 if near else 3,
            markeredgecolor=COLOURS["points"], alpha=1.0 if near else 0.5, markeredgewidth=0.8,
            markerfacecolor=COLOURS["points"] if near else "none",
        )  # fmt: skip
    axes.set_xlim(extent[1], extent[0])
    axes.set_ylim(extent[2], extent[3])
    axes.set_aspect("equal")
    axes.axis("off")
    _write_sides(axes, plane)


def _write_sides(axes: Any, plane: str) -> None:
    """Write which side of the patient is which at the edges of a plane's picture."""
    for letter, x, y in zip(
        SIDES[plane], (0.02, 0.98, 0.5, 0.5), (0.5, 0.5, 0.02, 0.98), strict=True
    ):
        axes.text(
            x, y, letter, color="white", fontsize=7, transform=axes.transAxes,
            ha={0.02: "left", 0.98: "right"}.get(x, "center"),
            va={0.02: "bottom", 0.98: "top"}.get(y, "center"),
        )  # fmt: skip
