"""MetaImage files, read here: ITK blames an ioctl where voxels are cut off, and prints to stderr.

ITK writes them, and reads the rare forms: voxels in text, or in a file per slice.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from isal import isal_zlib
from numpy.typing import NDArray

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.itk import (
    COMPRESSION_LEVEL,
    ItkGeometry,
    _array,
    _check_complete,
    _last_sentence,
    make_itk_image,
)
from interactivenet.imaging.size_limits import check_size
from interactivenet.system.files import open_regular, read_bytes, replacing
from interactivenet.system.native_output import silent_libraries

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i8", "MET_ULONG": "u8", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
#: names, new and old, of the place of the first voxel, and of the directions of the axes
_VECTORS = ("Offset", "Position", "Origin")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")
#: no header is longer, in bytes
_LONGEST_HEADER = 1 << 20


def read_metaimage(path: Path) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read a ``.mha`` or ``.mhd`` volume as stored: array (X, Y, Z), grid, notes."""
    with open_regular(path) as file:  # the system's own reason, where it may not be read
        start = file.read(_LONGEST_HEADER)
    fields, voxels_at = _header(start)
    _check_header(fields)
    if not {"ElementSpacing", "ElementSize"} & set(fields):
        raise DataError("says nothing of the size of its voxels", expected="ElementSpacing")
    unit = fields.get("DistanceUnits", "mm").lower()
    if unit not in ("mm", "millimeter", "?", ""):
        raise DataError(f"gives its geometry in {unit}, expected mm")
    sizes = [int(float(word)) for word in fields["DimSize"].split()]
    if len(sizes) != 3 and not (len(sizes) == 4 and sizes[3] == 1):
        hint = " (one file per modality)" if len(sizes) > 3 else ""
        found = "x".join(map(str, sizes))
        raise DataError(f"has {len(sizes)} axes {found}, expected 3{hint}")
    components = _integer(fields, "ElementNumberOfChannels", 1)
    if components != 1:
        raise DataError(f"has {components} values per voxel, expected 1")
    shape = (sizes[0], sizes[1], sizes[2])
    native = _native(fields, len(sizes))
    geometry = Geometry(shape, native.affine(), native=native)
    check_size(shape, np.dtype(_TYPES[fields["ElementType"].upper()]).itemsize)
    data = _data(path, fields, voxels_at)
    array = _by_itk(path, shape) if data is None else _voxels(data, fields, shape)
    return array, geometry, ()


def write_metaimage(path: Path, array: Array, geometry: Geometry) -> None:
    """Write an array (X, Y, Z) of the stored grid ``geometry`` as a compressed ``.mha``."""
    image = make_itk_image(array, geometry)
    with replacing(path) as temporary:
        try:
            with silent_libraries():
                sitk.WriteImage(image, str(temporary), True, COMPRESSION_LEVEL)
        except RuntimeError as error:
            raise DataError(f"{path}: cannot be written: {_last_sentence(error)}") from error
        _check_complete(path, temporary, image)


def data_files(path: Path) -> list[Path]:
    """Return the files beside a ``.mhd`` or ``.mha`` header that hold its voxels."""
    try:
        with open_regular(path) as file:
            fields, _ = _header(file.read(_LONGEST_HEADER))
    except (OSError, DataError):
        return []
    name = fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return []
    if name.upper().startswith("LIST") or "%" in name:  # a file per slice
        return sorted(file for file in path.parent.iterdir() if file.is_file() and file != path)
    return [path.parent / name]


