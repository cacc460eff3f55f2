"""Tensors of a ``torch.save`` file, built by numpy with every bound checked; torch is not asked.

Both formats are read: the zip archive, and the one before it, a row of pickles and raw storages.
"""

from __future__ import annotations

import math
import struct
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, naming, one_line
from interactivenet.legacy.pickle_reader import (
    MAX_PICKLE_BYTES,
    CallRecord,
    GlobalName,
    PickleReader,
    StorageReference,
    describe,
    printable,
)
from interactivenet.system.files import open_regular

#: largest file, most bytes of all tensors that are built, most entries of an archive
MAX_BYTES, MAX_ENTRIES = 512 << 20, 100_000
_MOST_AXES = 8
#: bytes per element of a storage, and numpy's type; bfloat16 is read as whole numbers
_TYPES: dict[str, tuple[int, str | None]] = {
    "FloatStorage": (4, "<f4"), "DoubleStorage": (8, "<f8"), "HalfStorage": (2, "<f2"),
    "BFloat16Storage": (2, "<u2"), "LongStorage": (8, "<i8"), "IntStorage": (4, None),
    "ShortStorage": (2, None), "CharStorage": (1, None), "ByteStorage": (1, None),
    "BoolStorage": (1, None), "ComplexFloatStorage": (8, None), "ComplexDoubleStorage": (16, None),
}  # fmt: skip
#: most bytes of an archive's list of entries, which zipfile reads at once
_LIST_BYTES = 16 << 20
_DAMAGED = (zipfile.BadZipFile, EOFError, ValueError, struct.error, NotImplementedError)
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_REBUILD = GlobalName("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = GlobalName("torch._utils", "_rebuild_parameter")


class Storages(ABC):
    """The storages of an open file: what its pickle's references mean."""

    def __init__(self) -> None:
        self._left = MAX_BYTES
        self._read: dict[str, NDArray[Any]] = {}

    def tensor(self, record: object) -> NDArray[np.float32]:
        """Build the tensor that a record describes; a parameter is the tensor inside.

        Raises DataError where the record is of another kind, or reaches beyond its storage.
        """
        if isinstance(record, CallRecord) and record.cls == _PARAMETER:
            args = record.args
            record = args[0] if isinstance(args, tuple) and args else None
        if not isinstance(record, CallRecord) or record.cls != _REBUILD:
            raise DataError(f"is {describe(record)}, expected a tensor ({_REBUILD})")
        args = record.args
        if not (
            isinstance(args, tuple) and len(args) > 3 and isinstance(args[0], StorageReference)
        ):
            raise DataError(f"calls {_REBUILD} without a storage, a size and strides")
        offset, size, stride = args[1:4]
        if not (_is_count(offset) and _are_counts(size) and _are_counts(stride)):
            raise DataError("has an offset, size or stride that is not a whole number from 0")
        if len(size) != len(stride) or len(size) > _MOST_AXES:
            raise DataError(f"has {len(size)} sizes and {len(stride)} strides")
        values = self._values(args[0].pid)
        count = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if count == 0 or count > len(values) or last >= len(values):
            raise DataError(
                f"has {count} elements up to the {last + 1}th of a storage of {len(values)}"
            )
        self._spend(4 * count)
        steps = tuple(step * values.itemsize for step in stride)
        view = np.lib.stride_tricks.as_strided(values[offset:], size, steps, writeable=False)
        if values.dtype == np.uint16:  # the upper half of a float32
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view.astype(np.float32)

    @abstractmethod
    def _bytes(self, key: str, count: int, itemsize: int) -> bytes:
        """Read a storage of ``count`` elements; raises DataError where it is of another size."""

    def _values(self, pid: object) -> NDArray[Any]:
        kind, key, count = storage_of(pid)
        itemsize, dtype = _TYPES[kind]
        if dtype is None:
            raise DataError(f"is stored as {kind}, expected numbers such as FloatStorage")
        if key not in self._read:
            self._spend(itemsize * count)
            self._read[key] = np.frombuffer(self._bytes(key, count, itemsize), dtype)
        values = self._read[key]
        if values.dtype != dtype or len(values) != count:
            raise DataError(f"its storage {key} is given two types or sizes")
        return values

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise DataError(f"its tensors take more than {MAX_BYTES >> 20} MiB")


class _Guarded(BufferedReader):
    """A file of which no more than ``most`` bytes are read at once."""

    most = MAX_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise zipfile.BadZipFile(f"{size} bytes at once, expected up to {self.most}")
        return super().read(size)


class ZippedStorages(Storages):
    """Storages in a zip archive: ``STEM/data/KEY`` beside ``STEM/data.pkl``."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        super().__init__()
        self._archive = archive
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise DataError(f"has {len(entries)} entries, expected up to {MAX_ENTRIES}")
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) < len(entries):
            raise DataError("has several entries of one name")
        pickles = [name for name in self._entries if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise DataError(
                f"has {len(pickles)} entries NAME/data.pkl, expected one, as torch.save writes it"
            )
        self._stem = pickles[0].split("/")[0]
        order = f"{self._stem}/byteorder"
        if order in self._entries and self._whole(order, 16).strip() != b"little":
            raise DataError("was not written in little-endian byte order")

    def top(self) -> Any:
        """Read the pickle: its top object."""
        return PickleReader().run(BytesIO(self._whole(f"{self._stem}/data.pkl", MAX_PICKLE_BYTES)))

    def _bytes(self, key: str, count: int, itemsize: int) -> bytes:
        name = f"{self._stem}/data/{key}"
        data = self._whole(name, count * itemsize)
        if len(data) != count * itemsize:
            raise DataError(f"has {len(data)} bytes in {name}, expected {count} x {itemsize}")
        return data

    def _whole(self, name: str, most: int) -> bytes:
        entry = self._entries.get(name)
        if entry is None:
            raise DataError(f"has no entry {printable(name)}")
        stored = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1
        if not stored or entry.file_size != entry.compress_size:
            raise DataError(f"has a compressed entry {printable(name)}, expected a stored one")
        if entry.file_size > most:
            shown = printable(name)
            raise DataError(f"has {entry.file_size} bytes in {shown}, expected up to {most}")
        return self._archive.read(entry)


class SequentialStorages(Storages):
    """Storages behind the pickles of the older format: of each, its length and its elements."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        magic, protocol, system = (PickleReader().run(file) for _ in range(3))
        if type(magic) is not int or magic != _MAGIC or protocol != _PROTOCOL:
            raise DataError("was not written by torch.save: another magic number or protocol")
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise DataError("was not written in little-endian byte order")
        reader = PickleReader()
        self._top = reader.run(file)
        keys = PickleReader().run(file)
        if not isinstance(keys, list) or any(type(key) is not str for key in keys):
            raise DataError("has no list of its storages")
        sizes = {}
        for reference in reader.references:
            kind, key, count = storage_of(reference.pid)
            sizes[key] = (_TYPES[kind][0], count)
        self._places: dict[str, int] = {}
        for key in keys:
            itemsize, count = sizes.get(key, (0, 0))
            length = int.from_bytes(file.read(8), "little")
            if not itemsize or length != count:
                shown = printable(key)
                raise DataError(f"has {length} elements in its storage {shown}, expected {count}")
            self._places[key] = file.tell()
            file.seek(itemsize * count, 1)
        end = file.tell()
        if file.seek(0, 2) < end:
            raise DataError("is truncated: its storages reach beyond its end")

    def top(self) -> Any:
        """Return the pickle's top object."""
        return self._top

    def _bytes(self, key: str, count: int, itemsize: int) -> bytes:
        if key not in self._places:
            raise DataError(f"has no storage {printable(key)}")
        self._file.seek(self._places[key])
        data = self._file.read(count * itemsize)
        if len(data) != count * itemsize:
            raise DataError(f"is truncated: {len(data)} bytes of its storage {printable(key)}")
        return data


@contextmanager
def open_saved(path: Path) -> Iterator[ZippedStorages | SequentialStorages]:
    """Open what ``torch.save`` has written; DataErrors that are raised inside name the file.

    Raises DataError where it cannot be read, or is larger than ``MAX_BYTES``.
    """
    with naming(path):
        try:
            with open_regular(path) as raw, _Guarded(raw.raw) as file:
                size = file.seek(0, 2)
                if size > MAX_BYTES:
                    raise DataError(f"has {size} bytes, expected up to {MAX_BYTES}")
                file.seek(0)
                if file.read(2) == b"PK":
                    file.most = _LIST_BYTES
                    with zipfile.ZipFile(file) as archive:
                        file.most = MAX_BYTES
                        yield ZippedStorages(archive)
                else:
                    file.seek(0)
                    yield SequentialStorages(file)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}") from error
        except _DAMAGED as error:
            raise DataError(f"is a damaged archive: {printable(one_line(error))}") from error


def storage_of(pid: object) -> tuple[str, str, int]:
    """Read a reference to a storage: its type, its key, its number of elements."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
        raise DataError("refers to something outside its pickle that is not a storage")
    _, kind, key, _, count = pid[:5]
    if not isinstance(kind, GlobalName) or kind.module != "torch" or kind.name not in _TYPES:
        raise DataError(f"has a storage of type {describe(kind)}, which models do not need")
    if len(pid) == 6 and pid[5] is not None:
        raise DataError("has a storage that is part of another, which models do not need")
    if type(key) is not str or not key.isascii() or not key.isdigit() or not _is_count(count):
        raise DataError(
            "has a storage whose key is not a number or whose size is not a whole number"
        )
    return kind.name, key, count


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _are_counts(values: object) -> bool:
    return isinstance(values, tuple) and all(_is_count(value) for value in values)
