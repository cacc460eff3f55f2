"""From what networks say of each prompt to the segmentation of a case, on the scan's grid.

Predictions that were kept on disk are merged by the same functions as those in memory, so that
single stages and all at once give the same voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import Geometry, box
from interactivenet.imaging.in_memory import label_to_nibabel, label_to_sitk
from interactivenet.imaging.io import write_label
from interactivenet.postprocessing.calibration import Calibration
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.prompts.prompt import Prompt

if TYPE_CHECKING:
    import SimpleITK
    from nibabel.nifti1 import Nifti1Image

#: a voxel belongs to the object from this probability on
THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class PromptProbability:
    """The voxels that a prompt lays claim to, as one or several networks see it.

    probability: (x, y, z) float16, of the object, in a box along RAS+; 0 outside of it.
    start: (3,) the box's first voxel on the RAS grid of the scan.
    agreement: of the network's mirrored predictions, see
        :mod:`interactivenet.postprocessing.calibration`; of several networks, the mean.
    """

    prompt: Prompt
    probability: NDArray[np.float16]
    start: tuple[int, int, int]
    agreement: float


@dataclass(frozen=True, eq=False)
class SegmentedObject:
    """One segmented object.

    volume_ml: of its voxels.  expected_dice: how well it should agree with a person's outline,
    needs_review: whether a person should look at it first; None where nothing is known of either.
    """

    prompt: Prompt
    volume_ml: float
    agreement: float
    expected_dice: float | None = None
    needs_review: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data; points in mm, RAS+."""
        return {
            "label": self.prompt.label,
            "name": self.prompt.name,
            "points": self.prompt.points.tolist(),
            "volume_ml": self.volume_ml,
            "agreement": self.agreement,
            "expected_dice": self.expected_dice,
            "look": self.needs_review,
        }


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects of a case.

    label: (X, Y, Z) uint16 or uint32 along RAS+, the value of each prompt's label, 0 elsewhere.
    instance_map: (X, Y, Z) int16: 1 + the number of the prompt that owns the voxel, 0 for none.
    source: the stored grid of the scan; ``io.images.write_label(path, label, source)``.
    objects: one per prompt, in their order.
    """

    label: NDArray[Any]
    instance_map: NDArray[np.int16]
    source: Geometry
    objects: tuple[SegmentedObject, ...] = ()

    @property
    def shares_labels(self) -> bool:
        """Whether several prompts have one label, so that ``label`` cannot tell them apart."""
        labels = [found.prompt.label for found in self.objects]
        return len(set(labels)) < len(labels)

    def save(self, path: Path | str) -> Path:
        """Write the label map on the grid of the image that was segmented.

        Args:
            path: File to write; its ending says the format: .nii.gz, .nii, .mha or .nrrd.

        Returns:
            The path.

        Raises:
            DataError: The format cannot be written, or not in this place.
        """
        write_label(Path(path), self.label, self.source)
        return Path(path)

    def to_nibabel(self) -> Nifti1Image:
        """Return the label map as a nibabel image.

        Returns:
            A NIfTI image with the shape and affine of the image that was segmented, of the smallest
            unsigned type that holds the labels.
        """
        return label_to_nibabel(self.label, self.source)

    def to_sitk(self) -> SimpleITK.Image:
        """Return the label map as a SimpleITK image.

        Returns:
            An image with the size, spacing, origin and direction of the image that was segmented,
            of the smallest unsigned type that holds the labels.
        """
        return label_to_sitk(self.label, self.source)


def average(claims: Sequence[PromptProbability]) -> PromptProbability:
    """Return the mean of several networks' claims of one prompt, in their order."""
    first = claims[0]
    total = np.zeros(first.probability.shape, np.float32)
    for claim in claims:
        if claim.start != first.start or claim.probability.shape != total.shape:
            raise ValueError(f"claims differ in their boxes: {claim.start} and {first.start}")
        total += claim.probability
    agreement = float(np.mean([claim.agreement for claim in claims]))
    mean = (total / len(claims)).astype(np.float16)
    return PromptProbability(first.prompt, mean, first.start, agreement)


def merge(
    claims: Sequence[PromptProbability],
    source: Geometry,
    postprocessing: Postprocessing | None = None,
    calibration: Calibration | None = None,
) -> Segmentation:
    """Give every voxel of a scan to the prompt that claims it with the highest probability.

    claims: one per prompt.  source: the stored grid of the scan. Each prompt's voxels are
    postprocessed first. Of equal probabilities, the first prompt's counts.
    """
    grid = source.ras
    highest_label = max((claim.prompt.label for claim in claims), default=0)
    label = np.zeros(grid.shape, np.uint16 if highest_label < 2**16 else np.uint32)
    instance_map = np.zeros(grid.shape, np.int16)
    # one prompt has no rivals: the probability of the others' voxels need not be kept
    highest = np.full(grid.shape, -1, np.float16) if len(claims) > 1 else None
    for number, claim in enumerate(claims):
        start = np.array(claim.start)
        where = box(start, start + claim.probability.shape)
        wins = claim.probability >= THRESHOLD
        if postprocessing is not None:
            points = grid.nearest_voxel(claim.prompt.points) - start
            wins = postprocessing.apply(wins, points)
        if highest is not None:
            wins = wins & (claim.probability > highest[where])
            highest[where][wins] = claim.probability[wins]
        label[where][wins] = claim.prompt.label
        instance_map[where][wins] = number + 1
    counts = np.bincount(instance_map.ravel(), minlength=len(claims) + 1) if len(claims) else [0]
    voxel_ml = float(np.prod(grid.spacing)) / 1000
    objects = tuple(
        SegmentedObject(
            claim.prompt,
            int(counts[number + 1]) * voxel_ml,
            claim.agreement,
            calibration.expected(claim.agreement) if calibration else None,
            calibration.needs_review(claim.agreement) if calibration else None,
        )
        for number, claim in enumerate(claims)
    )
    return Segmentation(label, instance_map, source, objects)
