"""A case in memory: its channels, its prompts, perhaps its label map."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from interactivenet.datasets.simulated import simulation_settings
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError, naming
from interactivenet.imaging.channels import channel_names, read_channels
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_label
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.arrangement import check_inside
from interactivenet.prompts.depth import simulated_depth
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.prompt_objects import PromptObjects
from interactivenet.prompts.simulation import SimulationOptions


@dataclass(frozen=True, eq=False)
class Scan:
    """One case, read.

    image: (C, X, Y, Z), channels in modality order.
    label: (1, X, Y, Z) on the same lattice, values of the task's labels; None where unknown.
    prompts: the objects to segment.
    files: names of the channels' files, for messages; empty where there are none.
    """

    name: str
    image: Volume
    label: Volume | None = None
    prompts: tuple[Prompt, ...] = ()
    files: tuple[str, ...] = ()

    def channel_names(self, modalities: Sequence[str]) -> tuple[str, ...]:
        """Return what the channels are called in messages: their files, or their modalities."""
        return self.files or tuple(modalities)

    def parts(self, channels: int) -> tuple[Scan, ...]:
        """Return scans of so many channels each, of the same prompts; one of as many is itself."""
        count = len(self.image.array)
        if count == channels:
            return (self,)
        parts = (slice(first, first + channels) for first in range(0, count, channels))
        return tuple(
            replace(self, image=self.image.of_channels(part), files=self.files[part])
            for part in parts
        )

    @property
    def series(self) -> tuple[str, ...]:
        """SeriesInstanceUID of each channel that is DICOM."""
        uids = (tags.get("SeriesInstanceUID", "") for tags in self.image.tags)
        return tuple(uid for uid in uids if uid)

    @cached_property
    def objects(self) -> PromptObjects:
        """The objects in the label map."""
        return PromptObjects(None if self.label is None else self.label.array[0])


def read_scan(case: Case, modalities: int, labels: LabelNames | None = None) -> Scan:
    """Read all files of a case.

    modalities: how many images it has.  labels: what the names of points mean.
    Raises DataError, naming the file, where one is missing or broken, where grids differ, or
    where a point lies outside the image. Simulated prompts know how deep their points lie.
    """
    if len(case.images) != modalities:
        raise DataError(f"{case.name}: has {len(case.images)} images, expected {modalities}")
    image = read_channels(case.images, case.reading)
    grid = (case.images[case.reading.resample_to or 0], image.source)
    names = channel_names(case.images, case.reading)
    label: Volume | None = None
    if case.label:
        values = labels.only_names if labels else None
        label = read_label(case.label, case.reading, names=values, image=grid)
    prompts: tuple[Prompt, ...] = ()
    if case.interaction:
        files = case.all_interactions
        prompts = tuple(
            read_prompts(
                files if len(files) > 1 else case.interaction, labels, image=grid,
                options=case.reading,
            )
        )  # fmt: skip
        with naming(case.interaction if len(files) == 1 else case.name):
            for prompt in prompts:
                check_inside(prompt, image.source)
        prompts = _with_depths(prompts, case, image.grid)
    return Scan(case.name, image, label, prompts, names)


def _with_depths(prompts: Sequence[Prompt], case: Case, grid: Geometry) -> tuple[Prompt, ...]:
    """Return the prompts with the depth of their points, where these were simulated.

    grid: the RAS grid of the scan.
    """
    settings: dict[str, Any] | None = None
    # in a folder of new cases, the record may be anybody's; of a task, planning refuses a wrong one
    with suppress(DataError):
        if case.interaction and len(case.all_interactions) == 1:
            settings = simulation_settings(case.interaction, case.name)
    if settings is None:
        return tuple(prompts)
    with suppress(TypeError, RequestError):  # settings that this version does not know
        options = SimulationOptions(**settings)
        return tuple(
            _with_depth(prompt, simulated_depth(prompt, options, grid)) for prompt in prompts
        )
    return tuple(prompts)


def _with_depth(prompt: Prompt, depth: tuple[float, float, float] | None) -> Prompt:
    """Return a prompt with the depth of its points; a file of many objects says the most of all."""
    if depth is None:
        return prompt
    x, y, z = np.minimum(depth, prompt.depth_mm or depth).tolist()
    return replace(prompt, depth_mm=(x, y, z))
