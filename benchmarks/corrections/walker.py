"""The screened random walker: the other way to heed clicks without a network that sees them.

p' = p + d, where (L + gamma) d = 0 but at clicks, where d brings p to their side; L is the
Laplacian of the voxels' lattice, whose edges weigh exp(-beta dI^2 - mu dp^2). Clicks spread within
what looks alike, and stop at edges (Grady, Random walks for image segmentation, IEEE TPAMI 2006,
doi 10.1109/TPAMI.2006.233, with a term that fades with the distance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

from interactivenet.datasets.case import Scan
from interactivenet.imaging.geometry import box
from interactivenet.inference.predictor import Predictor
from interactivenet.postprocessing.merging import (
    THRESHOLD,
    PromptProbability,
    Segmentation,
    average,
    merge,
)
from interactivenet.prompts.prompt import Prompt

#: of differences of the image, in its standard deviations; of the probability
BETA, MU = 1.0, 1.0
#: how far a click is felt, mm, and at least so many voxels; what is solved, and at most, voxels
LENGTH_MM, LEAST_VOXELS, REACH, MOST_VOXELS = 2.0, 2, 3.0, 45
#: that one voxel more weighs however different it is: all voxels hang together
_LEAST_WEIGHT = 1e-6


@dataclass
class WalkerSession:
    """A session whose clicks are heeded by the walker, one after the other.

    deep: a click is a ball that reaches to the outline, and is felt as far again; else a voxel.
    """

    predictor: Predictor
    scan: Scan
    deep: bool = False

    def segment(self, points: Sequence[Prompt], /) -> Segmentation:
        """Segment as any session does, and keep the probability."""
        prepared = self.predictor.prepare(self.scan, points)
        claims = self.predictor.claims(prepared, self.predictor.answer(prepared))
        self._claims = [average(of_prompt) for of_prompt in claims]
        self._clicks: list[tuple[tuple[int, ...], bool]] = []
        return merge(self._claims, self.scan.image.source)

    def correct(
        self,
        *,
        positive: NDArray[np.float64] | None = None,
        negative: NDArray[np.float64] | None = None,
        instance: int = 1,
    ) -> Segmentation:
        """Correct an object by one click."""
        claim = self._claims[instance - 1]
        points = negative if positive is None else positive
        assert points is not None
        voxel = self.scan.image.grid.nearest_voxel(points)[0] - claim.start
        if ((voxel >= 0) & (voxel < claim.probability.shape)).all():
            click = tuple(voxel.tolist()), positive is not None
            self._claims[instance - 1] = self._walked(claim, *click)
            self._clicks.append(click)
        return merge(self._claims, self.scan.image.source)

    def _walked(
        self, claim: PromptProbability, voxel: tuple[int, ...], positive: bool
    ) -> PromptProbability:
        region = box(claim.start, np.array(claim.start) + claim.probability.shape)
        image = self.scan.image.array[region].astype(np.float64)
        image /= image.std(axis=(1, 2, 3), keepdims=True) + 1e-9
        probability = claim.probability.astype(np.float64)
        spacing = np.array(self.scan.image.grid.spacing)
        ball, length = float(spacing.min()), max(LENGTH_MM, LEAST_VOXELS * float(spacing.min()))
        if self.deep:
            other = np.argwhere((probability >= THRESHOLD) == positive)
            away = np.linalg.norm((other - voxel) * spacing, axis=1).min(initial=np.inf)
            ball = length = max(float(away) if np.isfinite(away) else 0.0, ball)
        margin = np.ceil((ball + REACH * length) / spacing).astype(int).clip(max=MOST_VOXELS)
        start = np.maximum(np.array(voxel) - margin, 0)
        part = box(start, np.array(voxel) + margin + 1)
        pins = [tuple(np.subtract(place, start)) for place, _ in self._clicks]
        probability[part] = walk(
            probability[part], image[part], tuple(np.subtract(voxel, start)), positive, spacing,
            ball, length, pins,
        )  # fmt: skip
        return replace(claim, probability=probability.astype(np.float16))


def walk(
    probability: NDArray[Any],
    image: NDArray[Any],
    voxel: tuple[int, ...],
    positive: bool,
    spacing: NDArray[np.float64],
    ball_mm: float,
    length: float,
    pins: Sequence[tuple[int, ...]] = (),
) -> NDArray[Any]:
    """Return a probability (X, Y, Z) after a click; image: (C, X, Y, Z); pins: earlier clicks."""
    shape = probability.shape
    fixed = np.zeros(shape, bool)
    for pin in pins:
        if all(0 <= index < n for index, n in zip(pin, shape, strict=True)):
            fixed[pin] = True
    ball = np.linalg.norm((np.indices(shape).T - np.array(voxel)).T
                          * spacing[:, None, None, None], axis=0) <= ball_mm  # fmt: skip
    ball[voxel] = True
    change = np.where(ball, positive - probability, 0.0).ravel()
    fixed |= ball
    index = np.arange(fixed.size).reshape(shape)
    first, second, weights = [], [], []
    channels = (slice(None),)
    for axis in range(3):
        low, high = (
            tuple([cut if axis == other else slice(None) for other in range(3)])
            for cut in (slice(None, -1), slice(1, None))
        )
        contrast = ((image[channels + low] - image[channels + high]) ** 2).mean(axis=0)
        doubt = (probability[low] - probability[high]) ** 2
        weight = np.exp(-BETA * contrast - MU * doubt) / spacing[axis] ** 2 + _LEAST_WEIGHT
        first.append(index[low].ravel())
        second.append(index[high].ravel())
        weights.append(weight.ravel())
    rows, columns, values = map(np.concatenate, (first, second, weights))
    lattice = sparse.coo_array(
        (np.tile(values, 2), (np.r_[rows, columns], np.r_[columns, rows])), (index.size,) * 2
    ).tocsr()
    system = sparse.diags_array(lattice.sum(axis=1) + length**-2).tocsr() - lattice
    free, known = np.flatnonzero(~fixed.ravel()), np.flatnonzero(fixed.ravel())
    right = -(system[free][:, known] @ change[known])
    inner = system[free][:, free]
    change[free], _ = cg(inner, right, rtol=1e-4, M=sparse.diags_array(1 / inner.diagonal()))
    sign = 1.0 if positive else -1.0
    change = sign * (sign * change).clip(0)
    return np.asarray((probability + change.reshape(shape)).clip(0, 1))
