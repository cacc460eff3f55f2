"""The plan: every decision about a task, derived from its fingerprint, in one file.

Data only: whoever makes samples, networks or bundles needs this module and nothing behind it.
All triples run along R, A and S; with :class:`Legacy`, along a scan's axes as its file stores them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.datasets.modalities import is_any
from interactivenet.errors import DataError, RequestError
from interactivenet.planning.plan_file import SCHEMA_VERSION, read_plans
from interactivenet.planning.ranges import check_positive, check_ranges
from interactivenet.prompts.prompt import OBJECT, LabelNames
from interactivenet.system.names import name_fault
from interactivenet.system.schema import parse_json_as

Ints = tuple[int, int, int]
Floats = tuple[float, float, float]
Sides = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
EncodingKind = Literal["geodesic", "euclidean", "gaussian", "none"]
Kernel = Literal["exact", "scan", "geodistk"]
MetricName = Literal["geodistk", "gradient"]
#: read from JSON strictly: unknown fields and other types are refused
_STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


@dataclass(frozen=True)
class CropMargins:
    """How far the cut around a prompt reaches beyond the box of its points.

    mm: (3, 2) for each axis, its lower and upper side, mm.
    fraction: (3, 2) to be added, of the box's extent along the axis.
    """

    mm: Sides
    fraction: Sides

    __pydantic_config__: ClassVar[Any] = _STRICT

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

    __pydantic_config__: ClassVar[Any] = _STRICT

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

    __pydantic_config__: ClassVar[Any] = _STRICT

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

    __pydantic_config__: ClassVar[Any] = _STRICT

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

    __pydantic_config__: ClassVar[Any] = _STRICT

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

    __pydantic_config__: ClassVar[Any] = _STRICT

    def __post_init__(self) -> None:
        if self.depth_mm is not None:
            check_ranges(self, depth_mm=(0, 1e3))


@dataclass(frozen=True)
class Plan:
    """All that is decided about a task before training.

    modalities: of the channels of an image; ("any",): one channel, an image of any modality; of
        several images of a case, each goes through the network by itself.
    labels: value -> name; of any modality, 1 -> "object" alone is any object.
    spacing: of the target grid, mm.
    normalisation: one per modality, in their order.
    sample_shape: voxels of a training sample, divisible by the network's strides; larger cuts
        are trained in patches and predicted by sliding window.
    memory_gb: what a training step was allowed; estimated_gb: what it should take.
    padding: what stands in the channels beyond the scan; 0 is the mean of a normalised image.
    legacy: None but for converted weights; then ``cut`` and ``padding`` are ignored.
    grid: None for a grid of the planned spacing; else the object's own, of ``sample_shape`` voxels:
        then ``spacing`` is the median one of the training set, and ``padding`` is ignored.
    """

    task: str
    version: str
    modalities: tuple[str, ...]
    labels: Mapping[int, str]
    preset: str
    seed: int
    spacing: Floats
    cut: CropMargins
    normalisation: tuple[Normalisation, ...]
    encoding: Encoding
    network: Network
    sample_shape: Ints
    batch_size: int
    memory_gb: float
    estimated_gb: float
    padding: float = 0.0
    notes: tuple[str, ...] = field(default=())
    legacy: Legacy | None = None
    grid: ObjectGrid | None = None

    __pydantic_config__: ClassVar[Any] = _STRICT

    def __post_init__(self) -> None:
        if fault := name_fault(self.task):
            raise ValueError(f"task cannot be the name of a folder: {fault}")
        if not len(self.normalisation) == len(self.modalities) >= 1:
            raise ValueError("normalisation needs one entry per modality")
        try:
            LabelNames(self.labels)
        except RequestError as error:
            raise ValueError(str(error)) from error
        if not self.labels:
            raise ValueError("labels must name at least one")
        if self.legacy is not None and self.grid is not None:
            raise ValueError("legacy knows no grid of the object's own")
        if self.grid is not None and any(n.kind != "zscore" for n in self.normalisation):
            raise ValueError("grid needs the normalisation zscore for every modality")
        if self.legacy is not None and self.channels != 2:
            raise ValueError(f"legacy needs one modality and one map, got {self.channels} channels")
        check_ranges(
            self, spacing=(1e-2, 1e3), sample_shape=(1, 4096), batch_size=(1, 10000),
            estimated_gb=(0, 1e5), padding=(-1e6, 1e6),
        )  # fmt: skip
        check_positive(self, "estimated_gb")
        if math.prod(self.sample_shape) > 2**30:
            raise ValueError(f"sample_shape {self.sample_shape} has more than 2^30 voxels")
        divisor = self.network.divisor
        if any(n % d for n, d in zip(self.sample_shape, divisor, strict=True)):
            raise ValueError(f"sample_shape {self.sample_shape} is not divisible by {divisor}")

    @property
    def channels(self) -> int:
        """Channels of a sample: one per modality, and the maps of the points."""
        return len(self.modalities) + self.encoding.channels

    @property
    def label_names(self) -> LabelNames:
        """The labels that points may have: of a model of any object, whatever they are called."""
        any_object = is_any(self.modalities) and dict(self.labels) == {1: OBJECT}
        return LabelNames({}, open=True) if any_object else LabelNames(self.labels)

    @property
    def is_mirrored(self) -> bool:
        """Whether training mirrors samples, so that mirrored copies of one can be averaged."""
        return self.grid is None or self.grid.mirrored

    @property
    def digest(self) -> str:
        """SHA-256 of all that is decided here; the notes do not count."""
        decided = {name: value for name, value in self._fields().items() if name != "notes"}
        return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON data, schema version included."""
        return {"schema_version": SCHEMA_VERSION, "plan": self._fields()}

    def _fields(self) -> dict[str, Any]:
        # plans from before these fields stay what they are
        optional = ("legacy", "grid")
        return {k: v for k, v in asdict(self).items() if k not in optional or v is not None}

    @staticmethod
    def load(path: Path | str) -> Plan:
        """Read the plan from a ``plans.json``, or from one that holds the plan alone.

        Raises RequestError where there is no such file, DataError, naming the field, where the
        file has another schema version, a field is unknown, missing or of a wrong type.
        """
        path = Path(path)
        return Plan.parse(read_plans(path)["plan"], path)

    @staticmethod
    def parse(content: Any, path: Path) -> Plan:
        """Read a plan from JSON data; raises DataError, naming the field of the file, if broken."""
        try:
            plan = parse_json_as(Plan, content, "plan")
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        assert isinstance(plan, Plan)
        return plan
