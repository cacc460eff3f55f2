"""A request for a segmentation: clicks of one segment, answered with a map of 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.viewer.monai_label.clicks import Clicks, draw_balls, read_clicks
from interactivenet.viewer.monai_label.images import SlicerImages
from interactivenet.viewer.monai_label.slicer_image import Outlined, SlicerImage
from interactivenet.viewer.sessions.annotation import ObjectState, values_of

if TYPE_CHECKING:
    from interactivenet.viewer.sessions.outlines import Quality
    from interactivenet.viewer.sessions.scans import OpenScan

Map = tuple[NDArray[np.uint8], Geometry, dict[str, Any]]


def segment(images: SlicerImages, image: SlicerImage, model: str, params: Mapping[str, Any]) -> Map:
    """Segment what the clicks of a request mark.

    The segment is segmented by itself, as each of 3D Slicer's segments is a map of its own: 1 for
    its voxels, whatever the label's value is. Where there are fewer than six margin points, the map
    shows them, as anything but a map would be an error there.

    Returns a map (X, Y, Z) of the stored grid, the grid, and what is to be said of it.
    Raises RequestError for a label that is none and clicks that are none, DataError where one lies
    outside the image, or nothing can be segmented from them.
    """
    quality = _quality(params)
    with images.opened(image, model) as scan:
        label = _label(params, scan)
        grid = scan.image.source
        clicks = read_clicks(params, grid)
        if not clicks.is_complete:
            image.outlined.pop(label, None)
            said = {**_begin(label, clicks), "complete": False}
            return draw_balls(clicks.margin_points, grid), grid, said
        before = image.outlined.get(label)
        is_same = before is not None and before.state.points == _points(clicks)
        earlier = before.corrections if before is not None and is_same else ()
        state = ObjectState(label, label, _points(clicks), clicks.corrections(earlier))
        outlines = scan.update([state], quality=quality)
        (outline,) = outlines.objects
        if outline.segmented is None:
            raise DataError("; ".join(outline.problems) or "nothing was segmented")
        mask = scan.result.instance_map == 1
        image.outlined[label] = Outlined(model, state, outline.segmented, np.packbits(mask, -1))
        said = {**_begin(label, clicks), **outline.as_json(), "notes": list(outlines.notes)}
        return np.asfortranarray(grid.from_ras(mask).astype(np.uint8)), grid, said


def _begin(label: str, clicks: Clicks) -> dict[str, Any]:
    return {"label": label, "label_names": {label: 1}, "message": clicks.message}


def _label(params: Mapping[str, Any], scan: OpenScan) -> str:
    """Return the label that a request means: the model's own name of it, if it has one."""
    given = params.get("label")
    label = given.strip() if isinstance(given, str) else ""
    names = list(scan.labels.names.values())
    if not label and len(names) == 1:
        label = names[0]
    if not label:
        known = f"one of {', '.join(names)}" if names else "the name of one"
        raise RequestError("the request has no label", expected=known)
    ((_, name),) = values_of([label], scan.labels)
    return name


def _points(clicks: Clicks) -> tuple[tuple[float, float, float], ...]:
    return tuple((x, y, z) for x, y, z in clicks.margin_points.tolist())


def _quality(params: Mapping[str, Any]) -> Quality:
    quality = params.get("quality", "full")
    if quality not in ("quick", "full"):
        raise RequestError("the quality is unknown", expected="'full' or 'quick'")
    return cast("Quality", quality)
