"""One image, read once and prompted many times: segmented, corrected, and corrected again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from interactivenet.errors import RequestError, naming
from interactivenet.imaging.components import bounding_box
from interactivenet.imaging.io import AS_IT_IS, ReadOptions
from interactivenet.inference.answers import Answered, Answers
from interactivenet.inference.inputs import as_corrections, as_mask, as_prompts, open_scan
from interactivenet.postprocessing.merging import (
    PromptProbability,
    Segmentation,
    average,
    merge,
)
from interactivenet.prompts.arrangement import check_inside
from interactivenet.prompts.checks import prompt_notes
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import simulate_prompts
from interactivenet.system.signals import go_on

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from interactivenet.inference.inputs import ImageLike, OneImage, PointsLike
    from interactivenet.inference.predictor import Predictor, PreparedScan
    from interactivenet.preprocessing.sample import Sample

_Item = TypeVar("_Item")


@dataclass(frozen=True, eq=False)
class _Step:
    """What a session has come to: each prompt, and how probable its object is.

    prepared: what the networks were asked; None for a mask that was given.
    """

    prompts: tuple[Prompt, ...]
    claims: tuple[PromptProbability, ...]
    prepared: PreparedScan | None = None


class Session:
    """An image in memory, to be prompted as often as needed.

    Made by :meth:`Predictor.open`. :meth:`segment` takes all that is to be segmented,
    :meth:`correct` goes on from the result before, and :meth:`undo` goes back to it. The networks
    are asked only about what is new: a prompt that they have answered before costs nothing, and one
    with a further correction a single pass.

    Attributes:
        predictor: What segments.
        scan: The image, read, and the prompts that came with it.

    Examples:
        >>> session = predictor.open("scan.nii.gz")  # doctest: +SKIP
        >>> result = session.segment(points_mm)  # doctest: +SKIP
        >>> result = session.correct(positive=points_mm[0])  # doctest: +SKIP
    """

    def __init__(
        self, predictor: Predictor, image: ImageLike, reading: ReadOptions = AS_IT_IS
    ) -> None:
        self.predictor = predictor
        self._reading = reading
        self.scan, self._path = open_scan(image, predictor.plan, reading)
        self._steps: list[_Step] = []
        self._answers = Answers()

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts of the last result, with their corrections: what reproduces it.

        Not after :meth:`edit`: a mask from elsewhere is in no points, and the networks would be
        asked anew.
        """
        return self._steps[-1].prompts if self._steps else ()

    def segment(
        self, points: PointsLike | None = None, *, interrupt: Callable[[], None] = go_on
    ) -> Segmentation:
        """Segment the objects that points mark.

        Args:
            points: One of

                - an array (N, 3) of one object's points, in mm along RAS+, for models of one label;
                - a :class:`Prompt`, or a sequence of them, for one or more objects, with or without
                  corrections;
                - the path of a file of prompts, in any format that :func:`read_prompts` reads;
                - None: the prompts that came with the image, for a ``Case`` or a ``Scan``.
            interrupt: Raises where this must end, any exception; it is asked before every
                convolution. The result before stays, and so do the answers there are.

        Returns:
            The label map on the grid of the image, and what is known of each object. A voxel that
            several prompts claim belongs to the one with the highest probability.

        Raises:
            DataError: A point lies outside the image (it is named), a file cannot be read, there
                are no points, or they are in mm and the image's header has two positions
                (``use_form`` of :meth:`Predictor.open` says which is meant).
            RequestError: The points are of another shape, or do not say of which label they are,
                or are of one that the model does not have.
        """
        prompts = self.scan.prompts
        if points is not None:
            prompts = as_prompts(points, self.predictor.plan, self.scan, self._path, self._reading)
        for prompt in prompts:
            self._check(prompt)
        self._steps = [self._asked(tuple(prompts), interrupt)]
        return self._result()

    def edit(self, mask: OneImage) -> Segmentation:
        """Begin with a mask from elsewhere, to be corrected.

        Args:
            mask: A label map on the grid of the image, or of another extent on the same lattice: a
                path, a nibabel or SimpleITK image, or a :class:`Volume`. Each of its values is an
                object of that label of the model.

        Returns:
            The mask itself, as a result of :meth:`segment` is; each object's points are simulated.

        Raises:
            DataError: It cannot be read, lies elsewhere, is empty, or has a value that is no label
                of the model.
        """
        labels = self.predictor.plan.label_names
        volume = as_mask(mask, labels, (self._path, self.scan.image.source))
        prompts = simulate_prompts(volume, labels=labels, key=self.scan.name)
        claims = []
        for prompt in prompts:
            own = np.asarray(volume.array[0] == prompt.label)
            box = bounding_box(own)
            assert box is not None
            x, y, z = (side.start for side in box)
            claims.append(PromptProbability(prompt, own[box].astype(np.float16), (x, y, z), 1.0))
        self._steps = [_Step(tuple(prompts), tuple(claims))]
        return self._result()

    def correct(
        self,
        positive: ArrayLike | None = None,
        negative: ArrayLike | None = None,
        *,
        instance: int = 1,
    ) -> Segmentation:
        """Correct the result before by clicks on what it has missed, or has taken in.

        Every clicked voxel is on its side afterwards, in this result and in those that follow. The
        clicks count one after the other, the positive ones first.

        Args:
            positive: Positions (N, 3), or one (3,), in mm along RAS+, that belong to the object.
            negative: Positions that do not.
            instance: Which object is meant: its value in ``instance_map``, 1 for the first.

        Returns:
            The new result, for all objects.

        Raises:
            DataError: A click lies outside the image, or in the voxel of one that says the
                contrary.
            RequestError: Nothing is segmented yet, there is no such object, or there is no click.
        """
        step = self._last("correct")
        if not 1 <= instance <= len(step.prompts):
            raise RequestError(
                field="instance", value=instance, expected=f"1 to {len(step.prompts)}: an object"
            )
        clicks = as_corrections(positive, negative)
        number = instance - 1
        before = step.prompts[number]
        prompt = replace(before, corrections=(*before.corrections, *clicks))
        self._check(prompt)
        prompts = _with(step.prompts, number, prompt)
        self._steps.append(self._corrected(step, prompts, number))
        return self._result()

    def undo(self) -> Segmentation:
        """Take back the last call of :meth:`correct`.

        Returns:
            The result before it.

        Raises:
            RequestError: There is no correction to take back.
        """
        self._last("undo")
        if len(self._steps) < 2:
            raise RequestError("there is no correction to undo")
        self._steps.pop()
        return self._result()

    def _last(self, what: str) -> _Step:
        if not self._steps:
            raise RequestError(f"nothing is segmented yet: there is nothing to {what}")
        return self._steps[-1]

    def _check(self, prompt: Prompt) -> None:
        with naming(self.scan.name):
            check_inside(prompt, self.scan.image.source)

    def _corrected(self, step: _Step, prompts: tuple[Prompt, ...], number: int) -> _Step:
        if step.prepared is not None:
            return self._asked(prompts)
        claims = _with(step.claims, number, replace(step.claims[number], prompt=prompts[number]))
        return _Step(prompts, claims)

    def _asked(self, prompts: tuple[Prompt, ...], interrupt: Callable[[], None] = go_on) -> _Step:
        """Ask the networks about prompts, where these tell them anything new."""
        known = [self._answers.find(prompt) for prompt in prompts]
        samples = [None if before is None else before.sample for before in known]
        prepared = self.predictor.prepare(self.scan, prompts, earlier=samples, interrupt=interrupt)
        answered: list[Answered] = []
        try:
            with self.predictor.interruptible(interrupt):
                for sample, before in zip(prepared.samples, known, strict=True):
                    answered.append(self._answered(sample, before))
        finally:
            self._answers.keep(answered)
        return _Step(prompts, tuple(each.claim for each in answered), prepared)

    def _answered(self, sample: Sample, before: Answered | None) -> Answered:
        """Return the answer to a sample; before: to that of the same prompt, or a part of it."""
        if before is None or sample.array is not before.sample.array:
            answer = self.predictor.answer_one(sample)
        else:
            answer = self.predictor.answer_one(sample, before.answer)
            if answer is before.answer and self.predictor.plan.extent_prior is None:
                return Answered(sample, answer, replace(before.claim, prompt=sample.prompt))
        return Answered(sample, answer, average(self.predictor.claims_of(sample, answer)))

    def _result(self) -> Segmentation:
        step = self._steps[-1]
        if step.prepared is None:
            # of a mask that was given, what is not clicked on stays
            source = self.scan.image.source
            return merge(step.claims, source, notes=prompt_notes(step.prompts, source))
        return self.predictor.merged(step.prepared, step.claims)


def _with(items: Sequence[_Item], number: int, item: _Item) -> tuple[_Item, ...]:
    return (*items[:number], item, *items[number + 1 :])
