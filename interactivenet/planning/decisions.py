"""What a plan consists of: cut, normalisation, encoding, network, grid.

Data only. All triples run along R, A and S.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.planning.ranges import check_positive, check_ranges

Ints = tuple[int, int, int]
Floats = tuple[float, float, float]
Sides = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
EncodingKind = Literal["geodesic", "euclidean", "gaussian", "none"]
Kernel = Literal["exact", "scan", "geodistk"]
MetricName = Literal["geodistk", "gradient"]
#: of a network that sees corrections: positive clicks, negative ones, and what they correct
CORRECTION_CHANNELS = 3
#: so much of their depth points may lie deeper than is assumed, before a prior on the extent counts
EXTENT_SLACK = 0.25
#: read from JSON strictly: unknown fields and other types are refused
STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


@dataclass(frozen=True)
class CropMargins:
    """How far the cut around a prompt reaches beyond the box of its points.

    mm: (3, 2) for each axis, its lower and upper side, mm.
    fraction: (3, 2) to be added, of the box's extent along the axis.
    """

    mm: Sides
    fraction: Sides

    __pydantic_config__: ClassVar[Any] = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, mm=(0, 1e4), fraction=(0, 1e2))

    def margins(self, extent: ArrayLike) -> NDArray[np.float64]:
        """Margins (3, 2), mm, of a box of points with the given extent (3,), mm."""
        extent = np.asarray(extent, dtype=np.float64)
        return np.asarray(np.array(self.mm) + np.array(self.fraction) * extent[:, None])

    def voxels(self, extent: ArrayLike, spacing: ArrayLike) -> NDArray[np.intp]:
        """The margins (3, 2) in whole voxels of a grid with the given spacing (3,), mm."""
        margins = self.margins(extent) / np.asarray(spacing, dtype=np.float64)[:, None]
        return np.ceil(margins - 1e-6).astype(np.intp)


@dataclass(frozen=True)
class Normalisation:
    """How the values of one modality are normalised.

    ct: clipped to [low, high], then (value - mean) / std, all from the training set.
    zscore: by the mean and standard deviation of the region's voxels that are not zero.
    """

    kind: Literal["ct", "zscore"]
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None

    __pydantic_config__: ClassVar[Any] = STRICT

    def __post_init__(self) -> None:
        numbers = (self.low, self.high, self.mean, self.std)
        if self.kind != "ct":
            return
        if self.low is None or self.high is None or self.mean is None or self.std is None:
            raise ValueError(f"ct needs low, high, mean and std, got {numbers}")
        check_ranges(self, **dict.fromkeys(("low", "high", "mean"), (-1e12, 1e12)), std=(0, 1e12))
        if not (self.low < self.high and self.std > 1e-6):
            raise ValueError(f"ct needs low < high, and a positive std, got {numbers}")


@dataclass(frozen=True)
class Encoding:
    """How the points of a prompt become a map: 1 at a point, towards 0 away from it.

    kind: "geodesic" is exp(-G), G the geodesic distance over the normalised image; "euclidean"
        exp(-d / sigma), "gaussian" exp(-d^2 / (2 sigma^2)), d the distance from the nearest
        point in mm; "none" is 0 everywhere, to measure what points are worth.
    sigma_mm: the sigma of the euclidean and the gaussian map.
    extent: whether a second map draws the ellipsoid through the extent of the points.

    The other fields belong to "geodesic" and are those of
    :func:`interactivenet.encoding.geodesic_distance`.
    """

    kind: EncodingKind = "geodesic"
    kernel: Kernel = "exact"
    metric: MetricName = "geodistk"
    lamb: float = 1.0
    iterations: int = 4
    bound: float | None = None
    weight: float = 0.95
    contrast: float = 1.0
    sigma_mm: float = 10.0
    extent: bool = False

    __pydantic_config__: ClassVar[Any] = STRICT

    def __post_init__(self) -> None:
        choices = {"kind": EncodingKind, "kernel": Kernel, "metric": MetricName}
        for name, choice in choices.items():
            if (value := getattr(self, name)) not in get_args(choice):
                raise ValueError(f"{name} must be one of {get_args(choice)}, got {value!r}")
        check_ranges(self, lamb=(0, 1), iterations=(1, 1000), weight=(0, 1), contrast=(0, 1000))
        check_positive(self, "bound", "sigma_mm")

    @property
    def channels(self) -> int:
        """How many maps there are."""
        return 1 + self.extent


@dataclass(frozen=True)
class Network:
    """The U-Net: one entry per stage, from full resolution to the bottleneck.

    deep_supervision: how many lower resolutions the loss sees beside the full one.
    """

    kernels: tuple[Ints, ...]
    strides: tuple[Ints, ...]
    features: tuple[int, ...]
    deep_supervision: int
    residual: bool = False

    __pydantic_config__: ClassVar[Any] = STRICT

    def __post_init__(self) -> None:
        if not len(self.kernels) == len(self.strides) == len(self.features) >= 3:
            raise ValueError("kernels, strides and features need one entry for each of >= 3 stages")
        # far beyond what planning makes: a stranger's plan must not take all memory
        if len(self.features) > 12:
            raise ValueError(f"features must have at most 12 stages, got {len(self.features)}")
        check_ranges(
            self, features=(1, 1024), kernels=(1, 64), strides=(1, 64),
            deep_supervision=(1, len(self.features) - 2),
        )  # fmt: skip

    @property
    def divisor(self) -> Ints:
        """What each axis of an input must be divisible by."""
        x, y, z = np.prod(self.strides, axis=0).tolist()
        return x, y, z

    @property
    def smallest(self) -> Ints:
        """Smallest input (3,): instance norm needs more than one voxel at the bottleneck."""
        x, y, z = (2 * voxels for voxels in self.divisor)
        return x, y, z


@dataclass(frozen=True)
class Legacy:
    """The rules of weights that the original program (0.2.x) has trained, see ``legacy/sample.py``.

    relaxation: of the points' box's size, added on either side; least: or these voxels, if more.
    grow: whether the box first grows by margin points' depth: the boxes that training has cut.
    """

    relaxation: float
    least: int = 8
    grow: bool = False

    __pydantic_config__: ClassVar[Any] = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, relaxation=(0, 10), least=(1, 1000))


@dataclass(frozen=True)
class ObjectGrid:
    """A target grid that belongs to the object: a fixed number of voxels, whatever its size.

    The box of the points is grown on every side by how deep the points lie, and then by the plan's
    ``cut``, of which the fractions are of the grown box's extents; ``sample_shape`` voxels fill it.

    depth_mm: (3,) how deep the points lie, mm along the scan's R, A, S axes, where a prompt does
        not say; None: as margin points are simulated, 5 voxels of the scan, 1 along coarse axes.
        Never more than the points' extent along the axis.
    mirrored: whether training mirrors and permutes the axes, for objects that lie anyhow; then
        mirrored copies can be averaged. A task's own objects lie along the patient's axes.
    """

    depth_mm: Floats | None = None
    mirrored: bool = False

    __pydantic_config__: ClassVar[Any] = STRICT

    def __post_init__(self) -> None:
        if self.depth_mm is not None:
            check_ranges(self, depth_mm=(0, 1e3))


@dataclass(frozen=True)
class ExtentPrior:
    """How far a network's answer must give way to what the points tell of the object's extent.

    What is done with it, and what it gains: :mod:`interactivenet.postprocessing.extent`.

    beyond: log-odds that a voxel loses along an axis on which it lies beyond the object's extremes
        as the points and their depth tell, for each half extent.
    ellipsoid: log-odds that a voxel in the middle of the ellipsoid through the extremes gains where
        the network leaves open what it is, of an outline that is much like that ellipsoid.
    depth_mm: (3,) how deep the points lie at most, mm along the scan's R, A, S axes, whatever a
        prompt says; None: as the prompt says, or the objects' own grid.
    """

    beyond: float = 80.0
    ellipsoid: float = 0.0
    depth_mm: Floats | None = None

    __pydantic_config__: ClassVar[Any] = STRICT

    def __post_init__(self) -> None:
        check_ranges(self, beyond=(0, 1e4), ellipsoid=(0, 20))
        if self.depth_mm is not None:
            check_ranges(self, depth_mm=(0, 1e3))


def sample_channels(
    modalities: Sequence[str], encoding: Encoding, *, corrections: bool = False
) -> int:
    """Count the channels of a sample: modalities, maps of the points, and those of corrections."""
    return len(modalities) + encoding.channels + CORRECTION_CHANNELS * corrections
