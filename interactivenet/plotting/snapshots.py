"""Pictures of what preprocessing made of a prompt, to be checked at a glance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, Geometry, box
from interactivenet.planning.plan import Plan
from interactivenet.plotting.canvas import new_figure, save_picture
from interactivenet.plotting.planes import PLANES, draw_plane
from interactivenet.preprocessing.region import Region
from interactivenet.preprocessing.sample import crop_sample
from interactivenet.system.files import check_regular

_MADE_FROM = "Source"  # a key of PNG's text
_INCHES = 2.3


def save_snapshot(path: Path, scan: Scan, region: Region, plan: Plan, made_from: str) -> None:
    """Draw one prompt: the region of the scan, the sample's channels, the maps of its points.

    Outlines are the object's in the label map, where there is one. One row per plane through the
    centre of the points, the patient's right or front to the left; one column per channel. The
    sample is what the network sees.
    made_from: is kept in the file, for :func:`snapshot_made_from`.
    """
    sample = crop_sample(region, region.prompt.points, plan)
    points = region.prompt.points
    centre = points.mean(axis=0)
    columns: list[tuple[str, Array, Geometry, Array | None, str]] = []
    around = box(region.start, region.stop)
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

    figure = new_figure(_INCHES * len(columns), _INCHES * 3 + 0.5, facecolor="black")
    axes = figure.subplots(3, len(columns), squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.9, wspace=0.03, hspace=0.03)
    for column, (title, image, grid, label, colours) in enumerate(columns):
        axes[0, column].text(
            0.5, 1.03, title, color="white", fontsize=9, ha="center",
            transform=axes[0, column].transAxes,
        )  # fmt: skip
        low, high = (0, 1) if colours != "gray" else np.percentile(image, (0.5, 99.5)).tolist()
        middle = np.rint(grid.world_to_voxel(centre[None])[0]).astype(np.intp)
        middle = middle.clip(0, np.array(grid.shape) - 1)
        for row, (plane, (across, _, _)) in enumerate(PLANES.items()):
            draw_plane(
                axes[row, column], plane, image, grid.spacing, int(middle[across]),
                window=(low, high), colours=colours, voxels=grid.world_to_voxel(points),
                masks={} if label is None else {"label": label},
            )  # fmt: skip
    name = f" {region.prompt.name}" if region.prompt.name else ""
    figure.suptitle(
        f"{region.case}   label {region.prompt.label}{name}   "
        f"{len(points)} points   {_times(scan.image.spacing)} mm -> "
        f"{_times(sample.grid.spacing)} mm, {_times(sample.grid.shape)} voxels",
        color="white", fontsize=9, y=0.985,
    )  # fmt: skip
    save_picture(figure, path, 100, **{_MADE_FROM: made_from})


def snapshot_made_from(path: Path) -> str:
    """Return what a picture was made from; '' where there is none, or no such picture."""
    from PIL import Image

    try:
        check_regular(path)
        with Image.open(path) as picture:
            return str(picture.info.get(_MADE_FROM, ""))
    except (OSError, DataError):
        return ""


def _shifted(grid: Geometry, start: NDArray[np.intp], stop: NDArray[np.intp]) -> Geometry:
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.voxel_to_world(start[None])[0]
    x, y, z = (stop - start).tolist()
    return Geometry((x, y, z), affine)


def _times(values: tuple[float, ...]) -> str:
    return "x".join(f"{value:.3g}" for value in values)
