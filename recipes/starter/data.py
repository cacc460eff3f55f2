"""The objects that the starter is trained on, from the shared data sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interactivenet.datasets.case import Scan
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
            objects.append((kind, labelled_image(region, plan, device)))
    return objects


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
