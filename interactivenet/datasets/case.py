"""A case in memory: its channels, its prompts, perhaps its label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, naming
from interactivenet.imaging.io import read_channels, read_label, short_names
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.arrangement import check_inside
from interactivenet.prompts.io import read_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.prompt_objects import PromptObjects


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
    return Scan(case.name, image, label, prompts, short_names(case.images))
