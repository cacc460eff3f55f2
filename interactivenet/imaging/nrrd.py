"""NRRD files through pynrrd: .nrrd, .nhdr with its voxels beside it, and .seg.nrrd.

ITK makes a sheared grid orthogonal without a word, and does not know bzip2. It is asked for the
rare forms that pynrrd does not know, and for the place of voxels whose header names no space.
"""

from __future__ import annotations

import bz2
import io
import math
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import SimpleITK as sitk
from isal import isal_zlib
from numpy.typing import NDArray

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import LPS_RAS, Array, Geometry
from interactivenet.imaging.itk import COMPRESSION_LEVEL, ItkGeometry, _affine, _array
from interactivenet.imaging.itk import _last_sentence as last_sentence
from interactivenet.imaging.size_limits import check_size
from interactivenet.system.files import open_regular, read_bytes, write_bytes
from interactivenet.system.native_output import silent_libraries

Header = Mapping[str, Any]

#: signs that turn the axes of a space into LPS
_SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
_LIST = re.compile(rb"data ?file:\s*LIST", re.IGNORECASE)
_UNITS = re.compile(rb"(space )?units:", re.IGNORECASE)
#: the letter of micrometres in UTF-8 (two of them) and latin-1: pynrrd drops what is not ASCII
_MICRO = re.compile(rb"\xc2\xb5|\xce\xbc|\xb5")
_MM = {"mm", "millimeter", "millimetre", "millimeters", "millimetres", "", "???"}
#: bytes that voxels may have beyond what the header says
_SLACK = 2**20
_GZIP, _BZIP2, _TEXT = ("gzip", "gz"), ("bzip2", "bz2"), ("ascii", "text", "txt")


