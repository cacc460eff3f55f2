"""Closed contours of a mask along the edges of its pixels, and holes by keyholes.

A point is inside by the even-odd rule exactly where its pixel is set: contours run half a pixel
beside every centre, and bridges to holes run along edges, too.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from interactivenet.imaging.geometry import Array

Vertex = tuple[int, int]
#: steps along an edge, each a turn to the right of the one before, as the rows run downwards
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def contours_of(mask: Array) -> list[NDArray[np.float64]]:
    """Return the contours of a mask.

    mask: (columns, rows), true inside.
    Returns closed polygons (N, 2), column and row, where whole numbers are the centres of pixels;
    the first point is not repeated. Pieces that touch at a corner are apart. Each polygon is one
    piece with its holes, each of which a bridge of no width joins to the outside (the keyhole of
    PS3.3 C.8.8.6.3).
    """
    outer: list[list[Vertex]] = []
    holes: list[list[Vertex]] = []
    for loop in _loops(mask):
        (outer if _area(loop) > 0 else holes).append(loop)
    owner = {vertex: number for number, loop in enumerate(outer) for vertex in loop}
    edges = set(owner) | {vertex for loop in holes for vertex in loop}
    # a hole's bridge runs leftwards from its top left corner: to what is outside, or to a hole
    # that begins above it, which is joined already
    for hole in sorted(holes, key=_top_left):
        start = _top_left(hole)[::-1]
        end = (start[0] - 1, start[1])
        while end not in edges:
            end = (end[0] - 1, end[1])
        number = owner[end]
        at, first = outer[number].index(end), hole.index(start)
        around = [*hole[first:], *hole[: first + 1]]
        bridge = [(x, start[1]) for x in range(end[0] + 1, start[0])]
        outer[number][at + 1 : at + 1] = [*bridge, *around, *bridge[::-1], end]
        owner.update(dict.fromkeys(hole, number))
    return [np.array(_corners(loop), dtype=np.float64) - 0.5 for loop in outer]


def _loops(mask: Array) -> list[list[Vertex]]:
    """Follow the edges between inside and outside, what is inside on the right."""
    padded = np.pad(np.asarray(mask, dtype=bool), 1)
    inside = padded[1:-1, 1:-1]
    sides = (
        (padded[1:-1, :-2], 0, (0, 0)), (padded[2:, 1:-1], 1, (1, 0)),
        (padded[1:-1, 2:], 2, (1, 1)), (padded[:-2, 1:-1], 3, (0, 1)),
    )  # fmt: skip
    leaving: dict[Vertex, list[int]] = defaultdict(list)
    for beside, way, (across, down) in sides:
        columns, rows = np.nonzero(inside & ~beside)
        for x, y in zip((columns + across).tolist(), (rows + down).tolist(), strict=True):
            leaving[x, y].append(way)
    loops = []
    while leaving:
        start = next(iter(leaving))
        vertex, way, loop = start, leaving[start][0], []
        while True:
            ways, right = leaving[vertex], (way + 1) % 4
            # two pixels that meet at a corner alone: the way goes on around the same one
            way = right if right in ways else ways[0]
            ways.remove(way)
            if not ways:
                del leaving[vertex]
            loop.append(vertex)
            vertex = (vertex[0] + _STEPS[way][0], vertex[1] + _STEPS[way][1])
            if vertex == start and _is_closed(leaving, start, way):
                break
        loops.append(loop)
    return loops


def _is_closed(leaving: dict[Vertex, list[int]], start: Vertex, way: int) -> bool:
    """Whether a loop that is back at its start ends there, and does not pass it once more."""
    return (way + 1) % 4 not in leaving.get(start, [])


def _area(loop: list[Vertex]) -> int:
    """Return twice the area, above 0 where the loop runs clockwise on the screen."""
    points = np.array(loop)
    x, y = points.T
    return int(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _top_left(loop: list[Vertex]) -> Vertex:
    return min((y, x) for x, y in loop)


def _corners(loop: list[Vertex]) -> list[Vertex]:
    """Leave out the points in the midst of straight lines."""
    points = np.array(loop)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = (before != after).any(axis=1)
    return [vertex for vertex, turn in zip(loop, turns.tolist(), strict=True) if turn]
