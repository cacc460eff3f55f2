"""How far a segmentation can be trusted: an expected Dice for every object.

A network's predictions of the mirrored sample, its members, are averaged; where they disagree,
and where each is in doubt, the mean probability is neither 0 nor 1. *Agreement* is the
Dice that the mask would have on the mean if these probabilities were true (the soft Dice of the
mean with its own mask). It is taken of each network and then averaged, so it means the same for
one fold, which is all that cross-validation has for a case, and for five. Networks are
overconfident; what an agreement is worth is learned from the cross-validation predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Kind = Literal["constant", "linear", "isotonic"]

#: objects whose agreement is in the lowest fifth of the cross-validation's are flagged: a person
#: should look at them first; objects whose Dice is in the lowest fifth are those that should be
FLAGGED = 0.2
#: with fewer objects no curve is fitted, and nothing is flagged
FEWEST = 10
#: parts of the cases that are left out in turn; up to so many cases, each is a part of its own
_PARTS, _ONE_BY_ONE = 10, 50
#: agreements are learned over a range; below it nothing is known; above it, by this share of its
#: width (of the logarithm of the disagreement) or this factor, whichever is more; by more with few
BEYOND, BEYOND_FACTOR, FEW = 0.5, 1.5, 5.0
#: disagreements below this are alike
_ALIKE = 1e-3
#: a richer curve is chosen where its mean squared error is lower than this share of a simpler's
_BETTER = 0.98


def agreement(probability: ArrayLike, threshold: float = 0.5) -> float:
    """Return the soft Dice (0 to 1) of a mean probability (X, Y, Z) with its own mask.

    0 where the mask is empty: nothing was found.
    """
    mean = np.asarray(probability, dtype=np.float32)
    mask = mean >= threshold
    count = int(np.count_nonzero(mask))
    if not count:
        return 0.0
    total = float(mean.sum(dtype=np.float64))
    return 2 * float(mean[mask].sum(dtype=np.float64)) / (count + total)


@dataclass(frozen=True)
class Calibration:
    """What an agreement is worth: learned from cross-validation predictions.

    agreement, dice: (K,) knots of the curve, linear between them and flat beyond; the first and the
        last are the lowest and the highest agreement that it was learned from.
    threshold: objects that agree less are flagged; None for no flags.
    poor_below: the Dice below which an object counts as poor: the lowest fifth.
    hit_rate: share of the flagged objects that are poor; sensitivity: share of the poor that are
        flagged; chance: share of all that are poor.  error: mean absolute error of the expected
        Dice, error_constant: that of expecting the mean. All on cases that the curve and the
        threshold had not seen.
    objects, cases: how many it was learned from.
    """

    kind: Kind
    agreement: tuple[float, ...]
    dice: tuple[float, ...]
    threshold: float | None
    poor_below: float
    hit_rate: float | None
    sensitivity: float | None
    chance: float | None
    error: float
    error_constant: float
    objects: int
    cases: int

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        rising = all(a <= b for a, b in zip(self.agreement, self.agreement[1:], strict=False))
        if not self.agreement or len(self.agreement) != len(self.dice) or not rising:
            raise ValueError("agreement and dice must be knots of one rising curve")

    def expected(self, agreement: float) -> float:
        """Return the expected Dice of an object."""
        return float(np.interp(agreement, self.agreement, self.dice))

    def covers(self, agreement: float) -> bool:
        """Whether cross-validation has seen agreements like this one."""
        if len(self.agreement) == 1:  # a constant, of a version that did not keep its range
            return True
        if agreement < self.agreement[0]:  # worse than the worst that was measured
            return False
        low, high, asked = (
            float(np.log(max(1 - value, _ALIKE)))
            for value in (self.agreement[-1], self.agreement[0], agreement)
        )
        margin = max(float(np.log(BEYOND_FACTOR)), BEYOND * (high - low))
        margin *= 1 + FEW / max(self.cases, 1)
        return low - margin <= asked

    def needs_review(self, agreement: float) -> bool | None:
        """Whether a person should look at an object first; None where there are no flags."""
        return None if self.threshold is None else bool(agreement < self.threshold)


def calibrate(
    agreements: Sequence[float], dices: Sequence[float], cases: Sequence[str]
) -> Calibration | None:
    """Learn what agreements are worth; each (N,), of one object; None where N is 0.

    Of a constant, a line and an isotonic curve (scikit-learn), the simplest is taken that is about
    as good as the best on cases left out. Few objects give a constant and no flags.
    """
    if not len(agreements):
        return None
    x, y = np.array(agreements, dtype=np.float64), np.array(dices, dtype=np.float64)
    groups = np.array(cases)
    fits: dict[Kind, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {"constant": _constant}
    if len(x) >= FEWEST and len(set(cases)) >= 3 and np.ptp(x) > 0:
        fits |= {"linear": _linear, "isotonic": _isotonic}
    errors = {kind: _left_out(fit, x, y, groups) - y for kind, fit in fits.items()}
    squares = {kind: float((error**2).mean()) for kind, error in errors.items()}
    best = min(squares.values())
    kind = next(kind for kind, square in squares.items() if square * _BETTER <= best)
    knots = fits[kind](x, y)
    poor_below = float(np.quantile(y, FLAGGED))
    threshold, hit_rate, sensitivity, chance = None, None, None, None
    if len(fits) > 1:
        threshold = float(np.quantile(x, FLAGGED))
        hit_rate, sensitivity, chance = _flag_rates(x, y, groups, poor_below)
    return Calibration(
        kind=kind, agreement=tuple(knots[0].tolist()), dice=tuple(knots[1].tolist()),
        threshold=threshold, poor_below=poor_below, hit_rate=hit_rate, sensitivity=sensitivity,
        chance=chance, error=float(np.abs(errors[kind]).mean()),
        error_constant=float(np.abs(errors["constant"]).mean()),
        objects=len(x), cases=len(set(cases)),
    )  # fmt: skip


def left_out(
    calibration: Calibration,
    agreements: Sequence[float],
    dices: Sequence[float],
    cases: Sequence[str],
) -> Floats:
    """Expected Dice (N,) of objects by curves of the calibration's kind that never saw them."""
    fit = {"constant": _constant, "linear": _linear, "isotonic": _isotonic}[calibration.kind]
    return _left_out(fit, np.array(agreements), np.array(dices), np.array(cases))


