"""From each prompt's probabilities to the segmentation of a case, on the scan's grid.

Stored predictions are merged by the same functions as those in memory, so that stages run one by
one give the same voxels as all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import Geometry, box
from interactivenet.imaging.in_memory import label_to_nibabel, label_to_sitk
from interactivenet.imaging.io import write_label_array
from interactivenet.postprocessing.calibration import Calibration
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.postprocessing.corrections import ceded, corrected, still_labelled
from interactivenet.postprocessing.judging import extent_doubts, hold_points, judge
from interactivenet.prompts.checks import arrangement_doubts
from interactivenet.prompts.prompt import Prompt

if TYPE_CHECKING:
    import SimpleITK
    from nibabel.nifti1 import Nifti1Image

#: a voxel belongs to the object from this probability on
THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class PromptProbability:
    """How probable it is that voxels belong to a prompt's object, by one or several networks.

    probability: (x, y, z) float16, of the object, in a box along RAS+; 0 outside of it.
    start: (3,) the box's first voxel on the RAS grid of the scan.
    agreement: of the network's mirrored predictions, see
        :mod:`interactivenet.postprocessing.calibration`; of several networks, the mean.
    beyond: the share of the network's mask that lay beyond the extremes that the points tell, and
        was left out, see :mod:`interactivenet.postprocessing.extent`; of several, the mean.
    """

    prompt: Prompt
    probability: NDArray[np.float16]
    start: tuple[int, int, int]
    agreement: float
    beyond: float = 0.0


@dataclass(frozen=True, eq=False)
class SegmentedObject:
    """One segmented object.

    Attributes:
        prompt: The prompt that it was segmented from.
        volume_ml: Volume of its voxels, ml.
        agreement: How far the network's mirrored predictions agree, from 0 to 1.
        points_inside: How many of the prompt's points the voxels hold.
        components: How many 26-connected parts the voxels form.
        untouched_components: How many of them no point lies in.
        expected_dice: Dice with a person's outline to be expected; None without a calibration, and
            where the object is not like those that the model was trained on.
        needs_review: Whether a person should look at it first; None where nothing is known.
        reasons: Why it should be looked at first, a short sentence each.
        beyond_extremes: The share of what the networks found that lay beyond the extremes that the
            points tell, and was left out.
    """

    prompt: Prompt
    volume_ml: float
    agreement: float
    points_inside: int
    components: int
    untouched_components: int
    expected_dice: float | None = None
    needs_review: bool | None = None
    reasons: tuple[str, ...] = ()
    beyond_extremes: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the object as JSON data.

        Returns:
            'label', 'name', 'points' (N, 3) in RAS+ mm, 'volume_ml', 'agreement',
            'points_inside', 'components', 'untouched_components', 'expected_dice', 'look', which is
            ``needs_review``, 'reasons', 'beyond_extremes', where it is not 0, and 'corrections',
            where the prompt has any: in their order, 'positive' and 'point' (3,) in RAS+ mm of
            each.
        """
        corrections = [
            {"positive": correction.positive, "point": list(correction.position)}
            for correction in self.prompt.corrections
        ]
        return {
            "label": self.prompt.label,
            "name": self.prompt.name,
            "points": self.prompt.points.tolist(),
            **({"corrections": corrections} if corrections else {}),
            "volume_ml": self.volume_ml,
            "agreement": self.agreement,
            "points_inside": self.points_inside,
            "components": self.components,
            "untouched_components": self.untouched_components,
            "expected_dice": self.expected_dice,
            "look": self.needs_review,
            "reasons": list(self.reasons),
            **({"beyond_extremes": self.beyond_extremes} if self.beyond_extremes else {}),
        }


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects of a case.

    Attributes:
        label: Label map (X, Y, Z), uint16 or uint32, along RAS+: the label of each voxel's
            prompt, 0 for background.
        instance_map: Map (X, Y, Z), int16, along RAS+: 1 + the number of each voxel's prompt, 0
            for background; it tells objects that share a label apart.
        source: Stored grid of the scan, on which label maps are written.
        objects: One for each prompt, in their order.
        notes: What a user should know about the image, a sentence each.
    """

    label: NDArray[Any]
    instance_map: NDArray[np.int16]
    source: Geometry
    objects: tuple[SegmentedObject, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shares_labels(self) -> bool:
        """Whether several prompts have one label, so that ``label`` cannot tell them apart."""
        labels = [segmented.prompt.label for segmented in self.objects]
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
        write_label_array(Path(path), self.label, self.source)
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


def average(probabilities: Sequence[PromptProbability]) -> PromptProbability:
    """Return the mean of several networks' probabilities of one prompt, added in their order."""
    first = probabilities[0]
    if len(probabilities) == 1:
        return first
    total = np.zeros(first.probability.shape, np.float32)
    for item in probabilities:
        if item.start != first.start or item.probability.shape != total.shape:
            raise ValueError(f"probabilities differ in their boxes: {item.start} and {first.start}")
        total += item.probability
    agreement = float(np.mean([item.agreement for item in probabilities]))
    beyond = float(np.mean([item.beyond for item in probabilities]))
    total /= len(probabilities)
    mean = total.astype(np.float16)
    return PromptProbability(first.prompt, mean, first.start, agreement, beyond)


