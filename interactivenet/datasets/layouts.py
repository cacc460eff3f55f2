"""Saying what a folder is that cannot be imported: the layouts of well-known datasets."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from interactivenet.datasets.stray_files import described_entries
from interactivenet.imaging.io import READABLE, suffix_of

EXPECTED = (
    "dataset.json (Decathlon, nnU-Net) with the folders that it names, or the folders images and"
    " labels"
)
#: folders that are looked into for an image, and images in a message
_LOOKED_INTO, _MOST = 20, 3


def described_layout(folder: Path) -> str:
    """Say what is in a folder that is no dataset we know, as one clause.

    Raises RequestError where the folder cannot be read.
    """
    entries = described_entries(folder)
    names = {path.name for path in folder.iterdir()}
    guess = _guess(folder, names)
    return f"{guess} (it holds {entries})" if guess else f"it holds {entries}"


def _guess(folder: Path, names: set[str]) -> str:
    if "dataset_description.json" in names or any(name.startswith("sub-") for name in names):
        return "it looks like BIDS, which is not imported"
    if {"imagesTr", "labelsTr"} <= names:
        return (
            "it has imagesTr and labelsTr, but no dataset.json: put it among the raw tasks as"
            " TaskXXX_NAME and check it there, if its files are named as a task's"
        )
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    for path in inner:
        if (path / "dataset.json").exists():
            return f"{path.name} in it has a dataset.json, and may be meant"
        if (path / "images").is_dir() and (path / "labels").is_dir():
            return f"{path.name} in it has images and labels, and may be meant"
    images = [image for path in inner[:_MOST] if (image := _image_in(path))]
    if images:
        return f"it has images in its folders, such as {', '.join(images)}, which is not imported"
    loose = sorted(name for name in names if suffix_of(Path(name), READABLE))
    if loose:
        return f"it has images and no folders, such as {loose[0]}, which is not imported"
    return ""


def _image_in(folder: Path) -> str:
    """Return the first image or DICOM file in a folder, as a path from that one's, '' for none."""
    for place, below, files in islice(os.walk(folder), _LOOKED_INTO):
        below.sort()
        for file in sorted(files):
            if suffix_of(Path(file), (*READABLE, ".dcm")):
                return str(Path(place, file).relative_to(folder.parent))
    return ""