def read_nrrd(path: Path) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read a ``.nrrd`` or ``.nhdr`` volume as stored: array (X, Y, Z), grid, notes."""
    header, at = read_header(path)
    sizes = _sizes(header)
    space = axes_of_space(header)
    lists = [axis for axis in range(len(sizes)) if axis not in space]
    if len(space) != 3 or any(sizes[axis] != 1 for axis in lists):
        kinds = {str(kind) for kind in header.get("kinds", ())}
        if len(lists) == 1 and not kinds <= {"domain", "space", "list", "time", "none", "???"}:
            raise DataError(f"has {sizes[lists[0]]} values per voxel, expected 1")
        hint = " (one file per modality)" if len(sizes) > 3 else ""
        raise DataError(f"has {len(sizes)} axes {'x'.join(map(str, sizes))}, expected 3{hint}")
    array = read_voxels(path, header, at)
    geometry, notes = grid_of(path, header, space)
    return array.reshape(geometry.shape, order="F"), geometry, notes


def write_nrrd(path: Path, array: Array, geometry: Geometry) -> None:
    """Write an array (X, Y, Z) of the stored grid ``geometry`` as a compressed ``.nrrd``."""
    write_bytes(path, nrrd_bytes(array, geometry))


def nrrd_bytes(array: Array, geometry: Geometry) -> bytes:
    """Return what :func:`write_nrrd` writes."""
    columns = geometry.affine[:3, :3] * LPS_RAS[:, None] + 0.0  # + 0.0: no negative zeros
    header = {
        "space": "left-posterior-superior",
        "kinds": ["domain"] * 3,
        "space directions": columns.T,
        "space origin": geometry.affine[:3, 3] * LPS_RAS + 0.0,
        "encoding": "gzip",
    }
    out = io.BytesIO()
    nrrd.write(out, array, header, index_order="F", compression_level=COMPRESSION_LEVEL)
    # pynrrd dates its files: the same input must give the same bytes
    return re.sub(rb"# on [^\n]*\n", b"", out.getvalue(), count=1)


def data_files(path: Path) -> list[Path]:
    """Return the files beside a header that hold its voxels; none where they follow it."""
    try:
        header, _ = read_header(path)
    except (OSError, DataError):
        return []
    name = _data_file(header)
    if not name:
        return []
    if name.upper().startswith("LIST") or "%" in name:
        return sorted(file for file in path.parent.iterdir() if file.is_file() and file != path)
    return [path.parent / name]


def read_header(path: Path) -> tuple[Header, int]:
    """Read the fields of a header, and where in the file it ends."""
    lines, at = [], 0
    with open_regular(path) as file:
        if file.read(4) != b"NRRD":
            raise DataError("is not a NRRD file: it does not begin with 'NRRD'")
        file.seek(0)
        while line := file.readline():
            at += len(line)
            if not line.strip():
                break
            lines.append(_MICRO.sub(b"u", line) if _UNITS.match(line) else line)
            if _LIST.match(line):  # names of files follow, which pynrrd takes for fields
                break
    try:
        return nrrd.read_header(lines), at
    except (nrrd.NRRDError, ValueError, LookupError, TypeError, StopIteration) as error:
        raise DataError(f"is not a readable NRRD file: {one_line(error)}") from error


def grid_of(path: Path, header: Header, space_axes: list[int]) -> tuple[Geometry, tuple[str, ...]]:
    """Return the grid of the three axes of space, and notes."""
    sizes = _sizes(header)
    shape = (sizes[space_axes[0]], sizes[space_axes[1]], sizes[space_axes[2]])
    of_axes = header.get("units", ())
    units = [*header.get("space units", ()), *(of_axes[axis] for axis in space_axes if of_axes)]
    for unit in (str(unit).strip('" ').lower() for unit in units):
        if unit not in _MM:
            raise DataError(f"gives its geometry in {unit}, expected mm: convert its header first")
    space = str(header.get("space", "")).lower()
    rows, origin = _directions(header), header.get("space origin")
    if rows is None and not np.isfinite(np.asarray(header.get("spacings", np.nan), float)).any():
        raise DataError(
            "says nothing of the size of its voxels", expected="space directions, or spacings"
        )
    if rows is None or not space:
        native = _itk_geometry(path, space_axes)
        note = "its header names no space: left and right are a guess (LPS is assumed)"
        return Geometry(shape, native.affine()), (note,)
    signs = np.array(_SPACES.get(space, ()))
    if not len(signs):
        raise DataError(f"has space '{space}', expected a patient space such as LPS")
    if rows.shape != (3, 3):
        raise DataError(f"has space directions of shape {rows.shape}, expected three vectors")
    start = np.zeros(3) if origin is None else np.asarray(origin, dtype=np.float64)
    if start.shape != (3,):
        raise DataError(f"has a space origin of {start.size} numbers, expected three")
    return Geometry(shape, _affine(rows.T * signs[:, None], start * signs)), ()


def read_voxels(path: Path, header: Header, at: int) -> Array:
    """Read all values of a file, whose header ends at a byte, in the order of its axes."""
    sizes, name = _sizes(header), _data_file(header)
    encoding = str(header.get("encoding", "")).lower()
    check_size(sizes, _type(header).itemsize)
    many = name.upper().startswith("LIST") or "%" in name
    if many or encoding not in ("raw", *_GZIP, *_BZIP2, *_TEXT):
        return _by_itk(path, sizes)
    file = path.parent / name if name else path
    if not file.is_file():
        raise DataError(f"lacks its voxels: {name} does not exist beside it")
    stored = _type(header)
    lines, skip = (_integer(header, field) for field in ("line skip", "byte skip"))
    data = read_bytes(file)[0 if name else at :]
    for _ in range(lines):
        data = data.partition(b"\n")[2]
    if encoding in _TEXT:
        return _of_text(data[max(skip, 0) :], stored, sizes)
    expected = math.prod(sizes) * stored.itemsize
    data = _unpacked(data, encoding, expected + max(skip, 0))
    data = data[max(0, len(data) - expected) if skip < 0 else skip :]
    if len(data) < expected:
        raise DataError(f"is truncated: {len(data)} bytes of voxels, expected {expected}")
    array = np.frombuffer(data, stored, math.prod(sizes)).reshape(sizes, order="F")
    return np.asarray(array.astype(stored.newbyteorder("="), copy=False))


def axes_of_space(header: Header) -> list[int]:
    """Return which axes lie in space, the others are lists: of layers, times or colours."""
    sizes = _sizes(header)
    rows = header.get("space directions")
    if rows is not None:
        rows = [row is not None and not np.isnan(np.asarray(row, float)).all() for row in rows]
        if len(rows) != len(sizes):
            raise DataError(f"has {len(rows)} space directions for {len(sizes)} axes")
        return [axis for axis, spatial in enumerate(rows) if spatial]
    kinds = [str(kind) for kind in header.get("kinds", ["domain"] * len(sizes))]
    axes = [axis for axis, kind in enumerate(kinds) if kind in ("domain", "space", "none", "???")]
    while len(axes) > 3 and sizes[axes[-1]] == 1:
        axes.pop()
    return axes


def _directions(header: Header) -> NDArray[np.float64] | None:
    """Return the directions of the axes of space, one a row."""
    rows = header.get("space directions")
    if rows is None:
        return None
    given = [np.asarray(row, dtype=np.float64) for row in rows if row is not None]
    return np.array([row for row in given if not np.isnan(row).all()])


def _sizes(header: Header) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in header["sizes"])
        if len(sizes) != int(header["dimension"]) or min(sizes) < 1:
            raise ValueError(f"{header['dimension']} axes of sizes {sizes}")
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is not a readable NRRD file: {one_line(error)}") from error
    return sizes


def _type(header: Header) -> np.dtype[Any]:
    try:
        # pynrrd's own table of the many names of types; it is the same in every version
        stored: np.dtype[Any] = nrrd.reader._determine_datatype(header)
    except (nrrd.NRRDError, KeyError, TypeError) as error:
        raise DataError(f"has voxels of an unknown type: {one_line(error)}") from error
    if stored.kind not in "iuf":
        raise DataError(f"has voxels of type {header['type']}, expected one number per voxel")
    return stored


def _data_file(header: Header) -> str:
    return str(header.get("data file", header.get("datafile", "")))


def _integer(header: Header, field: str) -> int:
    return int(header.get(field, header.get(field.replace(" ", ""), 0)))


def _unpacked(data: bytes, encoding: str, expected: int) -> bytes:
    if encoding not in (*_GZIP, *_BZIP2):
        return data
    unpack = bz2.BZ2Decompressor() if encoding in _BZIP2 else isal_zlib.decompressobj(wbits=31)
    try:
        # a small file can hold gigabytes: hardly more than its header says
        unpacked = bytes(unpack.decompress(data, expected + _SLACK))
    except (EOFError, OSError, ValueError, zlib.error, isal_zlib.error) as error:  # type: ignore[misc]
        raise DataError(f"is a damaged or truncated NRRD file: {one_line(error)}") from error
    if not unpack.eof and len(unpacked) == expected + _SLACK:
        raise DataError(f"has more bytes than the {expected} that its header says")
    if not unpack.eof:
        raise DataError(f"is truncated: {len(unpacked)} bytes of voxels, expected {expected}")
    return unpacked


def _of_text(data: bytes, stored: np.dtype[Any], sizes: tuple[int, ...]) -> Array:
    words = data.split()
    if len(words) < math.prod(sizes):
        raise DataError(f"is truncated: {len(words)} voxels, expected {math.prod(sizes)}")
    try:
        values = np.array([float(word) for word in words[: math.prod(sizes)]])
    except ValueError as error:
        raise DataError(f"is not a readable NRRD file: {one_line(error)}") from error
    return values.astype(stored.newbyteorder("=")).reshape(sizes, order="F")


def _reader(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO")  # chosen here: ITK knows suffixes in lower case only
    return reader


def _by_itk(path: Path, sizes: tuple[int, ...]) -> Array:
    try:
        with silent_libraries():
            image = _reader(path).Execute()
        if image.GetDimension() == 4:
            image = image[:, :, :, 0]
        return _array(image).reshape(sizes, order="F")
    except (RuntimeError, ValueError) as error:
        reason = last_sentence(error) if isinstance(error, RuntimeError) else one_line(error)
        raise DataError(f"is not a readable image: {reason}") from error


def _itk_geometry(path: Path, space_axes: list[int]) -> ItkGeometry:
    """Return where ITK, which all programs for patients follow, places the voxels."""
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise DataError(f"is not a readable image: {last_sentence(error)}") from error
    count = reader.GetDimension()
    direction = np.reshape(reader.GetDirection(), (count, count))[:3, :3]
    return ItkGeometry(
        tuple(reader.GetSpacing()[:3]), tuple(reader.GetOrigin()[:3]), tuple(direction.ravel())
    )
