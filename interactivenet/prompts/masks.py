"""Masks of points: images whose voxel value is the label. They hold no corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import ReadOptions, read_label, write_label_array
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.written_points import shared_background


def read_mask(
    path: Path,
    labels: LabelNames | None,
    image: tuple[Path, Geometry] | None,
    options: ReadOptions,
) -> list[Prompt]:
    """Read a mask of points; a prompt for each of its values, as `read_prompts` says."""
    names = labels.only_names if labels else None
    volume = read_label(path, options, names=names, image=image)
    mask = volume.array[0]
    voxels = np.argwhere(mask)
    values = mask[tuple(voxels.T)]
    if not len(voxels):
        raise DataError("holds no points: every voxel is 0")
    prompts = []
    for value in np.unique(values).tolist():
        if labels is not None and not labels.has(value):
            raise DataError(f"holds points of label {value}, expected one of {labels}")
        name = labels.name_of(value) if labels else ""
        own = voxels[values == value]
        called = tuple(f"voxel {tuple(voxel)}" for voxel in _as_stored(own, volume.source).tolist())
        prompts.append(Prompt(value, volume.voxel_to_world(own), name, called))
    return prompts


def _as_stored(voxels: NDArray[np.intp], source: Geometry) -> NDArray[np.intp]:
    """Return indices (N, 3) on the stored grid of voxels on the RAS grid."""
    return np.rint(source.world_to_voxel(source.ras.voxel_to_world(voxels))).astype(np.intp)


def write_mask(path: Path, prompts: Sequence[Prompt], image: Geometry) -> list[str]:
    """Write a mask of points on a stored grid; returns notes, as `write_prompts` says."""
    grid = image.ras
    mask = np.zeros(grid.shape, np.uint32)
    notes = []
    seen: set[int] = set()
    for prompt in prompts:
        if prompt.label in seen:
            raise DataError(
                f"two objects share label {prompt.label}, which a mask cannot tell apart:"
                " use a .json file"
            )
        seen.add(prompt.label)
        voxels = np.unique(grid.nearest_voxel(prompt.points), axis=0)
        taken = mask[tuple(voxels.T)]
        if taken.any():
            raise DataError(
                f"labels {taken.max()} and {prompt.label} have points in one voxel, and a mask"
                " cannot hold both: use a .json file"
            )
        if len(voxels) < len(prompt.points):
            notes.append(
                f"label {prompt.label}: {len(prompt.points)} points fall into"
                f" {len(voxels)} voxels of the mask"
            )
        mask[tuple(voxels.T)] = prompt.label
    shared = len(shared_background(prompts))
    if count := shared + sum(len(prompt.corrections) - shared for prompt in prompts):
        notes.append(
            f"{count} correction{'s are' if count > 1 else ' is'} left out, which a mask cannot"
            " hold: use a .json file"
        )
    write_label_array(path, mask, image)
    return notes
