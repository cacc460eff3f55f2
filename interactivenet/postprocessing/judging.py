"""Whether a segmented object can be believed: how it is told, and when no Dice is expected of it.

An expected Dice is a number of cross-validation's. It is given only where what cross-validation
measured can hold: the training set is known, the object is like its objects, the predictions agree
as they did there, and the mask is that of its points. Everything else is to be looked at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.components import bounding_box, label_components
from interactivenet.postprocessing.calibration import Calibration

Mask = NDArray[np.bool_]
_NONE: NDArray[np.intp] = np.empty((0, 3), np.intp)
#: begins what says that an object is not like those of training
UNLIKE = "unlike the training data"
#: of a mask that holds fewer of its points than this share no Dice is expected
_HELD = 0.5
#: a network that finds so much beyond the extremes is to be looked at first: of 24 sarcomas that
#: it never saw, the starter found as much on 4 in MR and 5 in CT, with a mean Dice of 0.83 and 0.79
#: where the others had 0.86 and 0.81; folds that were trained on them, on none
BEYOND = 0.1


@dataclass(frozen=True)
class HeldPoints:
    """How a mask and the points that it was made from go together.

    points: how many points there are; inside: how many of them the mask holds.
    components: of the mask, 26-connected; untouched: those that no point lies in.
    """

    points: int
    inside: int
    components: int
    untouched: int

    @property
    def too_few(self) -> bool:
        """Whether the mask holds fewer than all but one of them, or not the only one."""
        return self.inside < max(1, self.points - 1)


@dataclass(frozen=True)
class Judgement:
    """What is expected of an object, and why a person should look at it first.

    needs_review: None where nothing speaks for it and nothing is known against it.
    """

    expected_dice: float | None
    needs_review: bool | None
    reasons: tuple[str, ...] = ()


def hold_points(
    mask: Mask, points: NDArray[np.intp], touching: NDArray[np.intp] = _NONE
) -> HeldPoints:
    """Count the points (N, 3), voxels, that lie in a mask (X, Y, Z), and its components.

    touching: (M, 3) further voxels, which are not counted, but touch components as well.
    """
    held = _inside(mask, points)
    box = bounding_box(mask)
    if box is None:
        return HeldPoints(len(points), 0, 0, 0)
    numbers, count = label_components(mask[box])
    every = np.concatenate([held, _inside(mask, touching)])
    touched = np.unique(numbers[tuple((every - [side.start for side in box]).T)])
    return HeldPoints(len(points), len(held), count, count - len(touched))


def _inside(mask: Mask, points: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return those of the points (N, 3) that lie in the mask."""
    held = points[((points >= 0) & (points < mask.shape)).all(axis=1)]
    return np.asarray(held[mask[tuple(held.T)]])


def extent_doubts(beyond: float) -> list[str]:
    """Say where much of what networks found, a share, was left out beyond the object's extremes."""
    if beyond < BEYOND:
        return []
    return [
        f"{beyond:.0%} of what was found lay beyond the extremes that its points tell, and was left"
        " out: does each point lie just inside an extreme?"
    ]


def judge(
    agreement: float,
    held: HeldPoints,
    calibration: Calibration | None,
    unlike: Sequence[str] | None,
    doubts: Sequence[str] = (),
) -> Judgement:
    """Judge an object by what is known without its label.

    unlike: in what it differs from the training set; None where that is not known.
    doubts: about where its points lie.
    """
    reasons = [*doubts, *(f"{UNLIKE}: {difference}" for difference in unlike or ())]
    if not held.components:
        reasons.insert(0, "nothing was found: its mask is empty")
    elif held.too_few:
        reasons.insert(0, f"its mask holds {held.inside} of its {held.points} points")
    covered = calibration is not None and calibration.covers(agreement)
    if calibration is not None and held.components:
        if not covered:
            low, high = calibration.agreement[0], calibration.agreement[-1]
            reasons.append(
                f"{UNLIKE}: the networks' predictions agree by {agreement:.3f}, in"
                f" cross-validation by {low:.3f} to {high:.3f}"
            )
        elif calibration.needs_review(agreement):
            reasons.append(
                "the networks' predictions agree less than those of four fifths of the objects in"
                " cross-validation"
            )
    expected = None
    if (
        calibration is not None
        and covered
        and unlike is not None
        and not unlike
        and held.components
        and held.inside >= _HELD * held.points
    ):
        expected = calibration.expected(agreement)
    review: bool | None = True
    if not reasons:
        known = calibration is not None and unlike is not None
        review = calibration.needs_review(agreement) if known and calibration else None
    return Judgement(expected, review, tuple(reasons))
