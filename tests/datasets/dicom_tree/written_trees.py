"""Trees of DICOM studies with structure sets, which tests write themselves."""

import numpy as np

from tests.imaging.structures.reading import written_structures
from tests.imaging.written_dicom import UID, write_series

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
    return written_structures.write_rtstruct(
        path, list(rois.items()), refers_to=refers_to, series=900 + number, study=study,
        patient=patient, SeriesDescription=description, StructureSetLabel=label,
        FrameOfReferenceUID=frame,
    )  # fmt: skip


def box_mask(shape=SHAPE, box=BOX):
    """The voxels (columns, rows, slices) that :func:`box_contours` outlines."""
    mask = np.zeros(shape[::-1], bool)
    mask[box] = True
    return mask
