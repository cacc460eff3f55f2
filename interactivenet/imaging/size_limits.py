"""What an image claims to be, refused before any memory is taken for it.

A header of a few bytes can claim terabytes, and a small compressed file can hold gigabytes of
zeros. An image may have a third of the memory that is available, as reading takes about three
times its voxels; a user may allow more.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from isal import igzip

from interactivenet.errors import DataError
from interactivenet.system.files import check_regular, open_regular
from interactivenet.system.memory import SMALL, VARIABLE, in_gb, largest_image

#: GB of voxels that the reading within may take; None: what the variable or the memory allow
_MAX_GB: ContextVar[float | None] = ContextVar("max_gb", default=None)
#: bytes of a file that hold the header of NIfTI-1 and NIfTI-2
_HEADER = 544
#: bytes that a file may have beyond what its header says
_SLACK = 2**20
#: deflate makes at most so many bytes of one
_RATIO = 1032
_GZIP_MAGIC = b"\x1f\x8b"
#: lines of a text header that name other files
_DATA_FILE = re.compile(rb"^\s*(?:elementdatafile\s*=|data ?file:)\s*(.*?)\s*$", re.I | re.M)


@contextmanager
def size_limit(max_gb: float | None) -> Iterator[None]:
    """Let images have so many GB of voxels; None: as many as they may anyway."""
    before = _MAX_GB.set(max_gb if max_gb is not None else _MAX_GB.get())
    try:
        yield
    finally:
        _MAX_GB.reset(before)


def check_size(shape: Sequence[int], itemsize: int, channels: int = 1) -> int:
    """Return the bytes of voxels of a shape; itemsize: bytes of one channel of a voxel.

    Raises DataError where there are more than an image may have.
    """
    size = math.prod(int(n) for n in shape) * itemsize * channels
    if size > SMALL and size > (most := largest_image(_MAX_GB.get())):
        voxels = "x".join(map(str, shape))
        values = f" of {channels} values" if channels > 1 else ""
        raise DataError(
            f"its header says {voxels} voxels{values}, {in_gb(size)}",
            expected=f"at most {in_gb(most)}",
            remedy=f"allow more with `max_gb`, or with the variable {VARIABLE}",
        )
    return size


@dataclass(frozen=True)
class Claim:
    """What the header of a file says: voxels of a shape, itemsize bytes each, from offset on."""

    shape: Sequence[int]
    itemsize: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the whole file, decompressed."""
        return self.offset + self.itemsize * math.prod(self.shape)


def read_bounded(path: Path, claim_of: Callable[[bytes], Claim | None]) -> bytes:
    """Read a file, decompressed where it is gzip, but never more than its header says.

    claim_of: takes the first bytes and returns what they say; None where they are no header, and
    are all that is read. Raises DataError where the file is too small for what it claims, where
    that is more than an image may have, or where more comes than that; the errors of gzip where it
    is damaged.
    """
    with open_regular(path) as file:
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        head = _stream(file, compressed).read(_HEADER)
        claim, held = claim_of(bytes(head)), os.fstat(file.fileno()).st_size
        if claim is None:
            return bytes(head)
        if claim.size > (_RATIO * held + _SLACK if compressed else held):
            most = f"at most {_RATIO * held}" if compressed else f"{max(0, held - claim.offset)}"
            raise DataError(
                f"is truncated: {most} bytes of voxels, expected {claim.size - claim.offset}"
            )
        check_size(claim.shape, claim.itemsize)
        check_size([claim.offset], 1)
        file.seek(0)
        most_bytes = claim.size + _SLACK + 1
        data = bytes(_stream(file, compressed).read(most_bytes))
    if len(data) == most_bytes:
        raise DataError(f"has more bytes than the {claim.size} that its header says")
    return data


def _stream(file: BinaryIO, compressed: bool) -> BinaryIO:
    if not compressed:
        return file
    return cast("BinaryIO", igzip.IGzipFile(fileobj=file))  # type: ignore[no-untyped-call]


def check_data_files(path: Path) -> None:
    """Raise DataError where voxels that a MetaImage or NRRD header has in other files are no files.

    A FIFO, a device or a socket, that is.
    """
    with open_regular(path) as file:
        header = file.read(2**16)
    end = header.find(b"\n\n")
    header = header if end < 0 else header[:end]
    for match in _DATA_FILE.finditer(header):
        words = os.fsdecode(match[1]).split()
        if not words or words[0].upper() in ("LOCAL", "LIST"):
            names = [os.fsdecode(line).strip() for line in header[match.end() :].splitlines()]
            names = [] if words and words[0].upper() == "LOCAL" else names
        else:
            names = [words[0], os.fsdecode(match[1])]
        for name in filter(None, names):
            if "\0" in name or "=" in name:
                continue
            pattern = re.sub(r"%\d*d", "*", name)
            if pattern != name and not Path(name).is_absolute():
                for member in path.parent.glob(pattern):
                    check_regular(member)
            else:
                check_regular(path.parent / name)
