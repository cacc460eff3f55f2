"""The plan: every decision about a task, derived from its fingerprint, in one file.

Data only: whoever makes samples, networks or bundles needs this module and nothing behind it.
All triples run along R, A and S; with :class:`Legacy`, along a scan's axes as its file stores them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from interactivenet.datasets.modalities import is_any
from interactivenet.errors import DataError, RequestError
from interactivenet.planning.decisions import (
    EXTENT_SLACK,
    STRICT,
    CropMargins,
    Encoding,
    EncodingKind,
    ExtentPrior,
    Floats,
    Ints,
    Kernel,
    Legacy,
    MetricName,
    Network,
    Normalisation,
    ObjectGrid,
    Sides,
    sample_channels,
)
from interactivenet.planning.plan_file import SCHEMA_VERSION, read_plans
from interactivenet.planning.ranges import check_positive, check_ranges
from interactivenet.prompts.prompt import OBJECT, LabelNames
from interactivenet.system.names import name_fault
from interactivenet.system.schema import parse_json_as

__all__ = [
    "EXTENT_SLACK", "CropMargins", "Encoding", "EncodingKind", "ExtentPrior", "Floats", "Ints",
    "Kernel", "Legacy", "MetricName", "Network", "Normalisation", "ObjectGrid", "Plan", "Sides",
    "sample_channels",
]  # fmt: skip


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
    corrections: whether the network sees clicks that correct its result, in channels of their own.
    second_look: whether such a network is asked about a prompt twice, the second time with its
        points as positive clicks on what it has found, and the two answers averaged.
    extent_prior: what an answer gives way to of what the points tell; None: it stands as it is.
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
    corrections: bool = False
    second_look: bool = False
    extent_prior: ExtentPrior | None = None

    __pydantic_config__: ClassVar[Any] = STRICT

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
        if self.legacy is not None and self.corrections:
            raise ValueError("legacy knows no corrections")
        if self.legacy is not None and self.extent_prior is not None:
            raise ValueError("legacy knows no extent_prior")
        if self.second_look and not self.corrections:
            raise ValueError("second_look needs a network that sees corrections")
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
        """Channels of a sample: one per modality, the maps of the points, those of corrections."""
        return sample_channels(self.modalities, self.encoding, corrections=self.corrections)

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

    @property
    def weights_digest(self) -> str:
        """SHA-256 of what the weights depend on: how they are asked may be decided later."""
        return replace(self, second_look=False, extent_prior=None).digest

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON data, schema version included."""
        return {"schema_version": SCHEMA_VERSION, "plan": self._fields()}

    def _fields(self) -> dict[str, Any]:
        # plans from before these fields stay what they are
        unset = {"legacy": None, "grid": None, "corrections": False, "second_look": False,
                 "extent_prior": None}  # fmt: skip
        fields = asdict(self).items()
        return {name: value for name, value in fields if name not in unset or value != unset[name]}

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
