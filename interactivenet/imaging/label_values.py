"""The values of label maps: whole numbers from 0, whatever a file stores them as."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from interactivenet.errors import DataError, naming
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.lattice import on_image
from interactivenet.imaging.volume import Volume

#: label maps are 32-bit at most
MAX_LABEL = 2**32 - 1
#: label values this close to a whole number, of their size and at most, are off by rounding
_ROUNDING, _MOST_ROUNDING = 1e-3, 0.1


def as_label(path: Path, volume: Volume, image: tuple[Path, Geometry] | None = None) -> Volume:
    """Take a volume for a label map; path: what messages call it.

    Returns and raises what :func:`~interactivenet.imaging.io.read_label` does.
    """
    array, notes = volume.array, volume.notes
    with naming(path):
        if len(array) != 1:
            raise DataError(f"has {len(array)} channels, expected a label map of one")
        if array.dtype.kind == "f":
            array, note = _rounded(array)
            notes = (*notes, note)
        if array.size and array.min() < 0:
            raise DataError(f"holds the negative label value {array.min():g}, expected 0 or more")
        if array.size and array.max() > MAX_LABEL:
            raise DataError(f"holds the label value {array.max():g}, expected at most {MAX_LABEL}")
        stored = volume.source.from_ras(array.astype(label_type(array)))
        label = Volume.from_stored(stored, volume.source, notes=notes)
    return on_image(path, label, *image) if image else label


def label_type(array: Array) -> np.dtype[np.unsignedinteger]:
    """Return the smallest unsigned type that holds the values of a label map."""
    return np.dtype(np.min_scalar_type(int(array.max(initial=0))))


def _rounded(array: Array) -> tuple[Array, str]:
    """Return label values that were stored as fractions, whole; and a note.

    Programs scale them by 1.00002, or store 0.9999999: that is rounding, and 0.5 is not.
    """
    whole = np.rint(array)
    off = np.abs(whole - array)
    if off.max(initial=0) > 0:
        wrong = off > np.minimum(_MOST_ROUNDING, _ROUNDING * np.maximum(1, np.abs(whole)))
        if wrong.any():
            raise DataError(
                f"holds label values that are not whole numbers, such as {array[wrong][0]:g}"
            )
    by = f", off by up to {off.max():.2g}" if off.any() else ""
    return whole, f"labels are stored as {array.dtype}{by}, read as whole numbers"
