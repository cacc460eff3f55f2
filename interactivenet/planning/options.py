"""What a user asks of a plan."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from interactivenet.errors import UNKNOWN, RequestError
from interactivenet.planning.architecture import PRESETS
from interactivenet.planning.plan import Encoding, Floats

#: the encoding and whether the ellipsoid is drawn: benchmarks/results/encodings_*.md say why
ENCODING, EXTENT = "gradient", True
#: target grids: chosen by rule, the object's own, or one spacing for all
GRIDS = ("auto", "object", "spacing")
#: an object grid has so many voxels along each axis, a multiple of the first: what five stages
#: divide by; fewer than 32 leave a bottleneck of one voxel, and more than 128 were never tried
VOXELS_STEP, FEWEST_VOXELS, MOST_VOXELS = 16, 32, 128
#: what the plan that another one shall be like decides in place of these
_DECIDED_BY_LIKE = ("grid", "grid_voxels", "preset", "spacing", "encoding", "relax")


@dataclass(frozen=True)
class PlanningOptions:
    """What the user asks of a plan.

    Args:
        seed: Of the splits and of everything random in training; 0 or more.
        relax: At least this fraction of the points' box is added on every side.
        memory_gb: Memory that one training step may take, GB.
        preset: Size of the network: 'tiny', 'small', 'default' or 'large'.
        spacing: Of the target grid, mm along R, A, S; None to choose it from the data.
        encoding: How points become maps, see :func:`encoding_named`.
        grid: 'object': every object on a grid of its own, of the same number of voxels whatever
            its size; 'spacing': all on grids of one spacing; 'auto': by rule.
        grid_voxels: Of an object grid along each axis, from 32 to 128 by 16; None to choose them
            by preset and memory.
        like: A model ('starter', the name of an installed one, or the folder or zip of a bundle):
            its network, grid, encoding, margins and kinds of normalisation are taken, so that
            training can begin with its weights. None for none.
        corrections: The network learns to see clicks that correct its result, whether or not that
            of ``like`` does.

    Raises:
        RequestError: A value is out of its range, or two of them contradict each other.
    """

    seed: int = 0
    relax: float = 0.1
    memory_gb: float = 8.0
    preset: str = "default"
    spacing: Floats | None = None
    encoding: Encoding = field(default_factory=lambda: encoding_named(ENCODING, extent=EXTENT))
    grid: str = "auto"
    grid_voxels: int | None = None
    like: Path | str | None = None
    corrections: bool = False

    def __post_init__(self) -> None:
        spacing = self.spacing or ()
        rules = {
            "preset": (self.preset in PRESETS, f"one of {', '.join(PRESETS)}"),
            "spacing": (all(0 < mm < math.inf for mm in spacing), "three lengths above 0, mm"),
            "relax": (0 <= self.relax < 10, "a fraction from 0 to 10"),
            "memory_gb": (0 < self.memory_gb < math.inf, "a number above 0"),
            "seed": (0 <= self.seed < 2**32, f"0 to {2**32 - 1}"),
            "grid": (self.grid in GRIDS, f"one of {', '.join(GRIDS)}"),
            "grid_voxels": (
                self.grid_voxels is None
                or self.grid_voxels in range(FEWEST_VOXELS, MOST_VOXELS + 1, VOXELS_STEP),
                f"a multiple of {VOXELS_STEP} from {FEWEST_VOXELS} to {MOST_VOXELS}",
            ),
        }
        for name, (fits, expected) in rules.items():
            if not fits:
                raise RequestError(field=name, value=getattr(self, name), expected=expected)
        self._check_together()

    def _check_together(self) -> None:
        """Raise RequestError where one option leaves another without a meaning."""
        if self.like is not None:
            for name in _DECIDED_BY_LIKE:
                if getattr(self, name) != getattr(PlanningOptions(), name):
                    self._refuse(name, "is decided by the model that `like` names")
        if self.grid == "object" and self.spacing is not None:
            self._refuse("spacing", "says nothing where each object has a grid of its own")
        if self.grid_voxels is not None and (self.grid == "spacing" or self.spacing is not None):
            self._refuse("grid_voxels", "says nothing about a grid of one spacing")

    def _refuse(self, name: str, reason: str) -> None:
        value = UNKNOWN if name == "encoding" else getattr(self, name)
        raise RequestError(reason, field=name, value=value, remedy="leave one of the two out")


def encoding_named(name: str, *, extent: bool = False) -> Encoding:
    """Return an encoding by its short name; extent: with the ellipsoid as a second map.

    exact, scan, geodistk: the kernel, with GeodisTK's metric; gradient: the exact kernel with
    that metric; euclidean, gaussian: without the image; none: an empty map. Raises RequestError
    for another name.
    """
    encodings = {
        "exact": Encoding(),
        "scan": Encoding(kernel="scan"),
        "geodistk": Encoding(kernel="geodistk"),
        "gradient": Encoding(metric="gradient"),
        "euclidean": Encoding(kind="euclidean"),
        "gaussian": Encoding(kind="gaussian"),
        "none": Encoding(kind="none"),
    }
    if name not in encodings:
        raise RequestError(field="encoding", value=name, expected=f"one of {', '.join(encodings)}")
    if name == "geodistk" and find_spec("GeodisTK") is None:
        raise RequestError(
            "needs the library GeodisTK, which is not installed", field="encoding", value=name,
            remedy="choose 'scan', which gives the same maps",
        )  # fmt: skip
    return replace(encodings[name], extent=extent)
