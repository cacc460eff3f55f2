"""How large an image is that ITK is about to read."""

from __future__ import annotations

from collections.abc import Sequence

import SimpleITK as sitk

from interactivenet.imaging.size_limits import check_size


def itemsize_of(reader: sitk.ImageFileReader) -> int:
    """Return the bytes of one channel of a voxel; reader: that has read an image's header."""
    return int(sitk.Image([1, 1], reader.GetPixelID()).GetSizeOfPixelComponent())


def check_series(names: Sequence[str]) -> None:
    """Raise DataError where the slices of a DICOM series claim more than an image may have."""
    reader, total = sitk.ImageFileReader(), 0
    for name in names:
        reader.SetFileName(name)
        reader.ReadImageInformation()
        components = reader.GetNumberOfComponents()
        total += check_size(reader.GetSize(), itemsize_of(reader), components)
    check_size([total], 1)
