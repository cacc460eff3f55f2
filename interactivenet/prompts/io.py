"""Prompt files of every format, chosen by the file's name and content.

Masks (an image whose voxel value is the label), grand-challenge "Multiple points" JSON,
3D Slicer's ``.mrk.json``, ``.fcsv`` and table of control points, and CSV. All but masks keep
exact positions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, NoPoints, naming
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import (
    AS_IT_IS,
    READABLE,
    ReadOptions,
    read_label,
    suffix_of,
    write_label_array,
)
from interactivenet.prompts.named_points import (
    GatheredPoints,
    gather,
    shared_background,
    to_named_points,
)
from interactivenet.prompts.placement import check_certain
from interactivenet.prompts.point_names import NamedPoint
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.text_formats import (
    READERS,
    WRITERS,
    voxel_points_json,
    voxel_prompts,
    write_grand_challenge,
)

TEXT_SUFFIXES = (".mrk.json", ".json", ".fcsv", ".csv")
#: endings of prompt files, longest first
PROMPT_SUFFIXES = (*TEXT_SUFFIXES, *READABLE)


def read_prompts(
    path: Path | str | Sequence[Path | str],
    labels: LabelNames | None = None,
    *,
    image: tuple[Path, Geometry] | None = None,
    voxels: bool = False,
    names: Mapping[str, str] | None = None,
    options: ReadOptions = AS_IT_IS,
) -> list[Prompt]:
    """Read the prompts of one case.

    Args:
        path: a mask (an image whose voxel value is the label), grand-challenge "Multiple points"
            JSON, 3D Slicer .mrk.json, .fcsv or table of control points (.csv), or CSV with the
            columns name, x, y, z, system; or several such files, each of other objects, which may
            be named after their labels.
        labels: the task's labels, which the names of points are matched with; without them, names
            that are numbers are label values. Where they are open, every name is a label: see
            :func:`~interactivenet.prompts.named_points.label_objects`.
        image: path and stored grid of the case's image. A mask must lie on its lattice; points in
            mm need one that says in one way only where it lies.
        voxels: take the points of a JSON file as voxel indices of the image as stored (autoPET's
            clicks), not as LPS mm; needs ``image``.
        names: names of points in text formats -> the names that are meant, '' to leave a point
            out; '*' stands for all others that name no label. What follows a '#' stays.
        options: how a mask is read, where there are several ways.

    Returns:
        A prompt for every object, in order of appearance, with its points in RAS+ mm, and those of
        the background, which are the same for all.

    Raises:
        DataError: a file, which is named, cannot be read as prompts of these labels.
        NoPoints: there are no points of an object.
    """
    single = isinstance(path, (Path, str))
    paths = [Path(path)] if isinstance(path, (Path, str)) else [Path(each) for each in path]
    if doubled := [each for each, count in Counter(paths).items() if count > 1]:
        raise DataError(f"{doubled[0]}: is given twice, expected each file of points once")
    read = GatheredPoints()
    for each in paths:
        with naming(each):
            of_file = _read_file(
                each, labels, image, voxels, names or {}, options, named_after=not single
            )
            if not (of_file.prompts or of_file.background):
                of_file.as_prompts()  # which says that it holds none
        if labels and labels.open:  # a name of a file before keeps its value
            named = {prompt.label: prompt.name for prompt in of_file.prompts}
            labels = replace(labels, names={**named, **labels.names})
        read.prompts += of_file.prompts
        read.background += of_file.background
        read.notes += [note if single else f"{each.name}: {note}" for note in of_file.notes]
    with naming(", ".join(map(str, paths))):
        return read.as_prompts()


def _read_file(
    path: Path,
    labels: LabelNames | None,
    image: tuple[Path, Geometry] | None,
    voxels: bool,
    names: Mapping[str, str],
    options: ReadOptions,
    *,
    named_after: bool,
) -> GatheredPoints:
    """Read one file; named_after: whether it may be named after the label of its points."""
    suffix = suffix_of(path, PROMPT_SUFFIXES)
    if voxels and suffix != ".json":
        raise DataError("cannot hold voxel indices: expected a .json file")
    if suffix in READABLE:
        return GatheredPoints(_read_mask(path, labels, image, options))
    if not suffix:
        raise DataError(f"is not a prompt file: expected {', '.join(PROMPT_SUFFIXES)}")
    if voxels:
        if image is None:
            raise DataError("holds voxel indices: expected the image that they belong to (`image`)")
        read = voxel_prompts(path, image[1])
    else:
        read = READERS[suffix](path)
        check_certain([point.position for point in read.points], image)
    points = read.points
    if named_after:
        stem = path.name[: len(path.name) - len(suffix)]
        points = [replace(point, lists=(*point.lists, stem)) for point in points]
    gathered = gather(_renamed(points, names, labels), labels)
    prompts = [replace(prompt, depth_mm=read.depth_mm) for prompt in gathered.prompts]
    return replace(gathered, prompts=prompts, notes=[*read.notes, *gathered.notes])


def check_points(path: Path) -> None:
    """Raise DataError where a file is no text format that holds points, in mm or voxel indices."""
    suffix = suffix_of(path, TEXT_SUFFIXES)
    if not suffix:
        raise DataError(f"is not a prompt file: expected {', '.join(TEXT_SUFFIXES)}")
    try:
        read = READERS[suffix](path)
    except DataError:
        if suffix != ".json":
            raise
        # where the voxels are does not matter here
        read = voxel_prompts(path, Geometry((1, 1, 1), np.eye(4)))
    if not read.points:
        raise NoPoints("holds no points")


def write_prompts(
    path: Path | str,
    prompts: Sequence[Prompt],
    *,
    image: Geometry | None = None,
    voxels: bool = False,
) -> list[str]:
    """Write the prompts of one case.

    Args:
        path: the file to write; the ending of its name decides the format: .json
            (grand-challenge, LPS mm), .mrk.json or .fcsv (3D Slicer), .csv, or an image format
            for a mask. Only .json keeps how deep the points lie; where that differs from object to
            object, the most.
        prompts: the objects, with their points in RAS+ mm.
        image: the stored grid of the case's image; needed for masks and voxel indices.
        voxels: write a JSON file's points as voxel indices (rounded) of the image as stored.

    Returns:
        Notes on what the format could not keep, such as several points in one voxel of a mask.

    Raises:
        DataError: the format would lose points or objects, or the file cannot be written.
    """
    path = Path(path)
    suffix = suffix_of(path, PROMPT_SUFFIXES)
    if voxels and suffix != ".json":
        raise DataError(f"{path}: cannot hold voxel indices: expected a .json file")
    if suffix == ".json" and not voxels:
        write_grand_challenge(path, to_named_points(prompts), _common_depth(prompts))
        return _background_notes(prompts)
    if suffix in TEXT_SUFFIXES and not voxels:
        WRITERS[suffix](path, to_named_points(prompts))
        return _background_notes(prompts)
    if not suffix:
        raise DataError(f"{path}: is not a prompt file: expected {', '.join(PROMPT_SUFFIXES)}")
    if image is None:
        raise DataError(
            f"{path}: voxels need a grid to be written on: expected the case's image (`image`)"
        )
    with naming(path):
        if voxels:
            voxel_points_json(path, to_named_points(prompts), image)
            return _background_notes(prompts)
        return _write_mask(path, prompts, image)


def _common_depth(prompts: Sequence[Prompt]) -> tuple[float, float, float] | None:
    """Return how deep the points of all prompts lie: the most along each axis; None if unknown."""
    depths = [prompt.depth_mm for prompt in prompts if prompt.depth_mm is not None]
    if not depths or len(depths) < len(prompts):
        return None
    x, y, z = np.max(depths, axis=0).tolist()
    return x, y, z


def _background_notes(prompts: Sequence[Prompt]) -> list[str]:
    """Say where points of the background are written as those of all objects."""
    if shared_background(prompts)[1]:
        return []
    return ["background points of single objects are written as those of all"]


def _renamed(
    points: Sequence[NamedPoint], names: Mapping[str, str], labels: LabelNames | None
) -> list[NamedPoint]:
    """Rename points as :func:`read_prompts` says."""
    new_names = {old.strip().casefold(): new for old, new in names.items()}
    renamed = []
    for point in points:
        base, mark, number = point.name.strip().partition("#")
        name = new_names.get(base.casefold())
        if name is None and (labels is None or labels.value_of(base) is None):
            name = new_names.get("*")
        if name is None:
            renamed.append(point)
        elif name:
            renamed.append(replace(point, name=f"{name}{mark}{number}"))
    return renamed


def _read_mask(
    path: Path,
    labels: LabelNames | None,
    image: tuple[Path, Geometry] | None,
    options: ReadOptions,
) -> list[Prompt]:
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


def _write_mask(path: Path, prompts: Sequence[Prompt], image: Geometry) -> list[str]:
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
    if count := len(shared_background(prompts)[0]):
        notes.append(
            f"{count} background point{'s are' if count > 1 else ' is'} left out, which a mask"
            " cannot hold: use a .json file"
        )
    write_label_array(path, mask, image)
    return notes
