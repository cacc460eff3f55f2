"""What is segmented: labelled cases of the shared folder, and the points in their objects.

Points are simulated as ``interactivenet simulate`` does with its defaults, seed 0, and are the same
for every arm: differences between arms are never differences between points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.datasets.splits import Split, make_splits
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.io import read_label
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.margin_points import usual_depths
from interactivenet.prompts.prompt import MARGIN_POINTS, Prompt, spans_no_box
from interactivenet.prompts.simulation import SimulationOptions, simulate_prompts

FOLDS = 5
#: objects of fewer voxels are no test of an outline
FEWEST_VOXELS = 100


@dataclass(frozen=True)
class LabelledCase:
    """Files of one case: images to train on, images to test on, its label map."""

    name: str
    training: tuple[Path, ...]
    tested: tuple[Path, ...]
    label: Path


@dataclass(frozen=True)
class TestObject:
    """One object of a scan: the prompt (label 1, with the depth of its points), and its voxels."""

    __test__ = False  # pytest: no class of tests

    name: str
    prompt: Prompt
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Dataset:
    """A set of labelled cases.

    folder: in the shared data.  images: file names of the modalities' images, of ``{case}``.
    modalities: their names.  kind: what a starter must not have seen, in ``recipes/starter``'s
    words.  tested: other images to test on; () for those that train.  values: of the labels, each
    an object of its own; () for one object of all values; every_value: as if all were named.
    only: names of the cases; () for all.  few: how many of a fold's cases train; 0 for all.
    suffix: of label maps.
    """

    name: str
    title: str
    folder: str
    images: tuple[str, ...]
    modalities: tuple[str, ...]
    kind: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    values: tuple[int, ...] = ()
    every_value: bool = False
    only: tuple[str, ...] = ()
    few: int = 0
    suffix: str = ".nii.gz"

    def cases(self, shared: Path, limit: int = 0) -> list[LabelledCase]:
        """List the cases, by name; limit: the first so many, 0 for all."""
        folder = shared / self.folder
        found = []
        for label in sorted((folder / "labels").glob(f"*{self.suffix}")):
            name = label.name.removesuffix(self.suffix)
            if self.only and name not in self.only:
                continue
            training = tuple(folder / "images" / image.format(case=name) for image in self.images)
            tested = tuple(folder / "images" / image.format(case=name) for image in self.tested)
            found.append(LabelledCase(name, training, tested or training, label))
        if not found:
            raise FileNotFoundError(f"{folder}: holds no labels *{self.suffix}")
        return found[: limit or None]

    def same_objects(self, other: Dataset) -> bool:
        """Whether another set has the same objects, and so the same points, in other images."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("folder", "values", "every_value", "only")
        )

    def training_names(self, names: list[str], fold: int) -> list[str]:
        """Return the names of the cases that train in a fold: all others, or some of them."""
        training = list(_splits(names)[fold].training)
        if not self.few:
            return training
        order = np.random.default_rng([0, fold]).permutation(len(training))
        return sorted(training[index] for index in order[: self.few])

    def read_label(self, case: LabelledCase) -> Volume:
        """Read a case's label map: its values, or 1 where any of them is."""
        label = read_label(case.label)
        if self.every_value:
            return label
        array = label.array
        chosen = np.isin(array, self.values) if self.values else array > 0
        kept = np.where(chosen, array, 0) if self.values else chosen
        return Volume.from_stored(label.source.from_ras(kept.astype(np.uint8)), label.source)

    def read(self, case: LabelledCase) -> tuple[Scan, list[TestObject]]:
        """Read the images to test on, and the objects in them."""
        image, label = read_channels(case.tested), self.read_label(case)
        return Scan(case.name, image), list(objects_of(label, case.name))


def validation_names(names: list[str], fold: int) -> list[str]:
    """Return the names of the cases that a fold is tested on; -1: all of them."""
    return list(names) if fold < 0 else list(_splits(names)[fold].validation)


def _splits(names: list[str]) -> tuple[Split, ...]:
    return make_splits(
        names, folds=min(FOLDS, len(names)), seed=0, groups={name: name for name in names},
        subtypes={},
    )  # fmt: skip


def objects_of(label: Volume, case: str) -> Iterator[TestObject]:
    """Yield the objects of a label map that six points can mark."""
    prompts = simulate_prompts(label, SimulationOptions(), key=f"Tr/{case}")
    for prompt in prompts:
        mask = np.asarray(label.array[0] == prompt.label)
        if len(prompt.points) < MARGIN_POINTS or spans_no_box(prompt, label.grid):
            continue
        if np.count_nonzero(mask) < FEWEST_VOXELS:
            continue
        depth = points_depth(prompt, label)
        name = str(prompt.label)
        yield TestObject(name, replace(prompt, label=1, name="", depth_mm=depth), mask)


def points_depth(prompt: Prompt, label: Volume) -> tuple[float, float, float]:
    """How deep simulated points lie, mm along R, A, S, as far as the points alone can tell."""
    deep = usual_depths(label.spacing) * np.array(label.spacing)
    extent = np.ptp(label.world_to_voxel(prompt.points), axis=0) * label.spacing
    x, y, z = np.minimum(deep, extent).tolist()
    return x, y, z
