"""Fingerprint: what is measured on a dataset before anything is decided.

Each case is measured on its own and its facts are kept as one small JSON file, so that memory
does not grow with the dataset, and a run that was stopped continues where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, coarse_axes
from interactivenet.planning.appearance import Appearance, measure_appearance
from interactivenet.planning.plan import Floats, Sides
from interactivenet.planning.training_set import TrainingSet
from interactivenet.prompts.prompt import Prompt, points_box

#: facts of another version are measured again
FACTS_VERSION = 2
#: percentiles that are kept of each modality's foreground
PERCENTILES = (0.5, 5.0, 50.0, 95.0, 99.5)


@dataclass(frozen=True)
class Intensities:
    """Foreground values of one modality of one case; m2: sum of squared deviations."""

    count: int
    mean: float
    m2: float
    percentiles: tuple[float, ...]


@dataclass(frozen=True)
class PromptFacts:
    """One object and its points; lengths in mm along R, A, S, voxels counted whole.

    box_mm: extent of the points' box.  object_mm: extent of the object.
    overhang_mm: (3, 2) how far the object reaches beyond the points' box, lower and upper side;
        of its components, those that a point touches, if one does.
    outside: points that do not lie in the object.
    appearance: of each channel near the points.
    depth_mm: (3,) how deep the points lie, where that is known.
    """

    label: int
    points: int
    outside: int
    box_mm: Floats
    object_mm: Floats
    overhang_mm: Sides
    voxels: int
    volume_ml: float
    components: int
    appearance: tuple[Appearance, ...] = ()
    depth_mm: Floats | None = None


@dataclass(frozen=True)
class CaseFacts:
    """What is measured on one case; shape, spacing (mm) and coarse axes along R, A, S."""

    name: str
    shape: tuple[int, int, int]
    spacing: Floats
    orientation: str
    coarse: tuple[bool, bool, bool]
    intensities: tuple[Intensities, ...]
    prompts: tuple[PromptFacts, ...]
    subtype: str | None = None

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


def measure_case(scan: Scan, subtype: str | None = None) -> CaseFacts:
    """Measure one labelled case with prompts.

    Raises DataError where the case has no label, no foreground or no prompts.
    """
    if scan.label is None:
        raise DataError(f"{scan.name}: has no label map: training needs one")
    if not scan.prompts:
        raise DataError(f"{scan.name}: has no prompts", remedy="`simulate()` makes them")
    label, grid = scan.label.array[0], scan.image.grid
    foreground = label > 0
    if not foreground.any():
        raise DataError(f"{scan.name}: the label map is empty")
    return CaseFacts(
        name=scan.name,
        shape=grid.shape,
        spacing=grid.spacing,
        orientation=scan.image.source.orientation,
        coarse=_bools(coarse_axes(grid.spacing)),
        intensities=tuple(_intensities(channel[foreground]) for channel in scan.image.array),
        prompts=tuple(_prompt(scan, label, prompt) for prompt in scan.prompts),
        subtype=subtype,
    )


def _prompt(scan: Scan, label: Array, prompt: Prompt) -> PromptFacts:
    grid = scan.image.grid
    spacing = np.array(grid.spacing)
    low, high = points_box(prompt, grid)
    mask = scan.objects.mask(prompt, scan.prompts, grid)
    voxels = int(np.count_nonzero(mask))
    if not voxels:
        raise DataError(f"{scan.name}: label {prompt.label} has points but no voxels")
    touched = scan.objects.voxels(prompt, grid)
    if not len(touched):
        touched = np.argwhere(mask)
    first, last = touched.min(axis=0), touched.max(axis=0) + 1
    overhang = np.stack([low - first, last - high], axis=1).clip(0) * spacing[:, None]
    values = label[tuple(grid.nearest_voxel(prompt.points).T)]
    return PromptFacts(
        label=prompt.label,
        points=len(prompt.points),
        outside=int((values != prompt.label).sum()),
        box_mm=_floats((high - low) * spacing),
        object_mm=_floats((last - first) * spacing),
        overhang_mm=(_pair(overhang[0]), _pair(overhang[1]), _pair(overhang[2])),
        voxels=voxels,
        volume_ml=float(voxels * spacing.prod() / 1000),
        components=scan.objects.count(prompt.label),
        appearance=measure_appearance(scan.image, prompt),
        depth_mm=prompt.depth_mm,
    )


def _intensities(values: Array) -> Intensities:
    values = values.astype(np.float64)
    mean = float(values.mean())
    return Intensities(
        count=len(values),
        mean=mean,
        m2=float(((values - mean) ** 2).sum()),
        percentiles=tuple(np.percentile(values, PERCENTILES).tolist()),
    )


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often each value occurs. values: (N,) ascending.  counts: (N,) whole numbers.

    Values are rounded to 13 significant bits: whole numbers up to 8192 are exact, and the
    histogram of any dataset is bounded.
    """

    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @staticmethod
    def of(values: Array) -> Histogram:
        """Count the values of an array."""
        mantissa, exponent = np.frexp(values.astype(np.float64).ravel())
        rounded = np.ldexp(np.rint(mantissa * 8192), exponent - 13)
        return Histogram(*np.unique(rounded, return_counts=True))

    def __add__(self, other: Histogram) -> Histogram:
        values, index = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.bincount(index, np.concatenate([self.counts, other.counts]))
        return Histogram(values, counts.astype(np.int64))

    def percentile(self, percent: float) -> float:
        """Linear between the two nearest of the ordered values, as ``numpy.percentile``."""
        last = np.cumsum(self.counts)  # one past each value's ranks
        position = percent / 100 * float(last[-1] - 1)
        below, above = (
            float(self.values[np.searchsorted(last, rank, side="right")])
            for rank in (np.floor(position), np.ceil(position))
        )
        return below + (above - below) * float(position - np.floor(position))


