"""DICOM series that tests write themselves, by pydicom."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

UID = "1.2.826.0.1.3680043.8.498"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SHAPE = (5, 4, 6)  # slices, rows, columns


def stored(shape=SHAPE, dtype=np.int16, seed=0):
    """Voxels (slices, rows, columns) as they are stored."""
    return np.random.default_rng(seed).integers(0, 2000, shape).astype(dtype)


def place(number, *, origin=(-20.0, 10.0, 30.0), axes=AXIAL, step=2.5):
    """The position of a slice of an even stack."""
    normal = np.cross(axes[:3], axes[3:])
    return [round(float(value), 9) for value in np.array(origin) + number * step * normal]


def header(*, series=1, number=0, study=1, patient="P1", sop_class=CTImageStorage, **elements):
    """A data set without pixels; elements by keyword, None to leave one out."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = f"{UID}.{study}.{series}.{number + 1}"
    dataset.StudyInstanceUID = f"{UID}.{study}"
    dataset.SeriesInstanceUID = f"{UID}.{study}.{series}"
    dataset.SeriesNumber = str(series)
    dataset.Modality = "CT"
    dataset.PatientID = patient
    dataset.PatientName = "Doe^Jane"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.InstanceNumber = str(number + 1)
    for keyword, value in elements.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def with_pixels(dataset, pixels, *, photometric="MONOCHROME2", bits_stored=None, big=False):
    """Put pixels (rows, columns), or (frames, rows, columns), into a data set."""
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored = bits, bits_stored or bits
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def save(dataset, path, syntax=ExplicitVRLittleEndian):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    dataset.file_meta = meta
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_slice(
    path, pixels, number, *, axes=AXIAL, step=2.5, origin=(-20.0, 10.0, 30.0), spacing=(0.8, 0.7),
    slope=1, intercept=-1000, photometric="MONOCHROME2", bits_stored=None,
    syntax=ExplicitVRLittleEndian, **elements,
):  # fmt: skip
    """One slice of a CT."""
    elements = {
        "ImagePositionPatient": place(number, origin=origin, axes=axes, step=step),
        "ImageOrientationPatient": [round(float(value), 12) for value in axes],
        "PixelSpacing": list(spacing), "RescaleSlope": slope, "RescaleIntercept": intercept,
        "RescaleType": "HU", **elements,
    }  # fmt: skip
    dataset = header(number=number, **elements)
    big = syntax == ExplicitVRBigEndian
    with_pixels(dataset, pixels, photometric=photometric, bits_stored=bits_stored, big=big)
    return save(dataset, path, syntax)


def write_series(folder, voxels=None, *, name="{:03d}.dcm", **settings):
    """A series of slices; returns the files in the order of their places."""
    voxels = stored() if voxels is None else voxels
    return [
        write_slice(Path(folder) / name.format(number), pixels, number, **settings)
        for number, pixels in enumerate(voxels)
    ]


def write_frames(
    path, voxels, *, positions=None, axes=AXIAL, spacing=(0.8, 0.7), scales=None, traits=None,
    modality="CT", photometric="MONOCHROME2", **elements,
):  # fmt: skip
    """An enhanced multi-frame file; scales, traits: of each frame."""
    sop_class = EnhancedCTImageStorage if modality == "CT" else EnhancedMRImageStorage
    dataset = header(sop_class=sop_class, Modality=modality, **elements)
    dataset.NumberOfFrames = str(len(voxels))
    dataset.SharedFunctionalGroupsSequence = Sequence([
        group(
            PlaneOrientationSequence={"ImageOrientationPatient": list(axes)},
            PixelMeasuresSequence={"PixelSpacing": list(spacing), "SliceThickness": "9"},
        )
    ])  # fmt: skip
    frames = []
    for number in range(len(voxels)):
        slope, intercept = scales[number] if scales else (1, -1000)
        position = positions[number] if positions else place(number, axes=axes)
        frames.append(
            group(
                PlanePositionSequence={"ImagePositionPatient": position},
                PixelValueTransformationSequence={
                    "RescaleSlope": slope, "RescaleIntercept": intercept, "RescaleType": "HU",
                },
                **(traits[number] if traits else {}),
            )
        )  # fmt: skip
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    with_pixels(dataset, voxels, photometric=photometric)
    return save(dataset, path)


def group(**macros):
    """An item of functional groups: macro -> its elements."""
    item = Dataset()
    for macro, elements in macros.items():
        inner = Dataset()
        for keyword, value in elements.items():
            setattr(inner, keyword, value)
        setattr(item, macro, Sequence([inner]))
    return item


def values_of(volume):
    """The voxels of a volume (slices, rows, columns) as DICOM has them."""
    return volume.stored[0].transpose(2, 1, 0)
