"""An open image: what is segmented in it, for whoever has it open."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.hounsfield import looks_like_ct
from interactivenet.datasets.modalities import is_ct, modalities_of
from interactivenet.errors import DataError, RequestError, naming, one_line
from interactivenet.inference.session import Session
from interactivenet.postprocessing.merging import Segmentation
from interactivenet.preprocessing.object_region import check_box
from interactivenet.prompts.arrangement import check_inside
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.viewer.annotations.annotation_record import MadeBy
from interactivenet.viewer.refusals import Outdated
from interactivenet.viewer.sessions.annotation import ObjectState, prompts_of
from interactivenet.viewer.sessions.brush import Painted, paint, painted_over
from interactivenet.viewer.sessions.image_state import check_certain, state_of_files
from interactivenet.viewer.sessions.outlines import Outlines, Quality, describe_outlines
from interactivenet.viewer.sessions.served_models import LoadedModel
from interactivenet.viewer.sessions.volumes import window_of
from interactivenet.viewer.worklist.worklist import WorklistEntry


@dataclass(frozen=True, eq=False)
class Finished:
    """An annotation, as it is saved.

    made_by: what each object's outline comes from, in the order of the prompts.
    """

    result: Segmentation
    prompts: tuple[Prompt, ...]
    made_by: tuple[MadeBy, ...]


@dataclass(frozen=True, eq=False)
class _Segmented:
    """A state of the objects, and what the networks made of it.

    places: in the state, of the objects of the result.  problems: by place, why one has none.
    result: None where no object is ready.
    """

    states: tuple[ObjectState, ...] = ()
    places: tuple[int, ...] = ()
    problems: tuple[tuple[int, str], ...] = ()
    result: Segmentation | None = None
    quality: Quality = "full"


class OpenScan:
    """An image in memory, with the objects that were marked in it.

    entry: of the worklist.  model: that segments.  labels: of a task, which objects may have where
    the model segments any.  Raises DataError where the image cannot be used.

    Attributes:
        id: Random, not to be guessed.
        files: In what state its files were when it was read.
        image: The image.
        labels: That objects may have.
        outlines: Of the last state of the objects.
    """

    def __init__(
        self, entry: WorklistEntry, model: LoadedModel, labels: LabelNames | None = None
    ) -> None:
        self.id = secrets.token_urlsafe(18)
        self.entry, self.model = entry, model
        self.files = state_of_files(entry.images)
        full = model.full.open(
            list(entry.images), series=entry.reading.series or entry.series,
            use_form=entry.reading.use_form or None,
        )  # fmt: skip
        self._sessions: dict[Quality, Session] = {"full": full}
        same = model.quick is model.full
        self._sessions["quick"] = full if same else Session(model.quick, full.scan)
        self.image = full.scan.image
        check_certain(self.image.source, entry.name)
        self.labels = model.labels
        if model.labels.open and labels is not None:
            self.labels = LabelNames(labels.names, open=True)
        self.modalities = tuple(map(self._modality, range(len(self.image.array))))
        self.window = window_of(self.image.array[0], self.modalities[0] == "CT")
        self._lock = RLock()
        self._newest = -1
        self._last = _Segmented()
        self._painted: dict[str, Painted] = {}
        self._result: Segmentation | None = None
        self.outlines = Outlines((), None, "full")

    @property
    def result(self) -> Segmentation:
        """The segmentation of the last state; raises RequestError where nothing is outlined."""
        if self._result is None:
            raise RequestError("nothing is outlined yet", expected="an object with six points")
        return self._result

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts of the last result: what reproduces it."""
        return tuple(each.prompt for each in self.result.objects)

    @property
    def made_by(self) -> tuple[MadeBy, ...]:
        """What each object's outline comes from, in the order of the prompts."""
        return tuple(each.made_by for each in self.outlines.objects if each.segmented)

    def announce(self, revision: int) -> None:
        """Take note that a state has come: older ones, even those in work, are refused then.

        Raises Outdated where a later one was announced before.
        """
        if revision < self._newest:
            raise Outdated(self._newest)
        self._newest = revision

    def update(
        self,
        objects: Sequence[ObjectState],
        *,
        quality: Quality = "quick",
        revision: int | None = None,
    ) -> Outlines:
        """Outline a state of the objects; it takes the place of the one before.

        revision: by which the state was announced, if it was.  Raises DataError, naming it, where a
        point lies outside the image; RequestError where a label is none; Outdated where a later
        state was announced meanwhile.
        """
        begun = time.monotonic()
        with self._lock:
            check = self._still_newest(revision)
            check()
            self._last = self._segmented(tuple(objects), quality, check)
            lost = self._forget_painted()
            return self._outlined(begun, revision, lost)

    def brush(
        self, object_id: str, mask: NDArray[np.bool_], *, revision: int | None = None
    ) -> Outlines:
        """Take a mask (X, Y, Z) along RAS+ for an object's outline.

        It is that until the object's points or corrections change. revision: as for
        :meth:`update`.  Raises RequestError where the object has no outline, or the mask is empty.
        """
        begun = time.monotonic()
        with self._lock:
            self._still_newest(revision)()
            last = self._last
            here = [
                last.states[place] for place in last.places if last.states[place].id == object_id
            ]
            if not here:
                raise RequestError(
                    "this object has no outline to paint on", expected="an object with six points"
                )
            painted = paint(here[0].marks, mask)
            self._painted.pop(object_id, None)  # what is painted later covers what was there
            self._painted[object_id] = painted
            return self._outlined(begun, revision, [])

    def finish(self, revision: int | None = None) -> Finished:
        """Outline the last state with all networks, if that is not done, to save it.

        revision: of the state that is meant, where its client knows it.
        Raises RequestError where nothing is outlined, Outdated where the last state is another than
        the one that is meant, DataError where the image's files have changed since it was opened.
        """
        with self._lock:
            if revision not in (None, self.outlines.revision):
                raise Outdated(self.outlines.revision)
            if self.files != state_of_files(self.entry.images):
                raise DataError(
                    f"{self.entry.name}: its files have changed since it was opened",
                    remedy="open it again",
                )
            if self._last.quality != "full" and self._last.result is not None:
                self.update(self._last.states, quality="full", revision=self.outlines.revision)
            return Finished(self.result, self.prompts, self.made_by)

    def _still_newest(self, revision: int | None) -> Callable[[], None]:
        """Return what raises where a later state has come, or the server ends."""

        def check() -> None:
            self.model.thread.check()
            if revision is not None and revision < self._newest:
                raise Outdated(self._newest)

        return check

    def _segmented(
        self, states: tuple[ObjectState, ...], quality: Quality, check: Callable[[], None]
    ) -> _Segmented:
        for state in states:
            self._check_inside(state)
        ready = [number for number, state in enumerate(states) if state.is_ready]
        prompts = prompts_of([states[number] for number in ready], self.labels)
        problems = {number: problem for number, prompt in zip(ready, prompts, strict=True)
                    if (problem := self._problem(prompt))}  # fmt: skip
        chosen = {number: prompt for number, prompt in zip(ready, prompts, strict=True)
                  if number not in problems}  # fmt: skip
        result = None
        if chosen:
            session, asked = self._sessions[quality], list(chosen.values())
            result = self.model.thread.run(lambda: session.segment(asked, interrupt=check))
        return _Segmented(states, tuple(chosen), tuple(problems.items()), result, quality)

    def _outlined(self, begun: float, revision: int | None, notes: Sequence[str]) -> Outlines:
        last, result = self._last, self._last.result
        if result is not None:
            ids = [last.states[place].id for place in last.places]
            painted = {ids.index(each): mask for each, mask in self._painted.items() if each in ids}
            result = painted_over(result, painted)
        self._result = result
        described = describe_outlines(
            last.states, last.places, dict(last.problems), result, set(self._painted)
        )
        self.outlines = replace(
            described, quality=last.quality, seconds=time.monotonic() - begun,
            revision=self.outlines.revision if revision is None else revision,
            notes=(*notes, *described.notes),
        )  # fmt: skip
        return self.outlines

    def _forget_painted(self) -> list[str]:
        """Forget masks of objects whose marks have changed, or that are gone; say so of these."""
        marks = {state.id: state.marks for state in self._last.states}
        lost = [each for each, painted in self._painted.items() if painted.marks != marks.get(each)]
        for object_id in lost:
            del self._painted[object_id]
        return [
            f"{state.label}: its points or corrections have changed: what was painted is lost"
            for state in self._last.states
            if state.id in lost
        ]

    def _check_inside(self, state: ObjectState) -> None:
        positions = state.points or tuple(each.position for each in state.corrections)
        if positions:
            prompt = Prompt(1, np.array(positions), corrections=state.corrections)
            with naming(state.label):
                check_inside(prompt, self.image.source)

    def _problem(self, prompt: Prompt) -> str:
        """Say why an object cannot be segmented; '' where it can."""
        if self.model.full.plan.grid is None:
            return ""
        try:
            check_box(prompt, self.image.grid)
        except DataError as error:
            return one_line(error)
        return ""

    def _modality(self, number: int) -> str:
        """Return 'CT', 'MR', or '' where nothing tells, of one of the images."""
        expected = modalities_of(self.model.full.plan.modalities, len(self.image.array))
        told = self.image.tags[number].get("Modality", "") or expected[number]
        if is_ct(told) or looks_like_ct(self.image.array[number]):
            return "CT"
        return "MR" if told.upper().startswith(("MR", "T1", "T2", "FLAIR")) else ""
