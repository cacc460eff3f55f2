"""The voxels of DICOM slices.

Slices as most scanners write them are read by ITK. Where that changes values or cannot read
(MONOCHROME1, which it inverts, and enhanced multi-frame files, whose frames are scaled one by
one), pydicom decodes what is stored, and ITK only what pydicom has no decoder for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import CTImageStorage, generate_uid

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.dicom.files import DicomFile
from interactivenet.imaging.dicom.stack import Slice
from interactivenet.imaging.geometry import Array
from interactivenet.imaging.itk import _array, _last_sentence


def read_values(slices: Sequence[Slice]) -> Array:
    """Read the real values (X, Y, Z) of ordered slices; raises DataError, naming the file."""
    plain = all(_is_plain(one) for one in slices)
    array = _by_itk(slices) if plain else _by_frames(slices)
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.int32 and array.min() >= -32768 and array.max() <= 32767:
        return array.astype(np.int16)
    return array


def _is_plain(one: Slice) -> bool:
    """Whether ITK reads a file's values as they are."""
    try:
        str(one.file.path).encode()
    except UnicodeEncodeError:  # a name that ITK cannot be given
        return False
    return one.file.photometric != "MONOCHROME1" and one.file.frames == 1


def _by_itk(slices: Sequence[Slice]) -> Array:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(one.file.path) for one in slices])
    if len({one.file.values for one in slices}) > 1:
        # slices scaled differently: ITK would take the first slice's type for all
        reader.SetOutputPixelType(sitk.sitkFloat64)
    try:
        return _array(reader.Execute())
    except RuntimeError as error:
        raise DataError(_whose_fault(slices, error)) from error


def _whose_fault(slices: Sequence[Slice], error: RuntimeError) -> str:
    """Name the slice that ITK cannot read."""
    for one in slices:
        try:
            sitk.ReadImage(str(one.file.path))
        except RuntimeError as own:
            syntax = pydicom.uid.UID(one.file.transfer_syntax).name
            return f"holds {one.name}, which cannot be read ({syntax}): {_last_sentence(own)}"
    return f"is not a readable DICOM series: {_last_sentence(error)}"


def _by_frames(slices: Sequence[Slice]) -> Array:
    """Scale stored values frame by frame."""
    rows, columns = slices[0].file.size
    dtype = _value_type(slices)
    # rows of pixels last, as they are stored: one slice is one piece of memory
    values = np.empty((len(slices), rows, columns), dtype)
    numbered = sorted(enumerate(slices), key=lambda pair: str(pair[1].file.path))
    for _, group in groupby(numbered, key=lambda pair: pair[1].file.path):
        members = list(group)
        file = members[0][1].file
        frames = _stored(file)
        for index, one in members:
            frame = frames[one.plane.frame]
            if one.plane.slope == 1 and one.plane.intercept == 0:
                values[index] = frame
            else:
                values[index] = frame * one.plane.slope + one.plane.intercept
    return np.asarray(values.transpose(2, 1, 0))


def _value_type(slices: Sequence[Slice]) -> np.dtype[Any]:
    """Return the type that ITK chooses: of whole numbers where the scale is one for all."""
    scales = {(one.plane.slope, one.plane.intercept) for one in slices}
    kinds = {(one.file.bits, one.file.signed) for one in slices}
    if len(scales) > 1 or len(kinds) > 1:
        return np.dtype(np.float64)
    ((slope, intercept),) = scales
    (((allocated, stored), signed),) = kinds
    if slope == 1 and intercept == 0:
        return np.dtype(f"{'i' if signed else 'u'}{allocated // 8}")
    if not (slope.is_integer() and intercept.is_integer()):
        return np.dtype(np.float64)
    low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if signed else (0, 2**stored - 1)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    for kind in ("u1", "u2", "u4") if ends[0] >= 0 else ("i1", "i2", "i4"):
        limits = np.iinfo(kind)
        if limits.min <= ends[0] and ends[1] <= limits.max:
            return np.dtype(kind)
    return np.dtype(np.float64)


def _stored(file: DicomFile) -> Array:
    """Read the stored values (frames, rows, columns) of a file."""
    try:
        dataset = pydicom.dcmread(file.path, force=True)
        if not dataset.file_meta.get("TransferSyntaxUID"):
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(file.transfer_syntax)
        try:
            pixels = dataset.pixel_array
        except Exception:
            if file.is_native:
                raise
            pixels = _decoded_by_itk(dataset, file)
    except (OSError, DataError):
        raise
    except Exception as error:  # of a library, on a stranger's bytes
        syntax = pydicom.uid.UID(file.transfer_syntax).name
        raise DataError(
            f"holds {file.path.name}, which cannot be read ({syntax}): {one_line(error)}"
        ) from error
    rows, columns = file.size
    if np.size(pixels) != file.frames * rows * columns:
        raise DataError(
            f"holds {file.path.name}, which has {np.size(pixels)} pixels, expected {file.frames} of"
            f" {columns}x{rows}"
        )
    return np.asarray(pixels).reshape(file.frames, rows, columns)


def _decoded_by_itk(dataset: Dataset, file: DicomFile) -> Array:
    """Decode compressed frames, each as a plain slice that is not scaled."""
    frames = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        for fragment in generate_frames(dataset.PixelData, number_of_frames=file.frames):
            plain = Dataset()
            plain.SOPClassUID, plain.SOPInstanceUID = CTImageStorage, generate_uid()
            plain.SeriesInstanceUID, plain.StudyInstanceUID = generate_uid(), generate_uid()
            plain.Rows, plain.Columns = file.size
            plain.BitsAllocated, plain.BitsStored = file.bits
            plain.HighBit = file.bits[1] - 1
            plain.SamplesPerPixel, plain.PixelRepresentation = 1, int(file.signed)
            plain.PhotometricInterpretation = "MONOCHROME2"
            plain.PixelData = encapsulate([fragment])
            plain["PixelData"].is_undefined_length = True
            plain.file_meta = FileMetaDataset()
            plain.file_meta.MediaStorageSOPClassUID = CTImageStorage
            plain.file_meta.MediaStorageSOPInstanceUID = plain.SOPInstanceUID
            plain.file_meta.TransferSyntaxUID = pydicom.uid.UID(file.transfer_syntax)
            plain.save_as(path, enforce_file_format=True)
            try:
                frames.append(_array(sitk.ReadImage(str(path)))[..., 0].T)
            except RuntimeError as error:
                raise DataError(
                    f"holds {file.path.name}, which cannot be read: {_last_sentence(error)}"
                ) from error
    return np.stack(frames)
