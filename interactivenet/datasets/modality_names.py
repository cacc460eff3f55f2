"""What a scan is called among modalities, where nobody has said: by its header, name and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interactivenet.datasets.hounsfield import looks_like_ct
from interactivenet.datasets.image_checks import dicom_modality
from interactivenet.imaging.geometry import Array
from interactivenet.imaging.volume import Volume
from interactivenet.system.names import word_fault

#: of an image of which nothing is known: it is normalised by itself
UNKNOWN = "image"


def modality_names(image: Volume, names: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each channel of an image, of which no two are the same.

    names: of the channels' files.
    """
    tags = image.tags or ({},) * len(image.array)
    found = [
        _name(array, tag, name) for array, tag, name in zip(image.array, tags, names, strict=True)
    ]
    return tuple(
        f"{name}_{found[: number + 1].count(name)}" if found.count(name) > 1 else name
        for number, name in enumerate(found)
    )


def _name(array: Array, tags: Mapping[str, str], name: str) -> str:
    said = tags.get("Modality", "").strip().upper()
    if said and not word_fault(said):
        return said
    if meant := dicom_modality(name.split(".")[0]):
        return meant
    return "CT" if looks_like_ct(array) else UNKNOWN
