"""Exporting results on a small series, and what a written SEG holds."""

import numpy as np
import pydicom

from interactivenet.imaging.io import read_label
from interactivenet.inference.exporting.exporter import Exporter, export_case
from interactivenet.inference.exporting.outlined_structures import Naming
from interactivenet.inference.exporting.source_series import SourceFinder
from tests.imaging.written_dicom import UID, stored, write_series

VOXELS = stored((7, 12, 14))
FRAME = f"{UID}.77"
ALL = ("dcm-seg", "rtstruct", "seg.nrrd")


def make_series(folder, voxels=VOXELS, **elements):
    write_series(folder, voxels, **{"FrameOfReferenceUID": FRAME, **elements})
    return folder


def export(results, *formats, images=(), names=None, codes=None, target=None, overwrite=False):
    exporter = Exporter(
        formats or ALL, Naming(names or {}, codes or {}), SourceFinder(images), overwrite
    )
    return export_case(results, "a", exporter, target)


def masks_of_seg(path, shape):
    """Voxels (slices, rows, columns) of each segment of a SEG, by its label; plain loops."""
    dataset = pydicom.dcmread(path)
    names = {int(item.SegmentNumber): item.SegmentLabel for item in dataset.SegmentSequence}
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    frames = bits[: dataset.NumberOfFrames * shape[1] * shape[2]].reshape(-1, *shape[1:])
    masks = {name: np.zeros(shape, bool) for name in names.values()}
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        here = group if "SegmentIdentificationSequence" in group else shared  # of a single segment
        number = here.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        z = group.PlanePositionSequence[0].ImagePositionPatient[2]
        masks[names[number]][round((float(z) - 30.0) / 2.5)] |= frame.astype(bool)
    return masks


def stored_mask(results, value):
    """A label (slices, rows, columns) as DICOM has it."""
    label = read_label(results.label_map("a"))
    return np.transpose(label.source.from_ras(label.array[0] == value), (2, 1, 0))
