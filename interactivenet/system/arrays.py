"""Arrays in .npz files: nothing is allocated but for what the file holds."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from interactivenet.errors import DataError
from interactivenet.system.files import open_regular
from interactivenet.system.memory import SMALL, available_memory, in_gb

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile


@contextmanager
def open_arrays(path: Path) -> Iterator[NpzFile]:
    """Open an .npz file; nothing in it is executed.

    Raises DataError where an array is larger than its entry, or all together than the memory that
    is available; otherwise the errors of ``numpy.load``.
    """
    import numpy as np

    with open_regular(path) as file:
        _check(path, file)
        file.seek(0)
        with np.load(file, allow_pickle=False) as content:
            yield content


def _check(path: Path, file: BinaryIO) -> None:
    from numpy.lib import format as npy

    total = 0
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                version = npy.read_magic(stream)
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(stream)
            size = dtype.itemsize * math.prod(shape)
            if size > entry.file_size:
                raise DataError(
                    f"{path}: array {entry.filename} says that it has {in_gb(size)}, its entry has"
                    f" {in_gb(entry.file_size)}"
                )
            total += size
    if total > SMALL and total > (free := available_memory()):
        raise DataError(f"{path}: takes {in_gb(total)}, there are {in_gb(free)} of memory")
