"""Which encoding a plan uses: plain fields, so that they can be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["geodesic", "euclidean", "gaussian"]
Kernel = Literal["exact", "scan", "geodistk"]
MetricName = Literal["geodistk", "gradient"]


@dataclass(frozen=True)
class Encoding:
    """How the points of a prompt become an image channel with values in [0, 1].

    kind: "geodesic" exp(-G), G the geodesic distance from the points; "euclidean"
        exp(-d / sigma), "gaussian" exp(-d^2 / (2 sigma^2)), d the distance from the nearest
        point in mm.
    sigma_mm: the sigma of the latter two.

    The other fields belong to "geodesic" and are those of
    :func:`interactivenet.encoding.geodesic_distance`.
    """

    kind: Kind = "geodesic"
    kernel: Kernel = "exact"
    metric: MetricName = "geodistk"
    lamb: float = 1.0
    iterations: int = 4
    bound: float | None = None
    weight: float = 0.95
    contrast: float = 1.0
    sigma_mm: float = 10.0
