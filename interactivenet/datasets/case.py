"""A case in memory: its channels, its prompts, perhaps its label map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.io import read_channels, read_label
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt, points_outside
from interactivenet.prompts.prompt_objects import PromptObjects


@dataclass(frozen=True, eq=False)
class Scan:
    """One case, read.

    image: (C, X, Y, Z), channels in modality order.
    label: (1, X, Y, Z) on the same lattice, values of the task's labels; None where unknown.
    prompts: the objects to segment.
    """

    name: str
    image: Volume
    label: Volume | None = None
    prompts: tuple[Prompt, ...] = ()

    @cached_property
    def objects(self) -> PromptObjects:
        """The objects in the label map."""
        return PromptObjects(None if self.label is None else self.label.array[0])


def read_scan(case: Case, modalities: int, labels: LabelNames | None = None) -> Scan:
    """Read all files of a case.

    modalities: how many images it has.  labels: what the names of points mean.
    Raises DataError, naming the file, where one is missing or broken, where grids differ, or
    where a point lies outside the image.
    """
    if len(case.images) != modalities:
        raise DataError(f"{case.name}: has {len(case.images)} images, expected {modalities}")
    image = read_channels(case.images, case.reading)
    grid = (case.images[0], image.source)
    label: Volume | None = None
    if case.label:
        names = labels.names if labels else None
        label = read_label(case.label, case.reading, names=names, image=grid)
    prompts: tuple[Prompt, ...] = ()
    if case.interaction:
        prompts = tuple(read_prompts(case.interaction, labels, image=grid, options=case.reading))
        for prompt in prompts:
            if outside := points_outside(prompt, image.grid):
                raise DataError(
                    f"{case.interaction}: {outside} of {len(prompt.points)} points of label"
                    f" {prompt.label} lie outside the image ({image.grid})"
                )
    return Scan(case.name, image, label, prompts)
