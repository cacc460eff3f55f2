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


class _Bounded(BufferedReader):
    """A file that is asked for no more than it has: a damaged header may say any length."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        return super().read(left if size is None or size < 0 else max(0, min(size, left)))


def open_bounded(path: Path) -> BufferedReader:
    """Open a regular file that is asked for no more than it has; raises as ``open_regular``."""
    check_regular(path)
    return _Bounded(FileIO(path))


def read_dataset(path: Path, *, pixels: bool = False, until: int | None = None) -> Dataset:
    """Read a data set; pixels: with its pixel data; until: no element beyond this tag.

    Raises DataError, with the reason alone, where it cannot be read.
    """

    def beyond(tag: Any, *_: object) -> bool:
        return until is not None and int(tag) > until

    stop: Callable[..., bool] = beyond
    try:
        with open_bounded(path) as file:
            if until is not None:
                return read_partial(file, stop_when=stop, force=True)
            return pydicom.dcmread(file, stop_before_pixels=not pixels, force=True)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # of a library, on a stranger's bytes
        raise DataError(f"cannot be read as DICOM: {one_line(error)}") from error
