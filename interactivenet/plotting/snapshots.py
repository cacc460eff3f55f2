"""Pictures of what preprocessing made of a prompt, to be checked at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.region import Region
from interactivenet.preprocessing.sample import crop_sample
from interactivenet.system.files import replacing

#: plane -> (axis across it, axis to the left, axis upwards), of arrays along RAS+
PLANES = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2)}
#: letters at the left, right, bottom and top of each plane, as radiologists look at them
_SIDES = {"axial": "RLPA", "coronal": "RLIS", "sagittal": "APIS"}
_OUTLINE, _POINT = "#ffd21f", "#ff3b6b"
#: points further than this from a plane (mm) are drawn faintly
_NEAR_MM = 3.0
_MADE_FROM = "Source"  # a key of PNG's text
_INCHES = 2.3


def save_snapshot(path: Path, scan: Scan, region: Region, plan: Plan, made_from: str) -> None:
    """Draw one prompt: the scan with points, outline and cut; the processed channels; the map.

    One row per plane through the centre of the points, the patient's right and front side to
    the left; one column per picture. The sample's picture is what the network sees.
    made_from: is kept in the file, for :func:`snapshot_made_from`.
    """
    from matplotlib.figure import Figure

    sample = crop_sample(region, region.prompt.points, plan)
    points = region.prompt.points
    centre = points.mean(axis=0)
    columns: list[tuple[str, Array, Geometry, Array | None, str]] = []
    around = tuple(slice(a, b) for a, b in zip(region.start, region.stop, strict=True))
    scan_label = None
    if scan.label is not None:
        scan_label = scan.objects.mask(region.prompt, scan.prompts, scan.image.grid)[around]
    cropped = _shifted(scan.image.grid, region.start, region.stop)
    for name, channel in zip(plan.modalities, scan.image.array, strict=True):
        columns.append((f"{name}, scan", channel[around], cropped, scan_label, "gray"))
    for name, channel in zip(plan.modalities, sample.array, strict=False):
        columns.append((f"{name}, sample", channel, sample.grid, sample.label, "gray"))
    titles = ("map of the points", "extent of the points")
    for name, channel in zip(titles, sample.array[len(plan.modalities) :], strict=False):
        columns.append((name, channel, sample.grid, sample.label, "magma"))

    figure = Figure(figsize=(_INCHES * len(columns), _INCHES * 3 + 0.5), facecolor="black")
    axes = figure.subplots(3, len(columns), squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.9, wspace=0.03, hspace=0.03)
    for column, (title, image, grid, label, colours) in enumerate(columns):
        axes[0, column].text(
            0.5, 1.03, title, color="white", fontsize=9, ha="center",
            transform=axes[0, column].transAxes,
        )  # fmt: skip
        window = [0.0, 1.0] if colours != "gray" else np.percentile(image, (0.5, 99.5)).tolist()
        for row, plane in enumerate(PLANES):
            _draw(axes[row, column], plane, image, grid, label, points, centre, colours, window)
    name = f" {region.prompt.name}" if region.prompt.name else ""
    figure.suptitle(
        f"{region.case}   label {region.prompt.label}{name}   "
        f"{len(points)} points   {_times(scan.image.spacing)} mm -> "
        f"{_times(sample.grid.spacing)} mm, {_times(sample.grid.shape)} voxels",
        color="white", fontsize=9, y=0.985,
    )  # fmt: skip
    with replacing(path) as temporary:
        figure.savefig(
            temporary, dpi=100, facecolor="black", metadata={_MADE_FROM: made_from}
        )  # fmt: skip


def snapshot_made_from(path: Path) -> str:
    """Return what a picture was made from; '' where there is none, or no such picture."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return str(picture.info.get(_MADE_FROM, ""))
    except OSError:
        return ""


def _draw(
    axes: Any,
    plane: str,
    image: Array,
    grid: Geometry,
    label: Array | None,
    points: NDArray[np.float64],
    centre: NDArray[np.float64],
    colours: str,
    window: Sequence[float],
) -> None:
    across, left, up = PLANES[plane]
    spacing = np.array(grid.spacing)
    voxels = grid.world_to_voxel(points)
    middle = grid.world_to_voxel(centre[None])[0]
    index = int(np.clip(np.rint(middle[across]), 0, grid.shape[across] - 1))
    extent = (
        -0.5 * spacing[left], (grid.shape[left] - 0.5) * spacing[left],
        -0.5 * spacing[up], (grid.shape[up] - 0.5) * spacing[up],
    )  # fmt: skip
    axes.imshow(
        image.take(index, axis=across).T, cmap=colours, origin="lower", extent=extent,
        vmin=window[0], vmax=window[1], interpolation="nearest",
    )  # fmt: skip
    if label is not None:
        mask = label.take(index, axis=across).T.astype(float)
        if mask.min() < mask.max() and min(mask.shape) > 1:
            where = [np.arange(grid.shape[axis]) * spacing[axis] for axis in (left, up)]
            axes.contour(*where, mask, levels=[0.5], colors=_OUTLINE, linewidths=1.0)
    away = np.abs(voxels[:, across] - index) * spacing[across]
    for position, distance in zip(voxels * spacing, away, strict=True):
        near = distance <= max(_NEAR_MM, 0.5 * spacing[across])
        axes.plot(
            position[left], position[up], "o", markersize=4 if near else 3,
            markeredgecolor=_POINT, markerfacecolor=_POINT if near else "none",
            alpha=1.0 if near else 0.6, markeredgewidth=0.8,
        )  # fmt: skip
    axes.set_xlim(extent[1::-1])
    axes.set_ylim(extent[2:])
    axes.set_aspect("equal")
    axes.axis("off")
    write_sides(axes, plane)


def write_sides(axes: Any, plane: str) -> None:
    """Write which side of the patient is which at the edges of a plane's picture."""
    for letter, x, y in zip(
        _SIDES[plane], (0.02, 0.98, 0.5, 0.5), (0.5, 0.5, 0.02, 0.98), strict=True
    ):
        axes.text(
            x, y, letter, color="white", fontsize=7, transform=axes.transAxes,
            ha={0.02: "left", 0.98: "right"}.get(x, "center"),
            va={0.02: "bottom", 0.98: "top"}.get(y, "center"),
        )  # fmt: skip


def _shifted(grid: Geometry, start: NDArray[np.intp], stop: NDArray[np.intp]) -> Geometry:
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.voxel_to_world(start[None])[0]
    x, y, z = (stop - start).tolist()
    return Geometry((x, y, z), affine)


def _times(values: tuple[float, ...]) -> str:
    return "x".join(f"{value:.3g}" for value in values)
