"""A small picture of a case's result, cheap enough for each of thousands of cases.

Pixels are voxels of the scan, never interpolated, and outlines those of the mask's voxels: what is
drawn is what is there. All of it is an array of palette numbers, without a drawing library.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import Array
from interactivenet.plotting.lettering import folded, lettered
from interactivenet.plotting.object_views import PANEL, PicturedObject, View, frame
from interactivenet.plotting.planes import PLANES, SIDES, near_plane

Pixels = NDArray[np.uint8]

#: what is between planes, and the line of text above a row, pixels
GAP, LINE = 4, 18
WIDTH = 3 * PANEL + 2 * GAP
ROW = LINE + PANEL + GAP
#: rows of a picture; further objects are counted
MOST_ROWS = 6
#: in the file, how many pixels its head is high
HEAD = "Head"
_TITLE, _TEXT, _LETTER = 14, 11, 10
_TITLE_LINES = 3

#: numbers of the palette: grey values come first
_GREYS = 200
OUTLINE, OTHER, POINT, POSITIVE, NEGATIVE, REVIEW = range(_GREYS, _GREYS + 6)
COLOURS = {
    OUTLINE: "#2fb4ff", OTHER: "#9c8cff", POINT: "#ff3b6b", POSITIVE: "#22c983",
    NEGATIVE: "#ffd21f", REVIEW: "#ff8c1a",
}  # fmt: skip
_WHITE = _GREYS - 1


def _offsets(test: str, reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (rows, columns) of a mark around its centre."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    chosen = {
        "disc": np.hypot(x, y) <= reach + 0.3,
        "ring": np.abs(np.hypot(x, y) - reach) < 0.6,
        "plus": (x == 0) | (y == 0),
        "cross": abs(x) == abs(y),
    }[test]
    return y[chosen], x[chosen]


#: mark of a point on the plane, and of one that is farther from it
_DISC, _RING = _offsets("disc", 2), _offsets("ring", 2)
_PLUS, _SMALL_PLUS = _offsets("plus", 4), _offsets("plus", 2)
_CROSS, _SMALL_CROSS = _offsets("cross", 3), _offsets("cross", 1)


def draw_case(
    title: str,
    image: Array,
    spacing: tuple[float, float, float],
    instance_map: Array,
    objects: Sequence[PicturedObject],
) -> bytes:
    """Draw a case as a PNG file: a row of three planes through the centre of each object.

    image: (C, X, Y, Z) along RAS+.  spacing: mm.  instance_map: (X, Y, Z), the objects' numbers.
    As radiologists look at it: the patient's right, or front, to the left. Of one object, or a few,
    there is a row for each channel; of many some are shown, those to be looked at first before the
    others, and the rest is counted.
    """
    channels = len(image) if len(objects) * len(image) <= MOST_ROWS else 1
    first = sorted(objects, key=lambda pictured: not pictured.review)[: MOST_ROWS // channels]
    head = [_line(text, _TITLE) for text in folded(title, _TITLE, WIDTH, _TITLE_LINES)]
    rows = [
        _row(pictured, channel, image, spacing, instance_map)
        for pictured in sorted(first, key=lambda pictured: pictured.number)
        for channel in range(channels)
    ]
    foot = [_line(text, _TEXT) for text in _left_out(len(objects) - len(first), image, channels)]
    return _encoded(np.concatenate([*head, *rows, *foot]), sum(map(len, head)))


def _left_out(objects: int, image: Array, channels: int) -> list[str]:
    """Say what is not shown."""
    told = []
    if objects:
        told.append(f"{objects} more object{'s' if objects > 1 else ''} not shown")
    if len(image) > channels:
        told.append(f"image 1 of {len(image)} is shown")
    return ["; ".join(told)] if told else []


def _row(
    pictured: PicturedObject,
    channel: int,
    image: Array,
    spacing: tuple[float, float, float],
    instance_map: Array,
) -> Pixels:
    """Draw three planes through an object, and the text above them."""
    view, centre, window = frame(pictured, image[channel], spacing, instance_map)
    row = np.zeros((ROW, WIDTH), np.uint8)
    text = pictured.text + (f", image {channel + 1}" if len(image) > 1 else "")
    width = WIDTH
    if pictured.review:
        tag = lettered(" LOOK FIRST ", _TEXT)
        row[: LINE - 2, -tag.shape[1] :] = REVIEW
        at = row[1 : 1 + len(tag), -tag.shape[1] :]
        at[tag[: len(at)] > 127] = 0
        width -= tag.shape[1] + GAP
    line = _line(folded(text, _TEXT, width, 1)[0], _TEXT)[:LINE, :width]
    row[: len(line), : line.shape[1]] = line
    for place, plane in enumerate(PLANES):
        panel = draw_panel(plane, view, centre, window, image[channel], instance_map, pictured)
        left = place * (PANEL + GAP)
        row[LINE : LINE + PANEL, left : left + PANEL] = panel
    return row


@dataclass(frozen=True)
class _Seen:
    """The part of a plane that is seen: its axes to the left and upwards, and its first voxel."""

    view: View
    axes: tuple[int, int]
    start: tuple[int, int]

    def _places(self) -> list[NDArray[np.intp]]:
        """Return which voxel of the part each column and each row of pixels shows."""
        pairs = zip(self.axes, self.start, strict=True)
        return [self.view.voxels(axis)[::-1] - start for axis, start in pairs]

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Tell which pixels (row, column) are outside of the scan."""
        columns, rows = (
            (place + start < 0) | (place + start >= self.view.shape[axis])
            for place, start, axis in zip(self._places(), self.start, self.axes, strict=True)
        )
        return np.asarray(np.logical_or.outer(rows, columns))

    def sampled(self, flat: Array) -> Array:
        """Look up the value of each pixel (row, column) in the part (left, up)."""
        columns, rows = (
            place.clip(0, length - 1)
            for place, length in zip(self._places(), flat.shape, strict=True)
        )
        return np.asarray(flat[np.ix_(columns, rows)].T)

    def numbers(self, flat: Array, number: int) -> Array:
        """Look up which object each pixel shows, or holds the centre of a voxel of.

        number: of the one that is seen before the others.
        """
        drawn = self.sampled(flat)
        drawn[self.outside] = 0
        view, (left, up) = self.view, self.axes
        if min(view.spacing[left], view.spacing[up]) < view.side / PANEL:  # voxels are passed over
            voxels = np.argwhere(flat)
            values = flat[tuple(voxels.T)]
            order = np.argsort(values == number, kind="stable")  # what comes last stays
            places = voxels[order].astype(np.float64) + np.array(self.start)
            columns = PANEL - 1 - view.pixels(places[:, 0], left)
            rows = PANEL - 1 - view.pixels(places[:, 1], up)
            within = (columns >= 0) & (columns < PANEL) & (rows >= 0) & (rows < PANEL)
            drawn[rows[within], columns[within]] = values[order][within]
        return drawn