def _header(start: bytes) -> tuple[dict[str, str], int]:
    """Parse the lines of a header; return them, and where in the file they end."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(start):
        end = start.find(b"\n", position)
        end = len(start) if end < 0 else end
        key, mark, value = start[position:end].decode("utf-8", "replace").partition("=")
        position = end + 1
        if mark:
            fields[key.strip()] = value.strip()
        if mark and key.strip() == "ElementDataFile":
            return fields, position
    raise DataError("is not a MetaImage file: its header lacks 'ElementDataFile'")


def _check_header(fields: dict[str, str]) -> None:
    """Raise DataError where a header is broken, of which ITK tells stderr alone."""
    if fields.get("ObjectType", "Image").lower() != "image":
        raise DataError(f"holds a MetaImage '{fields['ObjectType']}', expected an Image")
    axes = _integer(fields, "NDims", 0)
    if not 1 <= axes <= 9:
        raise DataError("is not a MetaImage file: its header lacks 'NDims'")
    for name in ("DimSize", "ElementType"):
        if not fields.get(name):
            raise DataError(f"is not a MetaImage file: its header lacks '{name}'")
    if fields["ElementType"].upper() not in _TYPES:
        raise DataError(f"has voxels of type {fields['ElementType']}, expected one number each")
    names = list(fields)
    for name in ("DimSize", "ElementSpacing", "ElementSize", *_VECTORS, *_MATRICES):
        if name not in fields:
            continue
        count = axes**2 if name in _MATRICES else axes
        try:
            values = [float(word) for word in fields[name].split()]
        except ValueError:
            values = []
        finite = all(map(math.isfinite, values))
        if len(values) != count or not finite or names.index(name) < names.index("NDims"):
            raise DataError(f"has {name} '{fields[name]}', expected {count} numbers after NDims")
        if name == "DimSize" and min(values) < 1:
            raise DataError(f"has {name} '{fields[name]}', expected positive numbers")


def _data(path: Path, fields: dict[str, str], voxels_at: int) -> bytes | memoryview | None:
    """Return the bytes that hold the voxels, still compressed; None where ITK must find them."""
    name, skip = fields["ElementDataFile"], _integer(fields, "HeaderSize", 0)
    binary = _is_true(fields, "BinaryData", True)
    if name.upper().startswith("LIST") or "%" in name or not binary:
        return None
    data: bytes | memoryview
    if name.upper() == "LOCAL":
        data = memoryview(read_bytes(path))[voxels_at:]  # not copied
        skip = 0
    else:
        file = path.parent / name
        if not file.is_file():
            raise DataError(f"lacks its voxels: {name} does not exist beside it")
        data = read_bytes(file)
    if skip > 0:
        data = data[skip:]
    elif skip < 0:  # they are the end of the file
        data = data[-_expected(fields) :]
    return data


def _voxels(data: bytes | memoryview, fields: dict[str, str], shape: tuple[int, int, int]) -> Array:
    """View the voxels (X, Y, Z) in the bytes that hold them."""
    kind = _TYPES[fields["ElementType"].upper()]
    if _is_true(fields, "CompressedData", False):
        expected = _integer(fields, "CompressedDataSize", 0)
        if len(data) < expected:
            raise DataError(
                f"is truncated: {len(data)} bytes of compressed voxels, expected {expected}"
            )
        try:
            unpack = isal_zlib.decompressobj()
            # a small file can hold gigabytes: no more than its header says
            data = unpack.decompress(data, math.prod(shape) * np.dtype(kind).itemsize)
        except (zlib.error, isal_zlib.error) as error:  # type: ignore[misc]
            raise DataError(f"has damaged compressed voxels: {one_line(error)}") from error
    old = _is_true(fields, "ElementByteOrderMSB", False)
    big = _is_true(fields, "BinaryDataByteOrderMSB", old)
    stored = np.dtype((">" if big else "<") + kind)
    expected = math.prod(shape) * stored.itemsize
    if len(data) < expected:
        raise DataError(f"is truncated: {len(data)} bytes of voxels, expected {expected}")
    array = np.frombuffer(data, stored, math.prod(shape)).reshape(shape, order="F")
    return np.asarray(array.astype(stored.newbyteorder("="), copy=False))


def _expected(fields: dict[str, str]) -> int:
    """Return the bytes that the voxels take, by the header; compressed ones, where they are."""
    if _is_true(fields, "CompressedData", False):
        return _integer(fields, "CompressedDataSize", 0)
    try:
        shape = [int(word) for word in fields.get("DimSize", "").split()]
    except ValueError as error:
        raise DataError(f"is not a MetaImage file: {one_line(error)}") from error
    return math.prod(shape) * np.dtype(_TYPES[fields["ElementType"].upper()]).itemsize


def _native(fields: dict[str, str], axes: int) -> ItkGeometry:
    """Return the geometry of the three axes of space, as ITK has it; a fourth is time."""

    def numbers(names: tuple[str, ...], default: NDArray[np.float64]) -> NDArray[np.float64]:
        words = next((fields[name].split() for name in names if name in fields), None)
        return default if words is None else np.array([float(word) for word in words])

    spacing = numbers(("ElementSpacing", "ElementSize"), np.ones(axes))
    origin = numbers(_VECTORS, np.zeros(axes))
    rows = numbers(_MATRICES, np.eye(axes).ravel()).reshape(axes, axes)[:3, :3]
    return ItkGeometry(
        tuple(spacing[:3].tolist()), tuple(origin[:3].tolist()), tuple(rows.T.ravel().tolist())
    )


def _by_itk(path: Path, shape: tuple[int, int, int]) -> Array:
    """Read the voxels of the rare forms: in text, or in a file per slice."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("MetaImageIO")  # chosen here: ITK knows suffixes in lower case only
    try:
        with silent_libraries():
            return _array(reader.Execute()).reshape(shape, order="F")
    except (RuntimeError, ValueError) as error:
        reason = _last_sentence(error) if isinstance(error, RuntimeError) else one_line(error)
        raise DataError(f"is not a readable image: {reason}") from error


def _is_true(fields: dict[str, str], name: str, default: bool) -> bool:
    return fields[name][:1].upper() in ("T", "1", "Y") if fields.get(name) else default


def _integer(fields: dict[str, str], name: str, default: int) -> int:
    try:
        return int(fields.get(name, default))
    except ValueError as error:
        raise DataError(f"has {name} '{fields[name]}', expected a number") from error
