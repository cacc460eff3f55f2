"""Frames of single bits, which need not begin with a byte: those of binary segmentations."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def unpack_frame(data: bytes, number: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a frame (rows, columns), 0 or 1, of pixel data that are not compressed.

    data: of all frames, whose bits follow each other, the lowest of each byte first.  number: of
    the frame, from 0.  pydicom 3.0 mistakes where small frames begin.
    """
    count = math.prod(shape)
    first = number * count
    part = np.frombuffer(data, np.uint8)[first // 8 : -(-(first + count) // 8)]
    bits = np.unpackbits(part, bitorder="little")
    return bits[first % 8 : first % 8 + count].reshape(shape)