def _constant(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return np.array([x.min(), x.max()]), np.full(2, y.mean())


def _linear(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LinearRegression

    if not np.ptp(x) > 0:
        return _constant(x, y)
    line = LinearRegression(positive=True).fit(x[:, None], y)
    ends = np.array([x.min(), x.max()])
    return ends, np.asarray(line.predict(ends[:, None]).clip(0, 1), dtype=np.float64)


def _isotonic(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(x, y)
    return np.asarray(curve.X_thresholds_), np.asarray(curve.y_thresholds_)


def _parts(groups: NDArray[np.str_]) -> Iterator[NDArray[np.bool_]]:
    """Yield masks (N,) of the objects to leave out: one case at a time, or a tenth of many."""
    names = np.unique(groups)
    count = len(names) if len(names) <= _ONE_BY_ONE else _PARTS
    for first in range(count):
        yield np.isin(groups, names[first::count])


def _left_out(
    fit: Callable[[Floats, Floats], tuple[Floats, Floats]],
    x: Floats,
    y: Floats,
    groups: NDArray[np.str_],
) -> Floats:
    expected = np.full(len(x), y.mean())
    for part in _parts(groups):
        if not part.all():
            expected[part] = np.interp(x[part], *fit(x[~part], y[~part]))
    return expected


def _flag_rates(
    x: Floats, y: Floats, groups: NDArray[np.str_], poor_below: float
) -> tuple[float | None, float | None, float]:
    flagged = np.zeros(len(x), bool)
    for part in _parts(groups):
        flagged[part] = x[part] < np.quantile(x[~part], FLAGGED)
    poor = y < poor_below
    both = int((flagged & poor).sum())
    return (
        both / int(flagged.sum()) if flagged.any() else None,
        both / int(poor.sum()) if poor.any() else None,
        float(poor.mean()),
    )
