"""How large an image is that ITK is about to read."""

from __future__ import annotations

import SimpleITK as sitk


def itemsize_of(reader: sitk.ImageFileReader) -> int:
    """Return the bytes of one channel of a voxel; reader: that has read an image's header."""
    return int(sitk.Image([1, 1], reader.GetPixelID()).GetSizeOfPixelComponent())