def draw_panel(
    plane: str,
    view: View,
    centre: NDArray[np.intp],
    window: tuple[float, float],
    channel: Array,
    instance_map: Array,
    pictured: PicturedObject,
) -> Pixels:
    """Draw a plane of a channel (X, Y, Z) with outlines, points and the patient's sides."""
    across, left, up = PLANES[plane]
    index = int(centre[across])
    # the part of the plane that is seen: of a large scan the whole one costs more than the picture
    columns, rows = (view.seen(axis) for axis in (left, up))
    part = [columns, rows]
    part.insert(across, slice(index, index + 1))
    flat = channel[tuple(part)].squeeze(axis=across)
    numbers = instance_map[tuple(part)].squeeze(axis=across)
    seen = _Seen(view, (left, up), (columns.start, rows.start))
    panel = _greys(seen.sampled(flat).astype(np.float32), window)
    panel[seen.outside] = 0
    drawn = seen.numbers(numbers, pictured.number)
    shown = drawn == pictured.number
    others = (drawn != 0) & ~shown
    panel[_edge(others)] = OTHER
    panel[_edge(shown)] = OUTLINE
    for letter, (row, column) in zip(SIDES[plane], _LETTERED, strict=True):
        _write(panel, letter, row, column)
    for voxels, colour, near, far in (
        (pictured.points, POINT, _DISC, _RING),
        (pictured.positive, POSITIVE, _PLUS, _SMALL_PLUS),
        (pictured.negative, NEGATIVE, _CROSS, _SMALL_CROSS),
    ):
        distances = np.abs(voxels[:, across] - index) * view.spacing[across]
        close = near_plane(distances, float(view.spacing[across]))
        across_it = PANEL - 1 - view.pixels(voxels[:, left], left)
        down = PANEL - 1 - view.pixels(voxels[:, up], up)
        for row, column, on_plane in zip(down, across_it, close, strict=True):
            _mark(panel, int(row), int(column), near if on_plane else far, colour)
    return panel


