"""Pictures of a segmentation over its scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.imaging.components import bounding_box
from interactivenet.imaging.geometry import Array, box
from interactivenet.plotting.canvas import new_figure, save_picture
from interactivenet.plotting.planes import COLOURS, PLANES, choose_window, draw_plane

#: what is shown around the object: this share of its extent, at least so many mm
_CONTEXT, _CONTEXT_MM = 0.3, 10.0
_INCHES = 3.0


def save_overlay(
    path: Path,
    image: Array,
    spacing: tuple[float, float, float],
    *,
    label: Array | None,
    prediction: Array,
    points: ArrayLike = (),
    title: str = "",
    names: Sequence[str] = (),
) -> None:
    """Draw the outlines of label and prediction through the object's centre, in three planes.

    image: (C, X, Y, Z) along RAS+, a row of the picture for each channel; spacing: mm.
    label, prediction: (X, Y, Z) masks.  points: (N, 3) voxels.  names: of the channels.

    As radiologists look at it: the patient's right, or front, to the left. The centre is the
    label's, the prediction's where there is no label, or else that of the points.
    """
    from matplotlib.lines import Line2D

    voxels = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    masks = {"prediction": np.asarray(prediction) != 0}
    if label is not None:
        masks = {"label": np.asarray(label) != 0, **masks}
    start, stop = _around(list(masks.values()), voxels, image.shape[1:], spacing)
    shown = image[box(start, stop)]
    masks = {name: mask[box(start, stop)] for name, mask in masks.items()}
    voxels = voxels - start
    centre = _centre([masks[name] for name in ("label", "prediction") if name in masks], voxels)

    figure = new_figure(3 * _INCHES, _INCHES * len(shown) + 0.6, facecolor="black")
    axes = figure.subplots(len(shown), 3, squeeze=False)
    top = 1 - 0.6 / (_INCHES * len(shown) + 0.6)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=top, wspace=0.03, hspace=0.03)
    for row, channel in enumerate(shown):
        window = choose_window(channel, np.logical_or.reduce(list(masks.values())))
        for column, plane in enumerate(PLANES):
            draw_plane(
                axes[row, column], plane, channel, spacing, int(centre[PLANES[plane][0]]),
                window=window, masks=masks, voxels=voxels,
            )  # fmt: skip
        if row < len(names):
            axes[row, 0].text(
                0.03, 0.97, names[row], color="white", fontsize=9, va="top",
                transform=axes[row, 0].transAxes,
            )  # fmt: skip
    figure.suptitle(title, color="white", fontsize=10, x=0.01, ha="left", y=0.99)
    handles = {name: Line2D([], [], color=COLOURS[name]) for name in COLOURS if name in masks}
    if len(voxels):
        handles["points"] = Line2D(
            [], [], color=COLOURS["points"], linestyle="none", marker="o", markersize=4
        )
    figure.legend(
        handles.values(), handles, loc="upper right", ncols=3, fontsize=8, frameon=False,
        labelcolor="white",
    )  # fmt: skip
    save_picture(figure, path, 110)


def _around(
    masks: Sequence[NDArray[np.bool_]],
    voxels: NDArray[np.float64],
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and one past the last voxel (3,) of what is shown."""
    corners = [np.rint(voxels).astype(np.intp)]
    for mask in masks:
        if extents := bounding_box(mask):
            corners.append(np.array([[extent.start, extent.stop - 1] for extent in extents]).T)
    outermost = np.concatenate(corners)
    if not len(outermost):
        return np.zeros(3, np.intp), np.array(shape, np.intp)
    low, high = outermost.min(axis=0), outermost.max(axis=0) + 1
    sides = np.array(spacing)
    context = np.ceil(np.maximum((high - low) * _CONTEXT, _CONTEXT_MM / sides)).astype(np.intp)
    return np.maximum(low - context, 0), np.minimum(high + context, shape)


def _centre(masks: Sequence[NDArray[np.bool_]], voxels: NDArray[np.float64]) -> NDArray[np.intp]:
    """Choose the voxel (3,) through which the planes go: in the first mask that has any."""
    for mask in masks:
        inside = np.argwhere(mask)
        if len(inside):
            # of the object's voxels, so that every plane meets it
            nearest = np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()
            return np.asarray(inside[nearest], dtype=np.intp)
    middle = voxels.mean(axis=0) if len(voxels) else np.array(masks[0].shape) // 2
    return np.asarray(np.rint(middle), dtype=np.intp)
