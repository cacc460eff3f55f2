"""Prompt files of every format, chosen by the file's name and content.

Masks (an image whose voxel value is the label), grand-challenge "Multiple points" JSON,
3D Slicer's ``.mrk.json``, ``.fcsv`` and table of control points, and CSV. All but masks keep
exact positions, and corrections in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError, NoPoints, naming
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import AS_IT_IS, READABLE, ReadOptions, suffix_of
from interactivenet.prompts.coordinates import are_still
from interactivenet.prompts.correction_points import Origin, addresses_of
from interactivenet.prompts.corrections import BACKGROUND, SIGNS
from interactivenet.prompts.masks import read_mask, write_mask
from interactivenet.prompts.named_points import GatheredPoints, gather
from interactivenet.prompts.placement import check_certain
from interactivenet.prompts.point_names import NamedPoint, is_background, part_name
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.text_formats import (
    READERS,
    WRITERS,
    voxel_points_json,
    voxel_prompts,
    write_grand_challenge,
)
from interactivenet.prompts.written_points import to_named_points

TEXT_SUFFIXES = (".mrk.json", ".json", ".fcsv", ".csv")
#: endings of prompt files, longest first
PROMPT_SUFFIXES = (*TEXT_SUFFIXES, *READABLE)
#: said of a file whose depth is of other points
MOVED = (
    "the margin points are not those that depth_mm was written with, so it is ignored: were they"
    " moved? (without depth_points beside it, a depth_mm counts for any points)"
)


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
            columns name, x, y, z, system, and perhaps correction; or several such files, each of
            other objects or of corrections, which may be named after their labels.
        labels: the task's labels, which the names of points are matched with; without them, names
            that are numbers are label values. Where they are open, every name is a label: see
            :func:`~interactivenet.prompts.open_labels.label_objects`.
        image: path and stored grid of the case's image. A mask must lie on its lattice; points in
            mm need one that says in one way only where it lies.
        voxels: take the points of a JSON file as voxel indices of the image as stored (autoPET's
            clicks), not as LPS mm; needs ``image``.
        names: names of points in text formats -> the names that are meant, '' to leave a point
            out; '*' stands for all others that name no label, nor the background. What follows a
            '#' stays, as does the sign of a correction.
        options: how a mask is read, where there are several ways.

    Returns:
        A prompt for every object, in order of appearance, with its points in RAS+ mm, and its
        corrections in the order of the file, list after list and file after file. Points of the
        background are negative corrections of all.

    Raises:
        DataError: a file, which is named, cannot be read as prompts of these labels, or has
            corrections of an object that no points mark.
        NoPoints: there are no points of an object.
    """
    single = isinstance(path, (Path, str))
    paths = [Path(path)] if isinstance(path, (Path, str)) else [Path(each) for each in path]
    if doubled := [each for each, count in Counter(paths).items() if count > 1]:
        raise DataError(f"{doubled[0]}: is given twice, expected each file of points once")
    read = GatheredPoints()
    for number, each in enumerate(paths):
        with naming(each):
            of_file = _read_file(
                each, labels, image, voxels, names or {}, options, None if single else number
            )
            if not (of_file.prompts or of_file.corrections):
                of_file.as_prompts()  # which says that it holds none
        if labels and labels.open:  # a name of a file before keeps its value
            named = {prompt.label: prompt.name for prompt in of_file.prompts}
            labels = replace(labels, names={**named, **labels.names})
        notes = [note if single else f"{each.name}: {note}" for note in of_file.notes]
        read.add(replace(of_file, notes=notes))
    with naming(", ".join(map(str, paths))):
        return read.as_prompts()


def _read_file(
    path: Path,
    labels: LabelNames | None,
    image: tuple[Path, Geometry] | None,
    voxels: bool,
    names: Mapping[str, str],
    options: ReadOptions,
    number: int | None,
) -> GatheredPoints:
    """Read one file.

    number: of several, which may be named after the labels of their points; None for a single one.
    """
    suffix = suffix_of(path, PROMPT_SUFFIXES)
    if voxels and suffix != ".json":
        raise DataError("cannot hold voxel indices: expected a .json file")
    stem = "" if number is None else path.name[: len(path.name) - len(suffix)]
    if suffix in READABLE:
        return _of_mask(read_mask(path, labels, image, options), stem, labels, number or 0)
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
    if stem:
        points = [replace(point, lists=(*point.lists, stem)) for point in points]
    gathered = gather(_renamed(points, names, labels), labels, number or 0)
    depth, notes = read.depth_mm, [*read.notes, *gathered.notes]
    if depth is not None and gathered.prompts and read.depth_points is not None:
        margin = np.concatenate([prompt.points for prompt in gathered.prompts])
        if not are_still(margin, read.depth_points, some_left_out="" in names.values()):
            depth, notes = None, [*notes, MOVED]
    prompts = [replace(prompt, depth_mm=depth) for prompt in gathered.prompts]
    return replace(gathered, prompts=prompts, notes=notes)


