"""What ``CASE.json`` and the picture of a case say of its objects, measured on the scan's grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from scipy import ndimage

from interactivenet.errors import describe_failure
from interactivenet.evaluation.diameters import largest_diameters
from interactivenet.imaging.components import Box3D, bounding_box
from interactivenet.imaging.volume import Volume
from interactivenet.inference.record_checks import DIAMETERS
from interactivenet.plotting.object_views import PicturedObject
from interactivenet.plotting.thumbnails import draw_case
from interactivenet.postprocessing.merging import Segmentation, SegmentedObject

#: decimals of them
_DIGITS = 3


def describe_objects(
    case: str, segmentation: Segmentation, image: Volume | None
) -> tuple[list[dict[str, Any]], bytes, str]:
    """Return the records of a case's objects, and its picture, or why it could not be drawn.

    image: the scan, on the grid of the segmentation; None for no picture.
    """
    boxes = object_boxes(segmentation.instance_map, len(segmentation.objects))
    records = object_records(segmentation, boxes)
    if image is None:
        return records, b"", ""
    try:
        return records, case_picture(case, image, segmentation, boxes), ""
    except Exception as error:  # a result without a picture is a result
        return records, b"", describe_failure(error)


def object_boxes(instance_map: NDArray[Any], count: int) -> list[Box3D | None]:
    """Return the box around each of the objects 1 to ``count`` of a map (X, Y, Z); None for none.

    In one pass over the map, and another over what all of them take.
    """
    around = bounding_box(instance_map)
    if around is None:
        return [None] * count
    if count == 1:
        return [around]
    boxes: list[Box3D | None] = []
    for box in ndimage.find_objects(instance_map[around], max_label=count):
        x, y, z = (
            slice(first.start + inner.start, first.start + inner.stop)
            for first, inner in zip(around, box or (slice(0, 0),) * 3, strict=True)
        )
        boxes.append((x, y, z) if box else None)
    return boxes


def object_records(
    segmentation: Segmentation, boxes: Sequence[Box3D | None]
) -> list[dict[str, Any]]:
    """Return the objects of a segmentation as their record has them.

    As :meth:`SegmentedObject.as_json`, and 'diameters_mm': the largest 'axial' and '3d' one, mm, as
    :func:`~interactivenet.evaluation.diameters.largest_diameters` measures them; 0 of an empty
    mask.
    """
    records = []
    for number, (segmented, box) in enumerate(zip(segmentation.objects, boxes, strict=True), 1):
        axial, longest = 0.0, 0.0
        if box is not None:
            mask = segmentation.instance_map[box] == number
            axial, longest = largest_diameters(mask, segmentation.source.ras.spacing)
        diameters = {"axial": round(axial, _DIGITS), "3d": round(longest, _DIGITS)}
        record = segmented.as_json()
        place = list(record).index("volume_ml") + 1
        items = list(record.items())
        records.append(dict([*items[:place], (DIAMETERS, diameters), *items[place:]]))
    return records


def case_picture(
    case: str, image: Volume, segmentation: Segmentation, boxes: Sequence[Box3D | None]
) -> bytes:
    """Draw a case as a small PNG file; image: the scan, on the grid of the segmentation."""
    grid = segmentation.source.ras
    pictured = [
        PicturedObject(
            number,
            box,
            _text(segmentation.objects, number - 1),
            bool(segmented.needs_review),
            grid.world_to_voxel(segmented.prompt.points),
            grid.world_to_voxel(segmented.prompt.positive),
            grid.world_to_voxel(segmented.prompt.negative),
        )
        for number, (segmented, box) in enumerate(zip(segmentation.objects, boxes, strict=True), 1)
    ]
    return draw_case(case, image.array, image.spacing, segmentation.instance_map, pictured)


def _text(objects: Sequence[SegmentedObject], place: int) -> str:
    """Say of an object what its picture does: name, volume and expected Dice."""
    segmented = objects[place]
    prompt = segmented.prompt
    name = prompt.name or f"label {prompt.label}"
    if sum(other.prompt.label == prompt.label for other in objects) > 1:
        name += f" #{place + 1}"
    dice = segmented.expected_dice
    parts = [
        name,
        volume_text(segmented.volume_ml),
        *([] if dice is None else [f"expected Dice {dice:.2f}"]),
    ]
    return ", ".join(parts)


def volume_text(volume_ml: float) -> str:
    """Write a volume with the digits that it is worth: '0.0042 ml', '3.46 ml', '1204 ml'."""
    if volume_ml >= 100:
        return f"{volume_ml:.0f} ml"
    if volume_ml >= 0.1:
        return f"{volume_ml:.{1 if volume_ml >= 10 else 2}f} ml"
    return f"{volume_ml:.2g} ml"
