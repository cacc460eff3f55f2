"""Pictures of a segmentation over its scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from interactivenet.imaging.geometry import Array, box
from interactivenet.plotting.snapshots import PLANES, write_sides
from interactivenet.system.files import replacing

#: outlines, told apart by the colour-blind, too; and points
COLOURS = {"label": "#ffd21f", "prediction": "#2fb4ff", "points": "#ff3b6b"}
#: what is shown around the object: this share of its extent, at least so many mm
_CONTEXT, _CONTEXT_MM = 0.3, 10.0
#: points further than this from a plane are drawn faintly, mm
_NEAR_MM = 3.0
_INCHES = 3.0
#: what is shown of the values below and above the object's, as a share of their range
_REACH = 1.0


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
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

    figure = Figure(figsize=(3 * _INCHES, _INCHES * len(shown) + 0.6), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(shown), 3, squeeze=False)
    top = 1 - 0.6 / (_INCHES * len(shown) + 0.6)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=top, wspace=0.03, hspace=0.03)
    for row, channel in enumerate(shown):
        window = _window(channel, masks)
        for column, plane in enumerate(PLANES):
            _draw(axes[row, column], plane, channel, spacing, masks, voxels, centre, window)
        if row < len(names):
            axes[row, 0].text(
                0.03, 0.97, names[row], color="white", fontsize=9, va="top",
                transform=axes[row, 0].transAxes,
            )  # fmt: skip
    figure.suptitle(title, color="white", fontsize=10, x=0.01, ha="left", y=0.99)
    shapes = {"label": "-", "prediction": "-", "points": "o"}
    marks = [name for name in shapes if name in masks or (name == "points" and len(voxels))]
    figure.legend(
        [Line2D([], [], color=COLOURS[name], linestyle="-" if shapes[name] == "-" else "none",
                marker="o" if shapes[name] == "o" else "none", markersize=4) for name in marks],
        marks, loc="upper right", ncols=3, fontsize=8, frameon=False, labelcolor="white",
    )  # fmt: skip
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, facecolor="black", metadata={"Software": None})


def _window(channel: Array, masks: dict[str, NDArray[np.bool_]]) -> tuple[float, float]:
    """Choose the values (low, high) that are black and white: around those of the object.

    Bone and air beside a tumour in CT would leave nothing of its contrast.
    """
    low, high = np.percentile(channel, (1, 99)).tolist()
    inside = np.logical_or.reduce(list(masks.values()))
    if inside.any():
        least, most = np.percentile(channel[inside], (1, 99)).tolist()
        reach = _REACH * max(most - least, (high - low) / 10)
        low, high = max(channel.min(), least - reach), min(channel.max(), most + reach)
    return low, high if high > low else low + 1


def _draw(
    axes: Any,
    plane: str,
    channel: Array,
    spacing: tuple[float, float, float],
    masks: dict[str, NDArray[np.bool_]],
    voxels: NDArray[np.float64],
    centre: NDArray[np.intp],
    window: tuple[float, float],
) -> None:
    across, left, up = PLANES[plane]
    index = int(centre[across])
    sides = np.array(spacing)
    wide, high = channel.shape[left] * sides[left], channel.shape[up] * sides[up]
    # mm, from the centre of the first voxel
    extent = (-sides[left] / 2, wide - sides[left] / 2, -sides[up] / 2, high - sides[up] / 2)
    axes.imshow(
        channel.take(index, axis=across).T, cmap="gray", origin="lower", extent=extent,
        vmin=window[0], vmax=window[1], interpolation="nearest",
    )  # fmt: skip
    for name, mask in masks.items():
        flat = np.pad(mask.take(index, axis=across).T, 1).astype(float)
        if not flat.any():
            continue
        where = [(np.arange(-1, channel.shape[axis] + 1)) * sides[axis] for axis in (left, up)]
        axes.contour(*where, flat, levels=[0.5], colors=COLOURS[name], linewidths=1.2)
    away = np.abs(voxels[:, across] - index) * sides[across]
    for position, distance in zip(voxels * sides, away, strict=True):
        near = distance <= max(_NEAR_MM, sides[across] / 2)
        axes.plot(
            position[left], position[up], "o", markersize=4 if near else 3,
            markeredgecolor=COLOURS["points"], alpha=1.0 if near else 0.5, markeredgewidth=0.8,
            markerfacecolor=COLOURS["points"] if near else "none",
        )  # fmt: skip
    axes.set_xlim(extent[1], extent[0])
    axes.set_ylim(extent[2], extent[3])
    axes.set_aspect("equal")
    axes.axis("off")
    write_sides(axes, plane)


def _around(
    masks: Sequence[NDArray[np.bool_]],
    voxels: NDArray[np.float64],
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and one past the last voxel (3,) of what is shown."""
    corners = [np.rint(voxels).astype(np.intp)]
    for mask in masks:
        for part in ndimage.find_objects(mask.view(np.uint8)):
            corners.append(np.array([[one.start, one.stop - 1] for one in part]).T)
    every = np.concatenate(corners)
    if not len(every):
        return np.zeros(3, np.intp), np.array(shape, np.intp)
    low, high = every.min(axis=0), every.max(axis=0) + 1
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
