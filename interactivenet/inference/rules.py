"""The rules by which a network is asked: those of today, or those of the original program.

Weights answer to what they were trained on. Which rules a plan's weights need is decided once, by
:func:`rules_for`; nothing else asks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.imaging.geometry import Box, box
from interactivenet.inference.reading import read_case
from interactivenet.planning.plan import Ints, Plan
from interactivenet.preprocessing.object_region import check_box
from interactivenet.preprocessing.region import make_region
from interactivenet.preprocessing.sample import Sample, crop_sample, padding_values
from interactivenet.prompts.prompt import Prompt

if TYPE_CHECKING:  # torch takes a second, and samples need none
    from torch import Tensor

Float32 = NDArray[np.float32]


class InferenceRules(ABC):
    """How samples are made, go through networks, and become probabilities.

    A *score* is what is averaged over the mirrored copies of a sample; a probability is made of the
    mean.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def sample(self, scan: Scan, prompt: Prompt, earlier: Sample | None = None) -> Sample:
        """Make the sample of one prompt of a scan.

        Of a scan that has several times the images of the plan, the others' arrays come with it:
        the points are the same, and so is the place. A positive correction that lies outside of
        the sample is one more of the points that it is cut around.

        earlier: of the same prompt with fewer corrections; it is used again where it holds those
        that are new. Raises DataError where a point lies outside the image.
        """
        marked = prompt if earlier is None else prompt.with_points(earlier.cut_around)
        sample = earlier or self._sample_of_all(scan, marked)
        for position in prompt.positive:
            if not sample.grid.contains(position[None])[0]:
                marked = prompt.with_points(np.concatenate([marked.points, position[None]]))
                sample = self._sample_of_all(scan, marked)
        return replace(sample, prompt=prompt, cut_around=marked.points)

    def _sample_of_all(self, scan: Scan, prompt: Prompt) -> Sample:
        parts = scan.parts(len(self.plan.modalities))
        first, *others = (self.sample_of(part, prompt) for part in parts)
        return replace(first, others=tuple(other.array for other in others)) if others else first

    @abstractmethod
    def sample_of(self, scan: Scan, prompt: Prompt) -> Sample:
        """Make the sample of one prompt of a scan that has just the images of the plan."""

    @abstractmethod
    def pad(self, array: Float32) -> tuple[Float32, Box]:
        """Pad a sample's array (C, X, Y, Z) to what the network takes; return where it is in it.

        The array itself where nothing is to be padded.
        """

    @abstractmethod
    def window(self, shape: tuple[int, ...]) -> Ints | None:
        """Return the window (3,), in voxels, for images of a shape; None: they go through whole."""

    @abstractmethod
    def score(self, output: Tensor) -> Tensor:
        """Turn a network's output (B, 2, X, Y, Z) into the object's score (B, 1, X, Y, Z)."""

    @abstractmethod
    def probability(self, score: Float32) -> Float32:
        """Turn scores, or means of them, into probabilities of the same shape."""

    @abstractmethod
    def combine(self, scores: Float32) -> Float32:
        """Turn the scores (K, X, Y, Z) of K networks into the score that each answers with."""


class PlannedRules(InferenceRules):
    """The rules of plans that this program makes, the same as in training.

    The region around the points is cut and resampled, the sample cropped from it, padded to at
    least the plan's sample shape, and segmented in windows of that shape where it is larger.
    Probabilities are averaged, and each network answers for itself.
    """

    def sample_of(self, scan: Scan, prompt: Prompt) -> Sample:
        """Crop the sample from the region around its prompt.

        Raises DataError where a grid of the object's own is that of six points, and there are not.
        """
        if self.plan.grid is not None:
            check_box(prompt, scan.image.grid)
        return crop_sample(make_region(scan, prompt, self.plan), prompt.points, self.plan)

    def pad(self, array: Float32) -> tuple[Float32, Box]:
        """Put the sample in the middle of the plan's sample shape, where a side is shorter."""
        shape = np.array(array.shape[1:])
        size = np.maximum(shape, self.plan.sample_shape)
        if (size == shape).all():  # a large one is not held twice
            return array, box((0, 0, 0), shape)
        start = (size - shape) // 2
        inside = box(start, start + shape)
        padded = np.empty((len(array), *size), np.float32)
        padded[:] = padding_values(self.plan)[:, None, None, None]
        padded[inside] = array
        return padded, inside

    def window(self, shape: tuple[int, ...]) -> Ints | None:
        """Return the plan's sample shape, unless it is the image's."""
        return None if tuple(shape) == self.plan.sample_shape else self.plan.sample_shape

    def score(self, output: Tensor) -> Tensor:
        """Return the object's probability."""
        return output.float().softmax(1)[:, 1:]

    def probability(self, score: Float32) -> Float32:
        """Return them as they are: scores are probabilities."""
        return score

    def combine(self, scores: Float32) -> Float32:
        """Return them as they are."""
        return scores


class OriginalRules(InferenceRules):
    """The rules of the original program (0.2.x), for weights that it has trained.

    A sample goes through whole, as instance norm sees all there is. Logits are averaged, over the
    mirrored copies and over the networks, which all give the same answer.
    """

    def sample_of(self, scan: Scan, prompt: Prompt) -> Sample:
        """Make the sample as the original does, along the stored axes of the scan."""
        from interactivenet.legacy import make_legacy_sample

        return make_legacy_sample(scan, prompt, self.plan)

    def pad(self, array: Float32) -> tuple[Float32, Box]:
        """Return it as it is."""
        return array, box((0, 0, 0), array.shape[1:])

    def window(self, shape: tuple[int, ...]) -> Ints | None:
        """Return None: any shape goes through whole."""
        return None

    def score(self, output: Tensor) -> Tensor:
        """Return by how much the object's logit exceeds the background's.

        The mean's sigmoid is the softmax of the mean logits.
        """
        return output[:, 1:].float() - output[:, :1].float()

    def probability(self, score: Float32) -> Float32:
        """Return the sigmoid."""
        from scipy.special import expit

        return np.asarray(expit(score))

    def combine(self, scores: Float32) -> Float32:
        """Return the mean for every network."""
        scores[:] = scores.mean(axis=0)
        return scores


def rules_for(plan: Plan) -> InferenceRules:
    """Return the rules that a plan's weights were trained for."""
    return PlannedRules(plan) if plan.legacy is None else OriginalRules(plan)


def make_sample(case: Scan | Case, prompt: Prompt, plan: Plan) -> Sample:
    """Make the sample of one prompt of a case, which is read first where files are given.

    Raises DataError where a file cannot be used or a point lies outside the image.
    """
    scan = read_case(case, plan) if isinstance(case, Case) else case
    return rules_for(plan).sample(scan, prompt)
