"""What a model's training set looks like, and whether a new object looks like it.

A model knows nothing of objects, voxels and values that it has never seen; what cross-validation
has measured holds for those that it has. So the smallest and the largest of each measure are kept,
and a new object has to lie between them, widened: by half of their distance on either side, by a
floor at least, and by more where few cases were seen (:func:`widened`). Nothing names a case.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from interactivenet.datasets.image_checks import dicom_modality
from interactivenet.planning.appearance import Appearance, measure_appearance
from interactivenet.prompts.prompt import Prompt, points_box

if TYPE_CHECKING:
    from interactivenet.imaging.volume import Volume
    from interactivenet.planning.fingerprint import CaseFacts

Range = tuple[float, float]
#: of the distance between the smallest and the largest, what is added on either side
SHARE = 0.5
#: with so many cases the margins are doubled; with more they come down to themselves
FEW = 5.0
#: margins are at least a factor of this: of lengths, of volumes, and of how far values spread
LENGTH, VOLUME, SPREAD = 1.5, 2.0, 3.0
#: and at least so many Hounsfield units, or standard deviations of the values around
HOUNSFIELD, DEVIATIONS = 100.0, 1.0
#: values below zero by more than this share of their spread are no rounding
_NEGATIVE = 0.05
#: orders of channels are tried of this many at most
_MOST_CHANNELS = 5
_STRICT: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


@dataclass(frozen=True)
class ChannelRanges:
    """Smallest and largest of each measure of :class:`Appearance` over the training objects."""

    modality: str
    inside: tuple[Range, Range, Range]
    around: tuple[Range, Range, Range]
    spread: Range
    contrast: Range

    __pydantic_config__: ClassVar[Any] = _STRICT

    @staticmethod
    def of(modality: str, seen: Sequence[Appearance]) -> ChannelRanges:
        """Collect what a channel looked like."""
        inside, around = (
            tuple(_range([getattr(look, part)[i] for look in seen]) for i in range(3))
            for part in ("inside", "around")
        )
        return ChannelRanges(
            modality, inside, around,  # type: ignore[arg-type]
            _range([look.spread for look in seen]), _range([look.contrast for look in seen]),
        )  # fmt: skip

    def unlike(self, look: Appearance, cases: int) -> str:
        """Say in what values differ from those of training; '' where they do not.

        CT is the same in every scan; the scale of anything else is arbitrary, so that only its sign
        and its contrast count.  cases: how many the ranges are from.
        """
        if look.spread == 0 and self.spread[0] > 0:
            return f"{self.modality} has one value only, {look.inside[1]:.4g}, near the points"
        if dicom_modality(self.modality) == "CT":
            inside = look.inside[1]
            if not _within(inside, self.inside[1], HOUNSFIELD, cases):
                return (
                    f"{self.modality} has a median of {inside:.4g} between the points, there"
                    f" {_text(self.inside[1])} (not in Hounsfield units?)"
                )
            if not _within(look.spread, self.spread, SPREAD, cases, math.log):
                return (
                    f"{self.modality} reaches over {look.spread:.4g} around the points, there over"
                    f" {_text(self.spread)} (not in Hounsfield units?)"
                )
            if look.around[0] >= 0 and self.around[0][1] < 0:
                return (
                    f"{self.modality} has hardly a value below 0 around the points, there the"
                    f" lowest are {_text(self.around[0])} (not in Hounsfield units?)"
                )
            return ""
        if self.around[0][0] >= 0 and look.around[0] < -_NEGATIVE * look.spread:
            return f"{self.modality} has values below 0 ({look.around[0]:.4g}), there it has none"
        if not _within(look.contrast, self.contrast, DEVIATIONS, cases):
            return (
                f"{self.modality} between the points is {look.contrast:+.2g} standard deviations"
                f" off its surroundings, there {_text(self.contrast, '+.2g')}"
            )
        return ""


@dataclass(frozen=True)
class TrainingSet:
    """The smallest and the largest of what training has seen; lengths in mm along R, A, S.

    points: of an object.  spacing_mm: of the scans.  box_mm, box_ml: of the points' box.
    channels: one per modality.
    """

    cases: int
    objects: int
    points: tuple[int, int]
    spacing_mm: tuple[Range, Range, Range]
    box_mm: tuple[Range, Range, Range]
    box_ml: Range
    channels: tuple[ChannelRanges, ...]

    __pydantic_config__: ClassVar[Any] = _STRICT

    def __post_init__(self) -> None:
        if self.cases < 1:
            raise ValueError(f"cases must be 1 or more, got {self.cases}")
        of_channels = [
            seen
            for channel in self.channels
            for seen in (*channel.inside, *channel.around, channel.spread, channel.contrast)
        ]
        for low, high in (self.points, *self.spacing_mm, *self.box_mm, self.box_ml, *of_channels):
            if low > high:
                raise ValueError(f"ranges must go from low to high, got {low} to {high}")

    @staticmethod
    def of(cases: Sequence[CaseFacts], modalities: Sequence[str]) -> TrainingSet:
        """Collect what was measured on cases; there is at least one, with an object."""
        prompts = [prompt for case in cases for prompt in case.prompts]
        counts = [prompt.points for prompt in prompts]
        return TrainingSet(
            cases=len(cases),
            objects=len(prompts),
            points=(min(counts), max(counts)),
            spacing_mm=_ranges([case.spacing for case in cases]),
            box_mm=_ranges([prompt.box_mm for prompt in prompts]),
            box_ml=_range([math.prod(prompt.box_mm) / 1000 for prompt in prompts]),
            channels=tuple(
                ChannelRanges.of(name, [prompt.appearance[index] for prompt in prompts])
                for index, name in enumerate(modalities)
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return content

    def unlike(self, image: Volume, prompt: Prompt) -> tuple[str, ...]:
        """Say in what an object's points, voxels and values differ from all that was seen.

        Returns a phrase for each difference, none for an object like those. Raises DataError where
        a point lies outside the image.
        """
        low, high = points_box(prompt, image.grid)
        sides = ((high - low) * np.array(image.spacing)).tolist()
        looks = measure_appearance(image, prompt)
        return self.differences(len(prompt.points), image.spacing, sides, looks)

    def differences(
        self,
        points: int,
        spacing: Sequence[float],
        sides: Sequence[float],
        looks: Sequence[Appearance],
    ) -> tuple[str, ...]:
        """The same for what was measured: number of points, voxels and box in mm, and values."""
        reasons = []
        if not self.points[0] <= points <= self.points[1]:
            number = "1 point" if points == 1 else f"{points} points"
            fewest, most = self.points
            reasons.append(f"{number}, there {fewest if fewest == most else f'{fewest} to {most}'}")
        if not self._lengths_within(spacing, self.spacing_mm):
            reasons.append(
                f"voxels of {_times(spacing)} mm (R, A, S), there {_spans(self.spacing_mm)}"
            )
        volume = math.prod(sides) / 1000
        if not self._lengths_within(sides, self.box_mm):
            reasons.append(
                f"the points' box is {_times(sides)} mm (R, A, S), there {_spans(self.box_mm)}"
            )
        elif not _within(volume, self.box_ml, VOLUME, self.cases, math.log):
            reasons.append(f"the points' box has {volume:.3g} ml, there {_text(self.box_ml)}")
        texts = [
            channel.unlike(look, self.cases)
            for channel, look in zip(self.channels, looks, strict=True)
        ]
        return (*reasons, *(text for text in texts if text))

    def likely_order(self, image: Volume, prompts: Sequence[Prompt]) -> tuple[str, ...]:
        """Return which modality each channel looks like, where another order alone fits; else ().

        Channels that look alike, such as several of MR, cannot be told apart.
        """
        count = len(self.channels)
        if not 1 < count <= _MOST_CHANNELS or not prompts:
            return ()
        looks = [measure_appearance(image, prompt) for prompt in prompts]

        def fits(order: Sequence[int]) -> bool:
            return not any(
                self.channels[place].unlike(look[index], self.cases)
                for look in looks
                for index, place in enumerate(order)
            )

        if fits(range(count)):
            return ()
        fitting = [order for order in permutations(range(count)) if fits(order)]
        if len(fitting) != 1:
            return ()
        return tuple(self.channels[place].modality for place in fitting[0])

    def _lengths_within(self, lengths: Sequence[float], seen: tuple[Range, Range, Range]) -> bool:
        return all(
            _within(length, one, LENGTH, self.cases, math.log)
            for length, one in zip(lengths, seen, strict=True)
        )


def widened(seen: Range, floor: float, cases: int) -> Range:
    """Widen the smallest and the largest of what so many cases have shown.

    floor: the least that is added on either side. With few cases more is added: the next case of
    the same kind easily lies beyond the smallest and the largest of three.
    """
    margin = max(floor, SHARE * (seen[1] - seen[0])) * (1 + FEW / cases)
    return seen[0] - margin, seen[1] + margin


def _within(
    value: float,
    seen: Range,
    floor: float,
    cases: int,
    scale: Callable[[float], float] | None = None,
) -> bool:
    """Whether a value lies in a widened range; floor: a factor where the scale is a logarithm."""
    if scale is not None:
        tiny = 1e-12
        value, floor = scale(max(value, tiny)), scale(floor)
        seen = scale(max(seen[0], tiny)), scale(max(seen[1], tiny))
    low, high = widened(seen, floor, cases)
    return low <= value <= high


def _range(values: Sequence[float]) -> Range:
    return float(min(values)), float(max(values))


def _ranges(triples: Sequence[Sequence[float]]) -> tuple[Range, Range, Range]:
    x, y, z = (_range([triple[axis] for triple in triples]) for axis in range(3))
    return x, y, z


def _times(values: Sequence[float]) -> str:
    return " x ".join(f"{value:.3g}" for value in values)


def _text(seen: Range, form: str = ".4g") -> str:
    low, high = (format(value, form) for value in seen)
    return low if low == high else f"{low} to {high}"


def _spans(seen: tuple[Range, Range, Range]) -> str:
    """Write three ranges: 'A x B x C to D x E x F', or once where they are one."""
    low, high = (_times([one[side] for one in seen]) for side in (0, 1))
    return low if low == high else f"{low} to {high}"
