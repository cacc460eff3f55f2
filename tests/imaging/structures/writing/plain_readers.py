"""DICOM SEG and RTSTRUCT read by pydicom and plain arithmetic alone, to compare with."""

import numpy as np
import pydicom


def to_patient(position, orientation, spacing, columns, rows):
    """Places (N, 3), LPS mm, of pixels; PS3.3 C.7.6.2.1.1."""
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    return (
        np.array(position)
        + np.asarray(columns)[:, None] * float(spacing[1]) * along_row
        + np.asarray(rows)[:, None] * float(spacing[0]) * along_column
    )


def check_places(places, structures, number, tolerance=0.01):
    """Places (N, 3), LPS mm, are those of the voxels of a structure, each once.

    tolerance: of a voxel; by the stored grid's affine.
    """
    grid = structures.grid
    stored = grid.from_ras(structures.map)
    world = np.asarray(places, dtype=float).reshape(-1, 3) * [-1, -1, 1]
    voxels = (world - grid.affine[:3, 3]) @ np.linalg.inv(grid.affine[:3, :3]).T
    assert np.abs(voxels - np.rint(voxels)).max(initial=0) < tolerance
    counts = np.zeros(grid.shape, int)
    np.add.at(counts, tuple(np.rint(voxels).astype(int).T), 1)
    assert counts.any()
    np.testing.assert_array_equal(counts, stored == number)


def read_seg(path):
    """Segment's label -> places (N, 3), LPS mm, of its voxels."""
    dataset = pydicom.dcmread(path)
    rows, columns, frames = dataset.Rows, dataset.Columns, int(dataset.NumberOfFrames)
    bits = []
    for byte in dataset.PixelData:
        bits += [byte >> place & 1 for place in range(8)]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    names = {int(one.SegmentNumber): one.SegmentLabel for one in dataset.SegmentSequence}
    places = {name: [] for name in names.values()}
    for frame in range(frames):
        group = dataset.PerFrameFunctionalGroupsSequence[frame]
        # macros that all frames share are given once
        macro = {
            name: getattr(group, name, None) or getattr(shared, name)
            for name in ("PlaneOrientationSequence", "PixelMeasuresSequence",
                         "PlanePositionSequence", "SegmentIdentificationSequence")
        }  # fmt: skip
        number = int(macro["SegmentIdentificationSequence"][0].ReferencedSegmentNumber)
        first = frame * rows * columns
        filled = [at for at in range(rows * columns) if bits[first + at]]
        places[names[number]] += to_patient(
            macro["PlanePositionSequence"][0].ImagePositionPatient,
            macro["PlaneOrientationSequence"][0].ImageOrientationPatient,
            macro["PixelMeasuresSequence"][0].PixelSpacing,
            [at % columns for at in filled],
            [at // columns for at in filled],
        ).tolist()
    return places


def inside(polygon, columns, rows):
    """Which centres of pixels (columns, rows) a closed polygon (N, 2) holds, by even-odd."""
    odd = np.zeros((columns, rows), bool)
    (left, top), (right, bottom) = polygon.min(axis=0), polygon.max(axis=0)
    # no centre beyond the polygon's extent lies in it
    box = tuple(
        slice(max(0, int(np.floor(low))), int(np.ceil(high)) + 1)
        for low, high in ((left, right), (top, bottom))
    )
    across = np.arange(columns)[box[0]][:, None]
    down = np.arange(rows)[box[1]][None]
    part = odd[box]
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            crossed = (y0 > down) != (y1 > down)
            part ^= crossed & (across < x0 + (down - y0) / (y1 - y0) * (x1 - x0))
    return odd


def read_rtstruct(path, files):
    """ROI's name -> places (N, 3), LPS mm, of the pixels' centres in its contours.

    files: of the series, whose headers say where the pixels of the instances referred to are.
    """
    dataset = pydicom.dcmread(path)
    headers = {}
    for file in files:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        headers[header.SOPInstanceUID] = header
    names = {int(one.ROINumber): one.ROIName for one in dataset.StructureSetROISequence}
    found = {}
    for roi in dataset.ROIContourSequence:
        masks = {}
        for contour in roi.ContourSequence:
            assert contour.ContourGeometricType == "CLOSED_PLANAR"
            image = contour.ContourImageSequence[0]
            frame = int(image.get("ReferencedFrameNumber", 1)) - 1
            header = headers[image.ReferencedSOPInstanceUID]
            assert image.ReferencedSOPClassUID == header.SOPClassUID
            position, orientation, spacing = plane_of(header, frame)
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            assert len(points) == int(contour.NumberOfContourPoints) >= 3
            apart = points - np.array(position)
            along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
            assert np.abs(apart @ np.cross(along_row, along_column)).max() < 1e-4  # on its slice
            polygon = np.stack([apart @ along_row / spacing[1], apart @ along_column / spacing[0]])
            key = (image.ReferencedSOPInstanceUID, frame)
            mask = masks.setdefault(key, np.zeros((header.Columns, header.Rows), bool))
            mask ^= inside(polygon.T, header.Columns, header.Rows)
        places = [
            to_patient(*plane_of(headers[uid], frame), *np.nonzero(mask))
            for (uid, frame), mask in masks.items()
        ]
        found[names[int(roi.ReferencedROINumber)]] = np.concatenate(places)
    return found


def plane_of(header, frame):
    """Position, orientation and pixel spacing of a frame of a file."""
    if "PerFrameFunctionalGroupsSequence" not in header:
        return (
            [float(value) for value in header.ImagePositionPatient],
            [float(value) for value in header.ImageOrientationPatient],
            [float(value) for value in header.PixelSpacing],
        )
    own, shared = header.PerFrameFunctionalGroupsSequence[frame], (
        header.SharedFunctionalGroupsSequence[0]
    )  # fmt: skip
    return (
        [float(value) for value in own.PlanePositionSequence[0].ImagePositionPatient],
        [float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient],
        [float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing],
    )