#: where the letters of the left, right, bottom and top side begin, (row, column)
_LETTERED = (
    (PANEL // 2 - 7, 2), (PANEL // 2 - 7, PANEL - 10),
    (PANEL - 14, PANEL // 2 - 4), (1, PANEL // 2 - 4),
)  # fmt: skip


def _greys(values: NDArray[np.float32], window: tuple[float, float]) -> Pixels:
    low, high = window
    scaled = (values - low) / (high - low) * _WHITE
    return np.asarray(np.nan_to_num(scaled, copy=False).clip(0, _WHITE), np.uint8)


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask with a neighbour, by an edge, that is none of it."""
    padded = np.pad(mask, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~surrounded)


def _mark(
    panel: Pixels, row: int, column: int, mark: tuple[NDArray[np.intp], NDArray[np.intp]],
    colour: int,
) -> None:  # fmt: skip
    rows, columns = mark[0] + row, mark[1] + column
    within = (rows >= 0) & (rows < PANEL) & (columns >= 0) & (columns < PANEL)
    panel[rows[within], columns[within]] = colour


def _write(panel: Pixels, letter: str, row: int, column: int) -> None:
    """Write a letter, black around it, so that it can be read on anything."""
    strokes = lettered(letter, _LETTER) > 110
    height, width = strokes.shape
    around = np.zeros((height + 2, width + 2), np.bool_)
    for down in range(3):
        for right in range(3):
            around[down : down + height, right : right + width] |= strokes
    top, left = row - 1, column - 1
    for strokes_at, colour in ((around, 0), (np.pad(strokes, 1), _WHITE)):
        cut = panel[max(top, 0) : top + height + 2, max(left, 0) : left + width + 2]
        cut[strokes_at[max(-top, 0) :, max(-left, 0) :][: cut.shape[0], : cut.shape[1]]] = colour


def _line(text: str, size: int) -> Pixels:
    """Return a line of text across the picture."""
    strokes = lettered(text, size)[:, :WIDTH]
    line = np.zeros((len(strokes) + GAP, WIDTH), np.uint8)
    line[GAP // 2 : GAP // 2 + len(strokes), : strokes.shape[1]] = (
        strokes.astype(np.uint16) * _WHITE // 255
    )
    return line


def _encoded(pixels: Pixels, head: int) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    picture = Image.fromarray(pixels)
    palette = [round(value * 255 / _WHITE) for value in range(_GREYS) for _ in range(3)]
    for colour in COLOURS.values():
        palette += bytes.fromhex(colour[1:])
    picture.putpalette(palette)
    kept = PngInfo()
    kept.add_text(HEAD, str(head))
    stream = io.BytesIO()
    picture.save(stream, "PNG", pnginfo=kept, compress_level=5)
    return stream.getvalue()
