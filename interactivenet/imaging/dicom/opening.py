"""DICOM data sets, read whole or in part, whatever a stranger's file claims."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial

from interactivenet.errors import DataError, one_line
from interactivenet.system.files import check_regular

#: bytes of a tag and its length: so many are asked for where a data set ends
_NEXT_TAG = 8


class Bounded(BufferedReader):
    """A file that is asked for no more than it has: a damaged header may say any length.

    is_short: whether more was asked for, within a data set: pydicom takes what comes for all.
    """

    is_short = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, or what is left."""
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        if size is None or size < 0:
            return super().read(left)
        if size > left and not (left == 0 and size == _NEXT_TAG):
            self.is_short = True
        return super().read(min(size, left))


def open_bounded(path: Path) -> Bounded:
    """Open a regular file that is asked for no more than it has; raises as ``open_regular``."""
    check_regular(path)
    return Bounded(FileIO(path))


def read_dataset(path: Path, *, pixels: bool = False, until: int | None = None) -> Dataset:
    """Read a data set; pixels: with its pixel data; until: no element beyond this tag.

    Raises DataError, with the reason alone, where it cannot be read, or ends too early.
    """

    def beyond(tag: Any, *_: object) -> bool:
        return until is not None and int(tag) > until

    stop: Callable[..., bool] = beyond
    try:
        with open_bounded(path) as file:
            if until is not None:
                return read_partial(file, stop_when=stop, force=True)
            dataset = pydicom.dcmread(file, stop_before_pixels=not pixels, force=True)
    except DataError:
        raise
    except OSError as error:
        # pydicom's own have no number
        reason = error.strerror or "it ends within its data: was it cut short?"
        raise DataError(f"cannot be read: {reason}") from error
    except Exception as error:  # of a library, on a stranger's bytes
        raise DataError(f"cannot be read as DICOM: {one_line(error)}") from error
    if file.is_short:
        raise DataError("cannot be read: it ends within its data: was it cut short?")
    return dataset
