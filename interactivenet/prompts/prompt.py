"""Prompts: what a clinician points at. A prompt is one object: a label and its points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.corrections import Correction, call_correction, positions_of
from interactivenet.system.names import word_fault

#: a full set of interior margin points: two per axis
MARGIN_POINTS = 6
#: what an object is called that nobody has named
OBJECT = "object"
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
        point_names: what each point is called, for messages: as in its file ('F-1'), or by its
            number; by default '1' to 'N'.
        corrections: clicks on what an outline has missed or has taken in, in their order.
        notes: what was noticed when the points were read, and a user should know.
        depth_mm: (3,) how deep the points lie below the object's extremes, mm along R, A, S;
            None where nobody said.

    Raises:
        DataError: the label is below 1, or the points have another shape or are not finite, or
            there is not one name for each.
    """

    label: int
    points: NDArray[np.float64]
    name: str = ""
    point_names: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    notes: tuple[str, ...] = ()
    depth_mm: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.label < 1:
            raise DataError(f"a prompt's label must be 1 or more, got {self.label}")
        points = np.array(self.points, np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise DataError(f"a prompt's points must have shape (N, 3), got {points.shape}")
        if not np.isfinite(points).all():
            raise DataError(f"a prompt's points must be finite, got {points.tolist()}")
        points.setflags(write=False)
        names = self.point_names or tuple(str(number + 1) for number in range(len(points)))
        if len(names) != len(points):
            raise DataError(f"a prompt has {len(points)} points, but {len(names)} names for them")
        if self.depth_mm is not None and not all(0 <= mm < 1e3 for mm in self.depth_mm):
            raise DataError(f"a prompt's depth_mm must be from 0 to 1000, got {self.depth_mm}")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "corrections", tuple(self.corrections))
        object.__setattr__(self, "point_names", tuple(names))

    def with_points(self, points: NDArray[np.float64]) -> Prompt:
        """Return the same object with these points; others than its own are called by numbers."""
        if np.array_equal(points, self.points):
            return self
        return replace(self, points=points, point_names=())

    @property
    def negative(self) -> NDArray[np.float64]:
        """Positions (M, 3), RAS+ mm, of the corrections that are not the object."""
        return positions_of(self.corrections, positive=False)

    @property
    def positive(self) -> NDArray[np.float64]:
        """Positions (M, 3), RAS+ mm, of the corrections that are the object."""
        return positions_of(self.corrections, positive=True)

    def call(self, number: int) -> str:
        """Return what messages call a point, by its number from 0: 'F-3', or 'point 3'."""
        name = self.point_names[number]
        return f"point {name}" if is_number(name) else name

    def call_correction(self, number: int) -> str:
        """Return what messages call a correction, by its number from 0: 'tumour+-1', or '+1'."""
        return call_correction(self.corrections, number)


@dataclass(frozen=True)
class LabelNames:
    """The foreground labels of a task.

    Args:
        names: value -> name. Values are 1 or more; names are unique, without '#', not numbers.
        open: whether any other name, and any other value, is a label, too: of models that segment
            any object. A new name gets the lowest value that is free.

    Raises:
        RequestError: a value or a name cannot be used.
    """

    names: Mapping[int, str]
    open: bool = False

    def __post_init__(self) -> None:
        seen: dict[str, int] = {}
        for value, name in self.names.items():
            if value < 1:
                raise RequestError(f"label '{name}' has value {value}, expected 1 or more")
            if not name or "#" in name or name != name.strip() or is_number(name):
                raise RequestError(
                    f"label name '{name}' cannot be used: expected a word without '#', not a number"
                )
            if fault := word_fault(name):
                raise RequestError(f"label name '{name}' cannot be used: {fault}")
            if name.lower() in seen:
                raise RequestError(f"label name '{name}' is given twice")
            seen[name.lower()] = value

    @staticmethod
    def parse(definitions: Iterable[str]) -> LabelNames:
        """Read ``tumour`` (numbered in order from 1) or ``3=tumour`` (value given).

        ``background``, first or as ``0=background``, may be named: it is always 0.
        """
        names: dict[int, str] = {}
        following, given_background = 1, False
        for definition in definitions:
            given, _, name = definition.rpartition("=")
            if given and not is_number(given.strip()):
                raise RequestError(f"label '{definition}': expected NAME or VALUE=NAME")
            name = name.strip()
            if name.lower() == "background" and (not given or int(given) == 0):
                given_background = True
                continue
            value = int(given) if given else following
            if value == 0:
                raise RequestError(f"label '{definition}': 0 is the background, expected 1 or more")
            if value in names:
                raise RequestError(f"label value {value} is given twice: {names[value]}, {name}")
            names[value] = name
            following = value + 1
        if given_background and not names:
            raise RequestError(
                "the background is no label: name at least one other", field="labels"
            )
        return LabelNames(names)

    def value_of(self, text: str) -> int | None:
        """Return the value of the label with this name (any case) or number; None if none."""
        text = text.strip().lower()
        for value, name in self.names.items():
            if text in (name.lower(), str(value)):
                return value
        return None

    def has(self, value: int) -> bool:
        """Whether a value, 1 or more, is that of a label."""
        return self.open or value in self.names

    def name_of(self, value: int) -> str:
        """Return the name of a label's value: 'object 3' where nobody has named it."""
        return self.names.get(value) or f"{OBJECT} {value}"

    @property
    def only_names(self) -> Mapping[int, str] | None:
        """Value -> name of all labels that there can be; None where there may be others."""
        return None if self.open else self.names

    def __str__(self) -> str:
        return ", ".join(f"{value}={name}" for value, name in self.names.items())


def is_number(text: str) -> bool:
    """Whether a name is a whole number, such as a label's value."""
    return text.isascii() and text.isdigit()


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
