"""What is doubtful about an image, for training as for new cases: one set of checks for both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from interactivenet.datasets.hounsfield import HOUNSFIELD, clipped_channels
from interactivenet.errors import DataError
from interactivenet.imaging.volume import Volume

#: DICOM's term for a kind of image -> words that stand for it in the name of a modality
_WORDS = {
    "CT": {"ct", "cta", "cbct", "cect", "ncct", "hu"},
    "MR": {
        "mr", "mri", "mra", "t1", "t1c", "t1ce", "t1gd", "t1n", "t1post", "t1w", "t2", "t2f",
        "t2star", "t2w", "flair", "dwi", "adc", "dce", "stir", "swi", "pdw",
    },
    "PT": {"pet", "pt", "suv", "fdg"},
    "US": {"us", "ultrasound"},
    "NM": {"nm", "spect"},
}  # fmt: skip
#: spacing beyond which a unit is more likely wrong than a scan so fine or so coarse, mm
_FINEST, _COARSEST = 0.05, 20.0


def dicom_modality(name: str) -> str:
    """Return DICOM's term for what a modality's name means, such as 'MR' for 'T1'; '' if unclear.

    A name that means several is unclear.
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    meant = [term for term, names in _WORDS.items() if words & names]
    return meant[0] if len(meant) == 1 else ""


def image_notes(volume: Volume, names: Sequence[str], modalities: Sequence[str]) -> tuple[str, ...]:
    """Say what is doubtful about an image, each sentence after the name of its channel.

    names, modalities: of the channels. What the reader noticed is a part of it; of several channels
    it already names its file.
    """
    single = len(volume.array) == 1
    notes = [f"{names[0]}: {note}" if single else note for note in volume.notes]
    spacing = " x ".join(f"{mm:.4g}" for mm in volume.spacing)
    clipped = clipped_channels(volume, modalities)
    for channel, name, modality, clip in zip(volume.array, names, modalities, clipped, strict=True):
        if min(volume.shape) == 1:
            notes.append(f"{name}: is one voxel thick, hardly a 3D image")
        if min(volume.spacing) < _FINEST or max(volume.spacing) > _COARSEST:
            notes.append(f"{name}: has voxels of {spacing} mm: is that the right unit?")
        low, high = channel.min(), channel.max()
        if low == high:
            notes.append(f"{name}: every voxel is {low:g}")
        elif dicom_modality(modality) == "CT" and low >= 0:
            notes.append(
                f"{name}: named {modality}, but no value is below 0 (not in Hounsfield units?)"
            )
        elif clip:
            notes.append(
                f"{name}: taken for CT: its values from {low:g} to {high:g} are clipped to"
                f" {HOUNSFIELD[0]:g}..{HOUNSFIELD[1]:g} HU"
            )
    return tuple(dict.fromkeys(notes))


def check_tags(
    tags: Sequence[Mapping[str, str]], names: Sequence[str], modalities: Sequence[str]
) -> None:
    """Raise DataError where a channel's DICOM tag contradicts the modality of its place.

    tags, names, modalities: of the channels. The message names the right order where there is one.
    Files without such a tag, and names of modalities that may mean anything, are not judged.
    """
    said = [tag.get("Modality", "").strip().upper() for tag in tags]
    meant = [dicom_modality(modality) for modality in modalities]
    for tag, term, name, modality in zip(said, meant, names, modalities, strict=True):
        if tag not in _WORDS or not term or tag == term:
            continue
        remedy = f"use a model of {tag}, or the {modality} of this patient"
        if len(said) > 1 and sorted(said) == sorted(meant):
            remedy = (
                f"give the images in the order {', '.join(modalities)}: by their tags they are"
                f" {', '.join(said)}"
            )
        raise DataError(
            f"{name}: its DICOM tag Modality is {tag}", expected=f"{term} ({modality})",
            remedy=remedy,
        )  # fmt: skip
