"""What is known of a scan before the networks see it: what is doubtful, and what is unfamiliar."""

from __future__ import annotations

from dataclasses import dataclass

from interactivenet.datasets.case import Scan
from interactivenet.datasets.image_checks import check_tags, image_notes
from interactivenet.datasets.modalities import modalities_of
from interactivenet.models.model import Model
from interactivenet.prompts.checks import prompt_notes

#: said of each case where a model cannot tell
UNKNOWN = (
    "the model does not say what it was trained on: no Dice is expected, and nothing tells whether"
    " this scan is like those"
)


@dataclass(frozen=True)
class Examination:
    """What is to be told with a scan's segmentation.

    image_notes: what is doubtful about its files, those of points, too, and how its values differ.
    unlike: per prompt, in what it differs from the training set; None where that is not known.
    """

    image_notes: tuple[str, ...]
    unlike: tuple[tuple[str, ...], ...] | None

    @property
    def notes(self) -> tuple[str, ...]:
        """All that a user should know, beside what is said of each object."""
        return self.image_notes if self.unlike is not None else (*self.image_notes, UNKNOWN)


def examine(scan: Scan, model: Model) -> Examination:
    """Examine a scan that is about to be segmented: the one place where this is done.

    Raises DataError where a DICOM tag contradicts the modality that the model has in its place.
    """
    training = model.training
    modalities = modalities_of(model.plan.modalities, len(scan.image.array))
    names = scan.channel_names(modalities)
    check_tags(scan.image.tags, names, modalities)
    notes = (
        *image_notes(scan.image, names, modalities),
        *prompt_notes(scan.prompts, scan.image.source),
    )
    if training is None:
        return Examination(notes, None)
    if order := training.likely_order(scan.image, scan.prompts):
        notes = (
            *notes,
            f"the images look like {', '.join(order)}, expected in the order"
            f" {', '.join(modalities)}: were they swapped?",
        )
    images = [part.image for part in scan.parts(len(training.channels))]
    unlike = [
        dict.fromkeys(reason for image in images for reason in training.unlike(image, prompt))
        for prompt in scan.prompts
    ]
    return Examination(notes, tuple(map(tuple, unlike)))