def merge(
    probabilities: Sequence[PromptProbability],
    source: Geometry,
    postprocessing: Postprocessing | None = None,
    calibration: Calibration | None = None,
    *,
    unlike: Sequence[Sequence[str]] | None = None,
    notes: Sequence[str] = (),
) -> Segmentation:
    """Give every voxel of a scan to the prompt for which it has the highest probability.

    probabilities: one per prompt.  source: the stored grid of the scan. Each prompt's corrections
    are applied, those of others that say "mine" as well, and its voxels postprocessed first. Of
    equal probabilities, the first prompt's counts; a voxel that a positive correction lies in
    belongs to its prompt, of several the last one.
    unlike: per prompt, in what it differs from the training set; None where that is not known, and
    no Dice is expected.  notes: about the scan.
    """
    grid = source.ras
    own = [_corrected(item, grid) for item in probabilities]
    probabilities = [_ceded(item, own[:number] + own[number + 1 :], grid)
                     for number, item in enumerate(own)]  # fmt: skip
    has_ceded = [item is not before for item, before in zip(probabilities, own, strict=True)]
    highest_label = max((item.prompt.label for item in probabilities), default=0)
    label = np.zeros(grid.shape, np.uint16 if highest_label < 2**16 else np.uint32)
    instance_map = np.zeros(grid.shape, np.int16)
    # one prompt has no rivals: the probability of the others' voxels need not be kept
    origin, extent = _surroundings(probabilities)
    highest = np.full(extent, -1, np.float16) if len(probabilities) > 1 else None
    for number, item in enumerate(probabilities):
        start = np.array(item.start)
        region = box(start, start + item.probability.shape)
        mask = item.probability >= THRESHOLD
        if postprocessing is not None:
            prompt = item.prompt
            points, positive, negative = (
                grid.nearest_voxel(positions) - start
                for positions in (prompt.points, prompt.positive, prompt.negative)
            )
            mask = postprocessing.apply(mask, points, positive, negative)
        if highest is not None:
            rivals = highest[box(start - origin, start - origin + item.probability.shape)]
            mask = mask & (item.probability > rivals)
            np.copyto(rivals, item.probability, where=mask)
        np.copyto(label[region], item.prompt.label, where=mask)
        np.copyto(instance_map[region], number + 1, where=mask)
    for number, item in enumerate(probabilities):
        clicked = tuple(grid.nearest_voxel(item.prompt.positive).T)
        label[clicked], instance_map[clicked] = item.prompt.label, number + 1
    voxel_ml = float(np.prod(grid.spacing)) / 1000
    objects = []
    for number, item in enumerate(probabilities):
        start = np.array(item.start)
        mask = instance_map[box(start, start + item.probability.shape)] == number + 1
        prompt = item.prompt
        held = hold_points(
            mask, grid.nearest_voxel(prompt.points) - start,
            touching=grid.nearest_voxel(prompt.positive) - start,
        )  # fmt: skip
        doubts = [*arrangement_doubts(prompt, source), *still_labelled(prompt, label, grid),
                  *extent_doubts(item.beyond)]  # fmt: skip
        judged = judge(
            # what is expected of a first result says nothing of a corrected one
            item.agreement, held, None if prompt.corrections or has_ceded[number] else calibration,
            None if unlike is None else unlike[number], doubts,
        )  # fmt: skip
        objects.append(
            SegmentedObject(
                prompt=prompt, volume_ml=int(np.count_nonzero(mask)) * voxel_ml,
                agreement=item.agreement, points_inside=held.inside, components=held.components,
                untouched_components=held.untouched, expected_dice=judged.expected_dice,
                needs_review=judged.needs_review, reasons=judged.reasons,
                beyond_extremes=item.beyond,
            )
        )  # fmt: skip
    return Segmentation(label, instance_map, source, tuple(objects), tuple(notes))


def _surroundings(
    probabilities: Sequence[PromptProbability],
) -> tuple[NDArray[np.intp], tuple[int, ...]]:
    """Return the first voxel (3,) and the shape (3,) of the box around all of them."""
    if not probabilities:
        return np.zeros(3, np.intp), (0, 0, 0)
    starts = np.array([item.start for item in probabilities])
    stops = starts + [item.probability.shape for item in probabilities]
    first = starts.min(axis=0)
    return first, tuple((stops.max(axis=0) - first).tolist())


def _corrected(item: PromptProbability, grid: Geometry) -> PromptProbability:
    """Apply the corrections of a prompt, on the RAS grid of the scan; without any, the same."""
    values, start = corrected(item.prompt, item.probability, item.start, grid)
    return item if values is item.probability else replace(item, probability=values, start=start)


def _ceded(
    item: PromptProbability, others: Sequence[PromptProbability], grid: Geometry
) -> PromptProbability:
    """Take from a prompt what others have clicked on; the same where that is nothing."""
    prompts = [other.prompt for other in others]
    values = ceded(item.prompt, item.probability, item.start, prompts, grid)
    return item if values is item.probability else replace(item, probability=values)
