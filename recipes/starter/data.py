"""The objects that the starter is trained on, from the shared data sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import read_image, read_label
from interactivenet.imaging.volume import Volume
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.region import make_region
from interactivenet.prompts.prompt import MARGIN_POINTS
from interactivenet.prompts.simulation import SimulationOptions, simulate_prompts
from interactivenet.training.made_up import LabelledImage
from interactivenet.training.object_samples import labelled_image

#: how often an object of a kind is drawn, beside the others
KINDS = {"sarcoma": 1.0, "pet": 2.0, "tumour": 1.5, "organ": 0.25, "vertebra": 0.3}
#: objects of fewer voxels say nothing
_FEWEST = 60


def read_objects(
    shared: Path, plan: Plan, without: list[str], device: str
) -> list[tuple[str, LabelledImage]]:
    """Return every object of the kinds wanted, and its kind."""
    objects = []
    for kind, name, image, label in _scans(shared):
        if kind in without:
            continue
        prompts = tuple(
            prompt
            for prompt in simulate_prompts(label, SimulationOptions(), key=name)
            if len(prompt.points) == MARGIN_POINTS
        )
        scan = Scan(name, image, label, prompts)
        for prompt in prompts:
            if np.count_nonzero(label.array == prompt.label) < _FEWEST:
                continue
            region = make_region(scan, prompt, plan)
            thing = labelled_image(region, plan, device)
            labels = torch.from_numpy(labels_on(label, region.grid)).to(device)
            objects.append((kind, replace(thing, labels=labels)))
    return objects


def labels_on(label: Volume, grid: Geometry) -> NDArray[np.uint8]:
    """Return a label map (1, X, Y, Z) on a grid (X, Y, Z) with the same axes: the nearest voxels'.

    Values above 255 become 255.
    """
    first = label.grid.world_to_voxel(grid.voxel_to_world([[0, 0, 0]]))[0]
    steps = np.array(grid.spacing) / np.array(label.grid.spacing)
    nearest = [
        np.rint(start + np.arange(n) * step).clip(0, size - 1).astype(np.intp)
        for start, n, step, size in zip(first, grid.shape, steps, label.grid.shape, strict=True)
    ]
    return np.asarray(np.minimum(label.array[0][np.ix_(*nearest)], 255), dtype=np.uint8)


def _scans(shared: Path) -> Iterator[tuple[str, str, Volume, Volume]]:
    for path in sorted((shared / "sarcoma_mr_ct" / "labels").glob("*.nii.gz")):
        case = path.name.removesuffix(".nii.gz")
        for channel in ("0000", "0001"):
            image = read_image(path.parents[1] / "images" / f"{case}_{channel}.nii.gz")
            yield "sarcoma", case, image, _binary(read_label(path))
    folder = shared / "sarcoma_grid_mismatch"
    for path in sorted((folder / "labels").glob("*.nii.gz")):
        kind = "pet" if "PET" in path.name else "sarcoma"
        label = _binary(read_label(path))
        yield kind, path.name, read_image(folder / "images" / path.name), label
    folder = shared / "dicom" / "sarcoma_STS_008"
    label = _binary(read_label(next((folder / "nifti_mask").glob("*PET*.nii.gz"))))
    yield "pet", "STS_008", read_image(folder / "PET" / "image"), label
    folder = shared / "tumour_singles"
    for path in sorted((folder / "labels").glob("*.nrrd")):
        label = _binary(read_label(path))
        yield "tumour", path.name, read_image(folder / "images" / path.name), label
    for kind, name in (("organ", "multiorgan_ct_lowres"), ("vertebra", "vertebra_pir")):
        images = sorted((shared / name / "images").iterdir())
        labels = sorted((shared / name / "labels").iterdir())
        for scan, label_path in zip(images, labels, strict=True):
            yield kind, scan.name, read_image(scan), read_label(label_path)


def _binary(label: Volume) -> Volume:
    label.array[...] = label.array > 0
    return label