def _of_mask(
    prompts: list[Prompt], stem: str, labels: LabelNames | None, number: int
) -> GatheredPoints:
    """Return the objects of a mask; raises DataError where its name says that it holds others."""
    kind = part_name(stem, labels, of_list=True)
    if kind.positive is not None or kind.base.casefold() == BACKGROUND:
        raise DataError("is a mask, which cannot hold corrections: expected points as text (.json)")
    origins = []
    for prompt in prompts:
        called = {(str(prompt.label), ""), (prompt.name.lower(), "")} - {("", "")}
        called.update(addresses_of(kind.base) if stem else ())
        origins.append(Origin(frozenset(called), None, frozenset({(number, 0)})))
    return GatheredPoints(prompts, origins)


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
    labels: LabelNames | None = None,
) -> list[str]:
    """Write the prompts of one case.

    Args:
        path: the file to write; the ending of its name decides the format: .json
            (grand-challenge, LPS mm), .mrk.json or .fcsv (3D Slicer), .csv, or an image format
            for a mask. Only .json keeps how deep the points lie; where that differs from object to
            object, the most. It is ignored when the file is read and a margin point was moved.
        prompts: the objects, with their points in RAS+ mm.
        image: the stored grid of the case's image; needed for masks and voxel indices.
        voxels: write a JSON file's points as voxel indices (rounded) of the image as stored.
        labels: the task's labels, where some are called as another one's corrections: HER2 and
            HER2+.

    Returns:
        Notes on what the format could not keep: several points in one voxel of a mask, and
        corrections, which a mask cannot hold.

    Raises:
        DataError: the format would lose points or objects, or the file cannot be written.
    """
    path = Path(path)
    suffix = suffix_of(path, PROMPT_SUFFIXES)
    if voxels and suffix != ".json":
        raise DataError(f"{path}: cannot hold voxel indices: expected a .json file")
    if not suffix:
        raise DataError(f"{path}: is not a prompt file: expected {', '.join(PROMPT_SUFFIXES)}")
    if suffix in TEXT_SUFFIXES and not voxels:
        points = to_named_points(prompts, labels)
        if suffix == ".json":
            margin = [(x, y, z) for prompt in prompts for x, y, z in prompt.points.tolist()]
            write_grand_challenge(path, points, _common_depth(prompts), margin)
        else:
            WRITERS[suffix](path, points)
        return []
    if image is None:
        raise DataError(
            f"{path}: voxels need a grid to be written on: expected the case's image (`image`)"
        )
    with naming(path):
        if voxels:
            voxel_points_json(path, to_named_points(prompts, labels), image)
            return []
        return write_mask(path, prompts, image)


def _common_depth(prompts: Sequence[Prompt]) -> tuple[float, float, float] | None:
    """Return how deep the points of all prompts lie: the most along each axis; None if unknown."""
    depths = [prompt.depth_mm for prompt in prompts if prompt.depth_mm is not None]
    if not depths or len(depths) < len(prompts):
        return None
    x, y, z = np.max(depths, axis=0).tolist()
    return x, y, z


def _renamed(
    points: Sequence[NamedPoint], names: Mapping[str, str], labels: LabelNames | None
) -> list[NamedPoint]:
    """Rename points as :func:`read_prompts` says."""
    new_names = {old.strip().casefold(): new for old, new in names.items()}
    renamed: list[NamedPoint] = []
    if not names:
        return list(points)
    for point in points:
        base, mark, number = point.name.strip().partition("#")
        name, ending = new_names.get(base.casefold()), f"{mark}{number}"
        if name is None:
            parted = part_name(point.name, labels)
            if parted.positive is not None:
                base, ending = parted.base, SIGNS[parted.positive]
                ending = f"#{parted.number}{ending}" if parted.number else ending
                name = new_names.get(base.casefold())
        known = labels is not None and labels.value_of(base) is not None
        if name is None and not known and not is_background(point, labels):
            name = new_names.get("*")
        if name is None:
            renamed.append(point)
        elif name:
            renamed.append(replace(point, name=_unlike_labels(name, ending, labels)))
    return renamed


def _unlike_labels(name: str, ending: str, labels: LabelNames | None) -> str:
    """Return a label's name with what follows it, so that both are not another label's name."""
    new = f"{name}{ending}"
    taken = labels is not None and ending in SIGNS.values() and labels.value_of(new) is not None
    return f"{name}#1{ending}" if taken else new
