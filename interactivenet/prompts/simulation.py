"""Simulated prompts: points as a clinician would place them, from a label map.

Interior margin points (Spaanderman et al., arXiv 2402.07746), random points, or the centre of
each object. Functions on objects work on voxel indices of an array along RAS+ and draw from the
generator that they are given.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.components import bounding_box, label_components, label_counts
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.margin_points import (
    Indices,
    draw_margin_points,
    margin_depths,
    nearest_free_voxel,
    usual_depths,
)
from interactivenet.prompts.prompt import MARGIN_POINTS, LabelNames, Prompt

Mask = NDArray[np.bool_]
Floats = tuple[float, float, float]

#: how often margin points that share a plane are drawn again
_DRAWS = 10


@dataclass(frozen=True)
class SimulationOptions:
    """How prompts are simulated; stored beside them.

    Attributes:
        seed: The same seed gives the same points.
        random: Number of random points per object, instead of margin points; 0 for none.
        centre: The object's deepest point instead of margin points (with ``random``: both).
        depth_mm: Depth of margin points below the extremes, mm; None for 5 voxels, 1 along
            coarse axes.
        jitter_mm: Standard deviation of noise on each coordinate, mm; points stay inside the
            object.
        per_component: Every 26-connected component of a label is a separate object.
        largest_component: Otherwise, the largest component is the object, not the whole label.
        format: Suffix of the files that prompts are written to.

    Raises:
        RequestError: A number is negative or not finite.
    """

    seed: int = 0
    random: int = 0
    centre: bool = False
    depth_mm: float | None = None
    jitter_mm: float = 0.0
    per_component: bool = False
    largest_component: bool = True
    format: str = "nii.gz"

    def __post_init__(self) -> None:
        for field in ("seed", "random", "depth_mm", "jitter_mm"):
            value = getattr(self, field)
            if value is not None and not 0 <= value < math.inf:
                raise RequestError(field=field, value=value, expected="0 or more")

    @property
    def points_per_object(self) -> int:
        """How many points an object gets, if it has as many voxels."""
        if self.random or self.centre:
            return self.random + int(self.centre)
        return MARGIN_POINTS


@dataclass(frozen=True)
class LabelledObject:
    """The voxels of one object.

    mask: its bounding box, bool.  start: (3,) index of the box's first voxel in the volume.
    ignored: voxels of the label left out as stray components; components: how many there were.
    """

    mask: Mask
    start: Indices
    ignored: int = 0
    components: int = 1

    @property
    def voxels(self) -> Indices:
        """(N, 3) indices of the object's voxels in the volume."""
        return np.argwhere(self.mask) + self.start


def simulate_prompts(
    label: Volume,
    options: SimulationOptions = SimulationOptions(),
    labels: LabelNames | None = None,
    *,
    key: str = "",
) -> list[Prompt]:
    """Simulate a prompt for every object of a label map.

    Args:
        label: Label map of one channel: 0 is background, every other value a label.
        options: Which points are placed, and what an object is.
        labels: Names of the label values, for the prompts.
        key: Name of the case, such as 'Tr/case_1'. Points follow from the seed, the key and the
            object alone: other cases and objects change nothing.

    Returns:
        One prompt for each object, by label value and then by size; its points (N, 3) lie in
        voxels of the object, RAS+ mm. Margin points come with their depth.

    Raises:
        DataError: The label map is empty.
    """
    return simulate_prompts_with_notes(label, options, labels, key=key)[0]


def simulate_prompts_with_notes(
    label: Volume,
    options: SimulationOptions = SimulationOptions(),
    labels: LabelNames | None = None,
    *,
    key: str = "",
) -> tuple[list[Prompt], list[str]]:
    """Simulate prompts as :func:`simulate_prompts` does; returns what a user should know, too.

    Notes name voxels that were ignored and objects that are too small for all points.
    """
    values = sorted(label_counts(label.array[0]))
    if not values:
        raise DataError("the label map is empty: there is no object to point at")
    prompts, notes = [], []
    for value in values:
        objects = find_objects(
            label.array[0] == value,
            per_component=options.per_component,
            largest_only=options.largest_component,
        )
        for number, labelled in enumerate(objects):
            rng = np.random.default_rng([options.seed, zlib.crc32(key.encode()), value, number])
            voxels = draw_points(labelled, label.spacing, options, rng)
            name = f"label {value}" + (f", object {number + 1}" if len(objects) > 1 else "")
            if labelled.ignored:
                notes.append(
                    f"{name}: {labelled.ignored} voxels outside the largest of"
                    f" {labelled.components} components are ignored"
                )
            if len(voxels) < options.points_per_object:
                notes.append(
                    f"{name}: too small, {len(voxels)} points instead of"
                    f" {options.points_per_object}"
                )
            label_name = labels.names.get(value, "") if labels else ""
            depth = _exact_depth(labelled, options, label.spacing)
            prompts.append(Prompt(value, label.voxel_to_world(voxels), label_name, depth_mm=depth))
    return prompts, notes


