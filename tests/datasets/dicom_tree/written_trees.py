"""Trees of DICOM studies with structure sets, which tests write themselves."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RTStructureSetStorage

from tests.imaging.written_dicom import UID, header, save, write_series

FRAME = f"{UID}.77"
#: of the box that is outlined on a grid: voxels of columns, rows and slices
BOX = (slice(3, 8), slice(2, 7), slice(1, 4))
SHAPE = (6, 10, 12)  # slices, rows, columns
SPACING = (2.0, 1.5)  # of rows, of columns, mm


def voxels(seed, shape=SHAPE):
    return np.random.default_rng(seed).integers(-200, 800, shape).astype(np.int16)


def write_scan(folder, *, patient="P1", study=1, series=1, modality="CT", description="",
               seed=None, shape=SHAPE, frame=FRAME, spacing=SPACING, **more):  # fmt: skip
    """A series of a study; its UID is that of :func:`uid_of`."""
    write_series(
        folder, voxels(series if seed is None else seed, shape), series=series, study=study,
        patient=patient, Modality=modality, SeriesDescription=description or None,
        FrameOfReferenceUID=frame, StudyDate=more.pop("date", "20200102"), spacing=spacing,
        SOPClassUID={"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4",
                     "PT": "1.2.840.10008.5.1.4.1.1.128"}[modality],
        intercept=0, **more,
    )  # fmt: skip
    return uid_of(study, series)


def uid_of(study, series):
    return f"{UID}.{study}.{series}"


def box_contours(*, origin=(-20.0, 10.0, 30.0), step=2.5, spacing=SPACING, box=BOX):
    """The outlines of a box of voxels, along their edges: LPS mm, a rectangle per slice."""
    columns, rows, slices = box
    left, right = (origin[0] + (edge - 0.5) * spacing[1] for edge in (columns.start, columns.stop))
    top, bottom = (origin[1] + (edge - 0.5) * spacing[0] for edge in (rows.start, rows.stop))
    return [
        [(left, top, z), (right, top, z), (right, bottom, z), (left, bottom, z)]
        for z in (origin[2] + number * step for number in range(slices.start, slices.stop))
    ]


def write_rtstruct(path, rois, *, refers_to=(), patient="P1", study=1, number=1, frame=FRAME,
                   label="RTstruct", description="outlines"):  # fmt: skip
    """A structure set; rois: name -> contours."""
    dataset = header(
        series=900 + number, number=0, study=study, patient=patient,
        sop_class=RTStructureSetStorage, Modality="RTSTRUCT", SeriesDescription=description,
        StructureSetLabel=label, StructureSetDate="20200103", FrameOfReferenceUID=None,
        ImageType=None,
    )  # fmt: skip
    referenced = [_item(SeriesInstanceUID=uid) for uid in refers_to]
    studies = [_item(ReferencedSOPInstanceUID=f"{UID}.{study}",
                     RTReferencedSeriesSequence=Sequence(referenced))]  # fmt: skip
    dataset.ReferencedFrameOfReferenceSequence = Sequence(
        [_item(FrameOfReferenceUID=frame, RTReferencedStudySequence=Sequence(studies))]
    )
    dataset.StructureSetROISequence = Sequence([
        _item(ROINumber=n, ROIName=name, ReferencedFrameOfReferenceUID=frame)
        for n, name in enumerate(rois, 1)
    ])  # fmt: skip
    dataset.ROIContourSequence = Sequence([
        _item(
            ReferencedROINumber=n,
            ContourSequence=Sequence([
                _item(
                    ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(points),
                    ContourData=[f"{value:.6g}" for point in points for value in point],
                )
                for points in contours
            ]),
        )
        for n, contours in enumerate(rois.values(), 1)
    ])  # fmt: skip
    return save(dataset, Path(path))


def box_mask(shape=SHAPE, box=BOX):
    """The voxels (columns, rows, slices) that :func:`box_contours` outlines."""
    mask = np.zeros(shape[::-1], bool)
    mask[box] = True
    return mask


def _item(**elements):
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
