"""Prompts: what a clinician points at. A prompt is one object: a label and its points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, NoPoints, RequestError
from interactivenet.imaging.geometry import Geometry

#: a full set of interior margin points: two per axis
MARGIN_POINTS = 6
#: points that spread less than this many voxels along a grid axis span no box
_FLAT_BOX_VOXELS = 0.5
#: points that spread less than this many voxels across their best plane were placed in it
_FLAT_PLANE_VOXELS = 0.05


@dataclass(frozen=True, eq=False)
class Prompt:
    """One object to segment: its label and the points that mark it.

    Args:
        label: the object's value in the label map, 1 or more.
        points: (N, 3), N >= 1, in RAS+ mm; kept as float64, read-only.
        name: the label's name, '' where it is not known.

    Raises:
        DataError: the label is below 1, or the points have another shape or are not finite.
    """

    label: int
    points: NDArray[np.float64]
    name: str = ""

    def __post_init__(self) -> None:
        points = np.array(self.points, dtype=np.float64)
        if self.label < 1:
            raise DataError(f"a prompt's label must be 1 or more, got {self.label}")
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise DataError(f"a prompt's points must have shape (N, 3), got {points.shape}")
        if not np.isfinite(points).all():
            raise DataError(f"a prompt's points must be finite, got {points.tolist()}")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)


@dataclass(frozen=True)
class LabelNames:
    """The foreground labels of a task.

    Args:
        names: value -> name. Values are 1 or more; names are unique, without '#', not numbers.

    Raises:
        RequestError: a value or a name cannot be used.
    """

    names: Mapping[int, str]

    def __post_init__(self) -> None:
        seen: dict[str, int] = {}
        for value, name in self.names.items():
            if value < 1:
                raise RequestError(f"label '{name}' has value {value}, expected 1 or more")
            if not name or "#" in name or name != name.strip() or _is_number(name):
                raise RequestError(
                    f"label name '{name}' cannot be used: expected a word without '#', not a number"
                )
            if name.lower() in seen:
                raise RequestError(f"label name '{name}' is given twice")
            seen[name.lower()] = value

    @staticmethod
    def parse(definitions: Iterable[str]) -> LabelNames:
        """Read ``tumour`` (numbered in order from 1) or ``3=tumour`` (value given).

        ``background``, first or as ``0=background``, may be named: it is always 0.
        """
        names: dict[int, str] = {}
        following = 1
        for definition in definitions:
            given, _, name = definition.rpartition("=")
            if given and not _is_number(given.strip()):
                raise RequestError(f"label '{definition}': expected NAME or VALUE=NAME")
            name = name.strip()
            if name.lower() == "background" and (not given or int(given) == 0):
                continue
            value = int(given) if given else following
            if value == 0:
                raise RequestError(f"label '{definition}': 0 is the background, expected 1 or more")
            if value in names:
                raise RequestError(f"label value {value} is given twice: {names[value]}, {name}")
            names[value] = name
            following = value + 1
        return LabelNames(names)

    def value_of(self, text: str) -> int | None:
        """Return the value of the label with this name (any case) or number; None if none."""
        text = text.strip().lower()
        for value, name in self.names.items():
            if text in (name.lower(), str(value)):
                return value
        return None

    def __str__(self) -> str:
        return ", ".join(f"{value}={name}" for value, name in self.names.items())


@dataclass(frozen=True)
class NamedPoint:
    """A point as text formats have it.

    name: says which object it belongs to.  position: RAS+ mm.
    group: number of the list that it is in, where a file has several (each is an object).
    """

    name: str
    position: tuple[float, float, float]
    group: int = 0


def to_named_points(prompts: Sequence[Prompt]) -> list[NamedPoint]:
    """Flatten prompts; a second object of the same label is named ``name#2`` and so on."""
    points = []
    count: dict[int, int] = {}
    for prompt in prompts:
        count[prompt.label] = count.get(prompt.label, 0) + 1
        name = prompt.name or str(prompt.label)
        if count[prompt.label] > 1:
            name = f"{name}#{count[prompt.label]}"
        points += [NamedPoint(name, (x, y, z)) for x, y, z in prompt.points.tolist()]
    return points


