"""Mirrored copies of a sample: the order in which they are asked, and when there are enough.

Copies come in pairs of opposites. After two and after four, the mean of one half of those asked is
compared with the mean of the other: where the two masks agree so well that the copies that are left
could hardly change their mean's, these need not be asked. What that costs is measured by
``benchmarks/fewer_copies.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from interactivenet.imaging.geometry import Box
from interactivenet.inference.rules import InferenceRules
from interactivenet.postprocessing.calibration import agreement
from interactivenet.postprocessing.merging import THRESHOLD

#: the axes along which each copy is mirrored: the first two, and the first four, hold every axis
#: mirrored in half of them
FLIPS = tuple(
    (x == "1", y == "1", z == "1")
    for x, y, z in ("000", "111", "011", "100", "101", "010", "110", "001")
)
#: numbers of copies after which no more are asked -> the least Dice of their halves' masks
ENOUGH = {2: 0.97, 4: 0.97}


class RunningMean:
    """The mean score of a network over the copies of a sample that were asked so far.

    inside: where the sample is in the scores (X, Y, Z).
    single: how sure the first copy alone is.  enough: how many copies are enough, once that is
    known, and agreed: how far those agree, see :mod:`interactivenet.postprocessing.calibration`.
    """

    def __init__(self, rules: InferenceRules, inside: Box) -> None:
        self._rules, self._inside = rules, inside
        self._total: Tensor | None = None
        self._half: Tensor | None = None  # the total when half as many were asked
        self.count, self.enough = 0, 0
        self.single = self.agreed = 0.0

    def add(self, score: Tensor) -> None:
        """Add the score (X, Y, Z) of the next copy, mirrored back."""
        self._total = score.clone() if self._total is None else self._total.add_(score)
        self.count += 1
        if self.count == 1:
            self.single = agreement(self._probability(self._total), THRESHOLD)
        if self.count in ENOUGH and not self.enough:
            assert self._half is not None
            one, other = (
                self._probability(total / (self.count // 2)) >= THRESHOLD
                for total in (self._half, self._total - self._half)
            )
            if _dice(one, other) >= ENOUGH[self.count]:
                self._end()
        if not self.enough and 2 * self.count in ENOUGH:
            self._half = self._total.clone()

    def finish(self) -> tuple[NDArray[np.float32], float]:
        """Return the mean score on the sample's grid, and how far all that were asked agree."""
        mean = self._mean()
        agreed = agreement(self._rules.probability(mean), THRESHOLD)
        if not self.enough:
            self.enough, self.agreed = self.count, agreed
        return mean, agreed

    def _end(self) -> None:
        self.enough = self.count
        self.agreed = agreement(self._rules.probability(self._mean()), THRESHOLD)
        self._half = None

    def _mean(self) -> NDArray[np.float32]:
        assert self._total is not None
        return np.asarray((self._total / self.count)[self._inside].cpu().numpy())

    def _probability(self, score: Tensor) -> NDArray[np.float32]:
        return self._rules.probability(score[self._inside].cpu().numpy())


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the Dice of two masks; 0 where both are empty: an object is somewhere."""
    both = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / both if both else 0.0
