"""RTSTRUCT and DICOM SEG files that tests write themselves, by pydicom, of masks and contours."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from interactivenet.imaging.geometry import Geometry
from tests.imaging.written_dicom import UID, header, save

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"
LPS = np.array([-1.0, -1.0, 1.0])
SHAPE = (12, 10, 6)


def turn(degrees, axis):
    """A rotation (3, 3) about an axis."""
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = [other for other in range(3) if other != axis]
    matrix[[i, j, i, j], [i, j, j, i]] = a, a, -b, b
    return matrix


def grid(
    *, spacing=(0.8, 0.7, 2.5), rotation=None, order=(0, 1, 2), shape=SHAPE, first=(-11, 7, 3)
):
    """A grid as DICOM has it: axes along L, P and S, turned, and in another order."""
    columns = np.diag(LPS) if rotation is None else np.asarray(rotation) @ np.diag(LPS)
    affine = np.eye(4)
    affine[:3, :3] = columns[:, list(order)] * spacing
    affine[:3, 3] = first
    return Geometry(shape, affine)


OBLIQUE = turn(20, 0) @ turn(-11, 2)
GRIDS = {
    "axial": grid(),
    "oblique": grid(rotation=OBLIQUE),
    "sagittal": grid(order=(1, 2, 0)),
    "coronal, oblique": grid(order=(0, 2, 1), rotation=OBLIQUE),
    "from above": grid(rotation=np.diag([1.0, 1.0, -1.0]) @ turn(4, 0)),
}


def in_plane(points, plane, where, axis=2):
    """Points (N, 3), LPS mm, of a polygon (N, 2), voxels, in a plane across a stored axis."""
    voxels = np.insert(np.asarray(points, float), axis, plane, axis=1)
    return where.voxel_to_world(voxels) * LPS


def square(low, high):
    """The corners (4, 2) of voxels from ``low`` to ``high``, along the edges of voxels."""
    (u, v), (end_u, end_v) = np.array(low) - 0.5, np.array(high) + 0.5
    return [(u, v), (end_u, v), (end_u, end_v), (u, end_v)]


def write_rtstruct(path, rois, *, refers_to=(f"{UID}.1.1",), **elements):
    """A structure set; rois: (name, contours); a contour: points (N, 3), or (kind, these).

    refers_to: SeriesInstanceUIDs.
    """
    dataset = header(sop_class=RTSTRUCT, **{
        "Modality": "RTSTRUCT", "series": 77, "StructureSetLabel": "RTstruct",
        "StructureSetDate": "20200102", "ImageType": None, "StructureSetTime": "030405",
        "SeriesDescription": "outlines", **elements,
    })  # fmt: skip
    dataset.SpecificCharacterSet = "ISO_IR 192"
    frame = elements.get("FrameOfReferenceUID", f"{UID}.9")
    dataset.ReferencedFrameOfReferenceSequence = Sequence([
        item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[
            item(RTReferencedSeriesSequence=[item(SeriesInstanceUID=uid) for uid in refers_to]),
        ]),
    ])  # fmt: skip
    dataset.StructureSetROISequence = Sequence([
        item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=frame)
        for number, (name, _) in enumerate(rois, 11)
    ])  # fmt: skip
    dataset.ROIContourSequence = Sequence([
        item(ReferencedROINumber=number, ContourSequence=[contour(each) for each in contours])
        for number, (_, contours) in enumerate(rois, 11)
        if contours is not None
    ])  # fmt: skip
    return save(dataset, path)


def contour(given):
    """An item of a ContourSequence."""
    kind, points = given if isinstance(given, tuple) else ("CLOSED_PLANAR", given)
    data = [f"{value:.6f}" for value in np.asarray(points).ravel()]
    return item(
        ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=data or None
    )


def item(**elements):
    """An item of a sequence; lists of items are sequences."""
    made = Dataset()
    for keyword, value in elements.items():
        items = isinstance(value, list) and value and isinstance(value[0], Dataset)
        setattr(made, keyword, Sequence(value) if items else value)
    return made


def write_seg(
    path, masks, where, *, kind="BINARY", order=None, omit_empty=False, values=None, spacing=True,
    **elements,
):  # fmt: skip
    """A segmentation; masks: name -> (X, Y, Z) stored as on ``where``, whose slices are frames.

    order: of the frames.  values: fractional ones, 0 to 255, in place of the masks.
    """
    names = list(masks)
    frames = []
    if kind == "LABELMAP":
        label = np.zeros(where.shape, np.uint8)
        for number, mask in enumerate(masks.values(), 1):
            label[mask] = number
        frames = [(0, place, label[:, :, place]) for place in range(where.shape[2])]
    else:
        for number, name in enumerate(names, 1):
            stack = np.asarray(masks[name] if values is None else values[name])
            for place in range(where.shape[2]):
                if not omit_empty or stack[:, :, place].any():
                    frames.append((number, place, stack[:, :, place]))
    frames = frames if order is None else [frames[index] for index in order(len(frames))]
    axes = where.affine[:3, :3] * LPS[:, None] / np.array(where.spacing)
    dataset = header(
        sop_class=LABELMAP if kind == "LABELMAP" else SEG, Modality="SEG", series=78, **elements
    )
    dataset.SegmentationType = kind
    dataset.SegmentSequence = Sequence(
        [item(SegmentNumber=number, SegmentLabel=name) for number, name in enumerate(names, 1)]
    )
    measures = {"PixelSpacing": [where.spacing[1], where.spacing[0]], "SliceThickness": "3.3"}
    if spacing:
        measures["SpacingBetweenSlices"] = f"{where.spacing[2]:.6f}"
    dataset.SharedFunctionalGroupsSequence = Sequence([item(
        PlaneOrientationSequence=[
            item(ImageOrientationPatient=np.round(axes[:, :2].T.ravel(), 12).tolist())
        ],
        PixelMeasuresSequence=[item(**measures)],
    )])  # fmt: skip
    groups = []
    for number, place, _ in frames:
        position = where.voxel_to_world([[0, 0, place]])[0] * LPS
        group = item(PlanePositionSequence=[
            item(ImagePositionPatient=[f"{value:.9f}"[:16] for value in position])
        ])  # fmt: skip
        if number:
            group.SegmentIdentificationSequence = Sequence([item(ReferencedSegmentNumber=number)])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    pixels = np.stack([frame.T for *_, frame in frames])
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 1 if kind == "BINARY" else 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
    data = pixels.astype(np.uint8)
    packed = np.packbits(data.ravel(), bitorder="little") if bits == 1 else data
    dataset.PixelData = packed.tobytes() + b"\0" * (packed.size % 2)
    if kind == "FRACTIONAL":
        dataset.MaximumFractionalValue, dataset.SegmentationFractionalType = 255, "PROBABILITY"
    dataset["PixelData"].VR = "OB"
    return save(dataset, path, ExplicitVRLittleEndian)


def inside(points, place):
    """Whether a polygon (N, 2) has a place inside, by the count of edges that a ray crosses."""
    count = 0
    for (u, v), (end_u, end_v) in zip(points, [*points[1:], points[0]], strict=True):
        if (v > place[1]) != (end_v > place[1]):
            crossed = u + (place[1] - v) * (end_u - u) / (end_v - v)
            count += crossed > place[0]
    return count % 2 == 1


def blobs(seed=0, shape=SHAPE, share=0.4):
    """A random mask with holes, islands and diagonals."""
    return np.random.default_rng(seed).random(shape) < share