@dataclass(frozen=True)
class Fingerprint:
    """The facts of a dataset: those of its cases, and what follows from all of them.

    histograms: of the foreground of all cases, for those modalities that need one.
    """

    modalities: tuple[str, ...]
    cases: tuple[CaseFacts, ...]
    histograms: Mapping[str, Histogram] = field(default_factory=dict)

    @cached_property
    def spacings(self) -> NDArray[np.float64]:
        """(cases, 3), mm."""
        return np.array([case.spacing for case in self.cases])

    @cached_property
    def prompts(self) -> tuple[PromptFacts, ...]:
        """All prompts of all cases."""
        return tuple(prompt for case in self.cases for prompt in case.prompts)

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """(prompts, 3) extents of the points' boxes, mm."""
        return np.array([prompt.box_mm for prompt in self.prompts])

    @cached_property
    def overhangs(self) -> NDArray[np.float64]:
        """(prompts, 3, 2) how far objects reach beyond the boxes, mm."""
        return np.array([prompt.overhang_mm for prompt in self.prompts])

    def moments(self, modality: int) -> tuple[float, float]:
        """Mean and standard deviation of all foreground voxels of a modality.

        Parts are joined as Chan, Golub and LeVeque (1979) do it.
        """
        parts = [case.intensities[modality] for case in self.cases]
        counts = np.array([part.count for part in parts], dtype=np.float64)
        means = np.array([part.mean for part in parts])
        mean = float((counts * means).sum() / counts.sum())
        m2 = sum(part.m2 for part in parts) + float((counts * (means - mean) ** 2).sum())
        return mean, float(np.sqrt(m2 / counts.sum()))

    def summary(self) -> dict[str, Any]:
        """Return what a person wants to see of the dataset, as JSON data."""
        coarse = np.array([case.coarse for case in self.cases])
        prompts = self.prompts
        shapes = np.array([case.shape for case in self.cases])
        return {
            "cases": len(self.cases),
            "prompts": len(prompts),
            "shape": _spread(shapes),
            "spacing_mm": _spread(self.spacings),
            "orientations": _counts(case.orientation for case in self.cases),
            "anisotropic_cases": {
                axis: int(n) for axis, n in zip("RAS", coarse.sum(axis=0), strict=True)
            },
            "points_box_mm": _spread(self.boxes),
            "object_mm": _spread(np.array([prompt.object_mm for prompt in prompts])),
            "overhang_mm": _spread(self.overhangs),
            "volume_ml": _spread(np.array([prompt.volume_ml for prompt in prompts])),
            "components": _counts(str(prompt.components) for prompt in prompts),
            "points_outside_objects": sum(prompt.outside for prompt in prompts),
            "intensities": {
                name: {
                    "mean": self.moments(index)[0],
                    "std": self.moments(index)[1],
                    "median_of_cases": dict(
                        zip(
                            map(str, PERCENTILES),
                            np.median(
                                [case.intensities[index].percentiles for case in self.cases], axis=0
                            ).tolist(),
                            strict=True,
                        )
                    ),
                }
                for index, name in enumerate(self.modalities)
            },
            "training_set": TrainingSet.of(self.cases, self.modalities).as_json(),
        }


def _spread(values: NDArray[Any]) -> dict[str, Any]:
    """Smallest, median and largest along the first axis."""
    return {
        "min": values.min(axis=0).tolist(),
        "median": np.median(values, axis=0).tolist(),
        "max": values.max(axis=0).tolist(),
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _floats(values: NDArray[np.float64]) -> Floats:
    x, y, z = values.tolist()
    return x, y, z


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = values.tolist()
    return low, high


def _bools(values: NDArray[np.bool_]) -> tuple[bool, bool, bool]:
    x, y, z = values.tolist()
    return x, y, z