def from_named_points(points: Sequence[NamedPoint], labels: LabelNames | None) -> list[Prompt]:
    """Gather points into prompts by their names, in order of appearance.

    A name is a label's name or value, with ``#2`` for a second object, or numbered as 3D Slicer
    does (``tumour-1``, ``tumour-2``). Names of no label (Slicer's ``F-1`` ... ``F-6``) mean the
    only label of a task where they are all alike. Anything else is refused. Without ``labels``,
    numbers are label values; a single name has no value yet: its prompts carry the name, and
    label 1 in place of the value.
    """
    if not points:
        raise NoPoints("holds no points")
    numbered = labels is not None or _one_numbered_name(points)
    named: list[tuple[str, int, tuple[float, float, float]]] = []
    seen: set[tuple[str, int]] = set()
    for point in points:
        full, mark, text = point.name.strip().partition("#")
        if mark and not (_is_number(text) and int(text) > 0):
            raise DataError(f"has a point named '{point.name}', expected a number after '#'")
        number = int(text) if mark else point.group + 1
        name = _without_number(full, labels) if numbered else full
        if name != full and (full, number) in seen:
            raise DataError(
                f"has several points named '{full}': name them {name}#1, {name}#2 for two objects"
            )
        seen.add((full, number))
        named.append((name, number, point.position))
    names = list(dict.fromkeys(name for name, _, _ in named))
    values = {name: _value(name, names, labels) for name in names}
    groups: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    unlisted: dict[int, str] = {}  # names that no list of labels explains
    for name, number, position in named:
        value = values[name]
        groups.setdefault((value, number), []).append(position)
        if labels is None and not _is_number(name):
            unlisted[value] = name
    return [
        Prompt(
            value, np.array(positions), labels.names[value] if labels else unlisted.get(value, "")
        )
        for (value, _), positions in groups.items()
    ]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


#: numbering of the points of a list: 3D Slicer's F-1, and Point 1
_RUNNING = re.compile(r"(.+?)[-_ ]\d+")


def _without_number(name: str, labels: LabelNames | None) -> str:
    """Strip Slicer's running number off a name that is not itself a label."""
    if _is_number(name) or (labels and labels.value_of(name) is not None):
        return name
    match = _RUNNING.fullmatch(name)
    return match[1] if match else name


def _one_numbered_name(points: Sequence[NamedPoint]) -> bool:
    """Whether the points are one list as Slicer numbers it: F-1, F-2, F-3 ..."""
    names = [point.name.strip() for point in points]
    matches = [_RUNNING.fullmatch(name) for name in names]
    stems = {match[1] if match else None for match in matches}
    return None not in stems and len(stems) == 1 and len(set(names)) == len(names)


def _value(name: str, names: list[str], labels: LabelNames | None) -> int:
    if name.lower() == "background" or (_is_number(name) and int(name) == 0):
        raise DataError(f"has points named '{name}', expected a foreground label")
    if labels is None:
        if _is_number(name) and int(name) > 0:
            return int(name)
        if len(names) == 1:
            return 1
        raise DataError(
            f"has points named {', '.join(map(repr, names))}: which label value does each mean?"
            " (give the task, or its `labels` in order)"
        )
    value = labels.value_of(name)
    if value is not None:
        return value
    if len(names) == 1 and len(labels.names) == 1 and not _is_number(name):
        return next(iter(labels.names))
    raise DataError(f"has points named '{name}', expected one of the labels {labels}")


def points_outside(prompt: Prompt, grid: Geometry) -> int:
    """Count the prompt's points that lie outside the image."""
    return int((~grid.contains(prompt.points)).sum())


def spans_no_box(prompt: Prompt, grid: Geometry) -> bool:
    """Whether the points' box on the grid has no extent along one of its axes."""
    return bool(np.ptp(grid.world_to_voxel(prompt.points), axis=0).min() < _FLAT_BOX_VOXELS)


def is_flat(prompt: Prompt, grid: Geometry) -> bool:
    """Whether all points lie in one plane, of the grid or an oblique one."""
    if spans_no_box(prompt, grid):
        return True
    voxels = grid.world_to_voxel(prompt.points)
    return thickness(voxels, flat_direction(prompt, grid)) < _FLAT_PLANE_VOXELS


def flat_direction(prompt: Prompt, grid: Geometry) -> NDArray[np.float64]:
    """Unit vector (3,), in voxels, along which the prompt's points spread least."""
    voxels = grid.world_to_voxel(prompt.points)
    spread = np.ptp(voxels, axis=0)
    if spread.min() < _FLAT_BOX_VOXELS:  # a plane along the grid, the usual slip
        return np.asarray(np.eye(3)[int(spread.argmin())])
    _, _, axes = np.linalg.svd(voxels - voxels.mean(axis=0))
    return np.asarray(axes[2], dtype=np.float64)


def thickness(voxels: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Extent of voxel positions (N, 3) along a unit vector (3,), voxels."""
    return float(np.ptp(voxels @ direction))


def points_box(prompt: Prompt, grid: Geometry) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and one past the last voxel (3,) of the box of a prompt's points.

    Raises DataError where a point lies outside the grid.
    """
    voxels = grid.nearest_voxel(prompt.points)
    return voxels.min(axis=0), voxels.max(axis=0) + 1
