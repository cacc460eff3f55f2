"""Prompt files of every format, chosen by the file's name and content.

Masks (an image whose voxel value is the label), grand-challenge "Multiple points" JSON,
3D Slicer ``.mrk.json`` and ``.fcsv``, and CSV. All but masks keep exact positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError, naming
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import (
    READABLE,
    check_same_lattice,
    read_label,
    suffix_of,
    write_label,
)
from interactivenet.prompts.prompt import (
    LabelNames,
    NamedPoint,
    Prompt,
    from_named_points,
    to_named_points,
)
from interactivenet.prompts.text_formats import READERS, WRITERS, voxel_points_json, voxel_prompts

TEXT_SUFFIXES = (".mrk.json", ".json", ".fcsv", ".csv")
#: endings of prompt files, longest first
PROMPT_SUFFIXES = (*TEXT_SUFFIXES, *READABLE)


def read_prompts(
    path: Path,
    labels: LabelNames | None = None,
    *,
    image: tuple[Path, Geometry] | None = None,
    voxels: bool = False,
    names: Mapping[str, str] | None = None,
) -> list[Prompt]:
    """Read the prompts of one case.

    labels: what the names in text formats mean; see :func:`prompts.from_named_points`.
    image: path and stored grid of the case's image. A mask must share its grid.
    voxels: a JSON file's points are voxel indices of the image as stored (autoPET's clicks),
        not LPS mm; needs ``image``.
    names: of points in text formats -> the names that are meant, '' to leave a point out; '*'
        for all that are not given and mean no label. What follows a '#' stays.
    Raises DataError, naming the file.
    """
    path = Path(path)
    with naming(path):
        suffix = suffix_of(path, PROMPT_SUFFIXES)
        if voxels and suffix != ".json":
            raise DataError("voxel indices are read from .json files only")
        if suffix in READABLE:
            return _read_mask(path, labels, image)
        if not suffix:
            raise DataError(f"is no prompt file: expected {', '.join(PROMPT_SUFFIXES)}")
        if voxels:
            if image is None:
                raise DataError("holds voxel indices: the image that they belong to is needed")
            points = voxel_prompts(path, image[1])
        else:
            points = READERS[suffix](path)
        return from_named_points(_renamed(points, names or {}, labels), labels)


def write_prompts(
    path: Path,
    prompts: Sequence[Prompt],
    *,
    image: Geometry | None = None,
    voxels: bool = False,
) -> list[str]:
    """Write the prompts of one case in the format that the name asks for.

    image: the stored grid of the case's image; needed for masks and voxel indices.
    voxels: write a JSON file's points as voxel indices (rounded) of the image as stored.
    Returns notes on what the format could not keep. Raises DataError where it would lose
    points or objects.
    """
    path = Path(path)
    suffix = suffix_of(path, PROMPT_SUFFIXES)
    if voxels and suffix != ".json":
        raise DataError(f"{path}: voxel indices are written to .json files only")
    if suffix in TEXT_SUFFIXES and not voxels:
        WRITERS[suffix](path, to_named_points(prompts))
        return []
    if image is None:
        raise DataError(f"{path}: a grid is needed to write voxels: give the case's image")
    with naming(path):
        if voxels:
            voxel_points_json(path, to_named_points(prompts), image)
            return []
        return _write_mask(path, prompts, image)


def _renamed(
    points: Sequence[NamedPoint], names: Mapping[str, str], labels: LabelNames | None
) -> list[NamedPoint]:
    """Rename points as :func:`read_prompts` says."""
    meant = {old.strip().casefold(): new for old, new in names.items()}
    found = []
    for point in points:
        base, mark, number = point.name.strip().partition("#")
        name = meant.get(base.casefold())
        if name is None and (labels is None or labels.value_of(base) is None):
            name = meant.get("*")
        if name is None:
            found.append(point)
        elif name:
            found.append(replace(point, name=f"{name}{mark}{number}"))
    return found


def _read_mask(
    path: Path, labels: LabelNames | None, image: tuple[Path, Geometry] | None
) -> list[Prompt]:
    volume = read_label(path)
    if image is not None:
        check_same_lattice(path, volume.source, *image)
    mask = volume.array[0]
    voxels = np.argwhere(mask)
    values = mask[tuple(voxels.T)]
    if not len(voxels):
        raise DataError("holds no points: every voxel is 0")
    prompts = []
    for value in np.unique(values).tolist():
        if labels is not None and value not in labels.names:
            raise DataError(f"holds points of label {value}, expected one of {labels}")
        name = labels.names[value] if labels else ""
        prompts.append(Prompt(value, volume.voxel_to_world(voxels[values == value]), name))
    return prompts


def _write_mask(path: Path, prompts: Sequence[Prompt], image: Geometry) -> list[str]:
    grid = image.ras
    mask = np.zeros(grid.shape, np.uint32)
    notes = []
    seen: set[int] = set()
    for prompt in prompts:
        if prompt.label in seen:
            raise DataError(
                f"two objects share label {prompt.label}: a mask cannot tell them apart,"
                " use a .json file"
            )
        seen.add(prompt.label)
        voxels = np.unique(grid.nearest_voxel(prompt.points), axis=0)
        taken = mask[tuple(voxels.T)]
        if taken.any():
            raise DataError(
                f"labels {taken.max()} and {prompt.label} have points in one voxel:"
                " a mask cannot hold both, use a .json file"
            )
        if len(voxels) < len(prompt.points):
            notes.append(
                f"label {prompt.label}: {len(prompt.points)} points fall into"
                f" {len(voxels)} voxels of the mask"
            )
        mask[tuple(voxels.T)] = prompt.label
    write_label(path, mask, image)
    return notes