def _exact_depth(
    labelled: LabelledObject, options: SimulationOptions, spacing: tuple[float, float, float]
) -> Floats | None:
    """How deep the margin points of an object lie, mm; None where others are placed."""
    if options.random or options.centre:
        return None
    if np.count_nonzero(labelled.mask) <= MARGIN_POINTS:  # each of its voxels is a point
        return 0.0, 0.0, 0.0
    depths = margin_depths(np.array(labelled.mask.shape), spacing, options.depth_mm)
    x, y, z = (depths * np.array(spacing)).tolist()
    return x, y, z


def find_objects(mask: Mask, *, per_component: bool, largest_only: bool) -> list[LabelledObject]:
    """Split the voxels (X, Y, Z) of one label into objects; none for an empty mask.

    per_component: every 26-connected component is an object, largest first.
    largest_only: otherwise, the object is the largest component, not the whole label.
    """
    box = bounding_box(mask)
    if box is None:
        return []
    cropped = mask[box]
    start = np.array([extent.start for extent in box], dtype=np.intp)
    if not per_component and not largest_only:
        return [LabelledObject(cropped, start)]
    components, count = label_components(cropped)
    if count == 1:
        return [LabelledObject(cropped, start)]
    sizes = np.bincount(components.ravel())[1:]
    order = np.argsort(-sizes, kind="stable")
    objects = []
    for index in order if per_component else order[:1]:
        component = components == index + 1
        inner = bounding_box(component)
        assert inner is not None
        shift = np.array([extent.start for extent in inner], dtype=np.intp)
        ignored = 0 if per_component else int(sizes.sum() - sizes[index])
        objects.append(LabelledObject(component[inner], start + shift, ignored, count))
    return objects


def draw_points(
    labelled: LabelledObject,
    spacing: tuple[float, float, float],
    options: SimulationOptions,
    rng: np.random.Generator,
    scan_spacing: tuple[float, float, float] | None = None,
) -> Indices:
    """Draw points (N, 3), voxels, in an object, as the options say.

    spacing: of the grid of the object, mm.  scan_spacing: of the scan, where the object was
    brought to another grid: points lie as deep, in mm, as they would in the scan.
    """
    if options.random or options.centre:
        parts = [centre_point(labelled, spacing)] if options.centre else []
        if options.random:
            parts.append(random_points(labelled, options.random, rng))
        points = np.unique(np.concatenate(parts), axis=0)
    else:
        depth: float | NDArray[np.float64] | None = options.depth_mm
        if depth is None and scan_spacing is not None:
            depth = usual_depths(scan_spacing) * np.array(scan_spacing)
        points = margin_points(labelled, spacing, rng, depth)
    if options.jitter_mm:
        points = jitter(points, labelled, spacing, options.jitter_mm, rng)
    return points


def margin_points(
    labelled: LabelledObject,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    depth_mm: float | NDArray[np.float64] | None = None,
) -> Indices:
    """Place the six interior margin points of an object.

    spacing: mm.  depth_mm: below the extremes, see :func:`~interactivenet.prompts.margin_points.
    margin_depths`. Returns (N, 3) different voxels of the object, N = 6, or all of them where it
    has fewer. Points that happen to share one plane are drawn again, a few times.
    """
    voxels = labelled.voxels
    if len(voxels) <= MARGIN_POINTS:
        return voxels
    for _ in range(_DRAWS):
        points = draw_margin_points(voxels, spacing, rng, depth_mm)
        if np.linalg.matrix_rank(points - points[0]) == 3:
            break
    return points


def random_points(labelled: LabelledObject, count: int, rng: np.random.Generator) -> Indices:
    """Draw ``count`` different voxels (N, 3) of the object, or all where it has fewer."""
    voxels = labelled.voxels
    return np.asarray(voxels[np.sort(rng.permutation(len(voxels))[:count])])


def centre_point(labelled: LabelledObject, spacing: tuple[float, float, float]) -> Indices:
    """Return the object's deepest voxel (1, 3); of several, the nearest to its centroid.

    Depth is the distance (mm) to the nearest voxel outside the object.
    """
    depth = ndimage.distance_transform_edt(np.pad(labelled.mask, 1), sampling=spacing)
    deepest = np.argwhere(depth >= depth.max() - 1e-6) - 1 + labelled.start
    squares = ((deepest - labelled.voxels.mean(axis=0)) * spacing) ** 2
    return np.asarray(deepest[squares.sum(axis=1).argmin()][None])


def jitter(
    points: Indices,
    labelled: LabelledObject,
    spacing: tuple[float, float, float],
    deviation_mm: float,
    rng: np.random.Generator,
) -> Indices:
    """Move points (N, 3) by normal noise (mm per axis), to the object's nearest free voxels."""
    voxels = labelled.voxels
    moved: list[Indices] = []
    for point in points:
        target = point + rng.normal(0.0, deviation_mm, 3) / spacing
        moved.append(nearest_free_voxel(target, (voxels,), moved, spacing, None))
    return np.array(moved)
