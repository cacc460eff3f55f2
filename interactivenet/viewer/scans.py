"""An open image: what is segmented in it, for whoever has it open."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.modalities import is_ct
from interactivenet.errors import DataError, RequestError, naming, one_line
from interactivenet.inference.session import Session
from interactivenet.postprocessing.merging import Segmentation
from interactivenet.preprocessing.object_region import check_box
from interactivenet.prompts.arrangement import check_inside
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.viewer.annotation import ObjectState, prompts_of
from interactivenet.viewer.outlines import (
    MadeBy,
    ObjectOutline,
    Outlines,
    Quality,
    diameters,
    numbered,
)
from interactivenet.viewer.refusals import Outdated
from interactivenet.viewer.served_models import NETWORK, LoadedModel
from interactivenet.viewer.volumes import looks_like_ct, window_of
from interactivenet.viewer.worklist import WorklistEntry


class OpenScan:
    """An image in memory, with the objects that were marked in it.

    entry: of the worklist.  model: that segments.  labels: of a task, where they are not the
    model's own.  Raises DataError where the image cannot be used.

    Attributes:
        id: Random, not to be guessed.
        outlines: Of the last state of the objects.
    """

    def __init__(
        self, entry: WorklistEntry, model: LoadedModel, labels: LabelNames | None = None
    ) -> None:
        self.id = secrets.token_urlsafe(18)
        self.entry, self.model = entry, model
        full = model.full.open(list(entry.images), series=entry.series)
        self._sessions: dict[Quality, Session] = {"full": full}
        same = model.quick is model.full
        self._sessions["quick"] = full if same else Session(model.quick, full.scan)
        self.image = full.scan.image
        self.labels = labels if labels is not None and model.labels.open else model.labels
        if model.labels.open:
            self.labels = LabelNames(self.labels.names, open=True)
        self._lock = Lock()
        self._states: tuple[ObjectState, ...] = ()
        self._newest = -1
        self._result: Segmentation | None = None
        self.outlines = Outlines((), None, "full")

    @property
    def modality(self) -> str:
        """'CT', 'MR', or '' where nothing tells."""
        told = self.image.tags[0].get("Modality", "") or self.model.full.plan.modalities[0]
        if is_ct(told) or looks_like_ct(self.image.array[0]):
            return "CT"
        return "MR" if told.upper().startswith(("MR", "T1", "T2", "FLAIR")) else ""

    @property
    def window(self) -> tuple[float, float]:
        """The values to show as black and as white."""
        return window_of(self.image.array[0], self.modality == "CT")

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
        """Take note that a state has come: older ones that still wait are refused then.

        Raises Outdated where a later one was announced before.
        """
        if revision < self._newest:
            raise Outdated(self._newest)
        self._newest = revision

    def update(
        self, objects: Sequence[ObjectState], *, quality: Quality = "quick", revision: int = 0
    ) -> Outlines:
        """Outline a state of the objects; it takes the place of the one before.

        Raises DataError, naming it, where a point lies outside the image; RequestError where a
        label is none; Outdated where a later state was announced meanwhile.
        """
        begun = time.monotonic()
        with self._lock:
            self._check_newest(revision)
            for state in objects:
                self._check_inside(state)
            ready = [number for number, state in enumerate(objects) if state.is_ready]
            prompts = dict(zip(
                ready, prompts_of([objects[number] for number in ready], self.labels), strict=True
            ))  # fmt: skip
            problems = {number: found for number, prompt in prompts.items()
                        if (found := self._problem(prompt))}  # fmt: skip
            places = [number for number in ready if number not in problems]
            result = None
            if places:
                with NETWORK:
                    self._check_newest(revision)
                    session = self._sessions[quality]
                    result = session.segment([prompts[number] for number in places])
            outlines = self._described(objects, places, problems, result, quality)
            self._result, self._states = result, tuple(objects)
            self.outlines = replace(outlines, seconds=time.monotonic() - begun, revision=revision)
            return self.outlines

    def finish(self) -> Outlines:
        """Outline the last state with all networks, if that is not done."""
        last = self.outlines
        if last.quality == "full" or self._result is None:
            return last
        return self.update(self._states, quality="full", revision=last.revision)

    def brush(self, object_id: str, mask: NDArray[np.bool_]) -> Outlines:
        """Take a mask (X, Y, Z) along RAS+ for an object's outline."""
        raise RequestError("not yet")

    def _check_newest(self, revision: int) -> None:
        if revision < self._newest:
            raise Outdated(self._newest)

    def _check_inside(self, state: ObjectState) -> None:
        positions = state.points or tuple(each.position for each in state.corrections)
        if not positions:
            return
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

    def _described(
        self,
        states: Sequence[ObjectState],
        places: Sequence[int],
        problems: dict[int, str],
        result: Segmentation | None,
        quality: Quality,
    ) -> Outlines:
        if result is None:
            objects = tuple(
                ObjectOutline(state, problems=(problems[number],) if number in problems else ())
                for number, state in enumerate(states)
            )
            return Outlines(objects, None, quality)
        of_place = {place: number for number, place in enumerate(places)}
        outlined = []
        for place, state in enumerate(states):
            if place not in of_place:
                found = (problems[place],) if place in problems else ()
                outlined.append(ObjectOutline(state, problems=found))
                continue
            number = of_place[place]
            measured = diameters(result.instance_map, number + 1, self.image.grid)
            made_by: MadeBy = "corrections" if state.corrections else "model"
            outlined.append(ObjectOutline(state, result.objects[number], measured, made_by=made_by))
        instance = numbered(result, places, len(states))
        return Outlines(tuple(outlined), instance, quality, notes=result.notes)
