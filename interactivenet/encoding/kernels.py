"""The compiled loops of the geodesic distance. Importing this module imports numba.

Volumes are flat arrays of padded voxels: see :mod:`interactivenet.encoding.layout`. A *row* runs
along the last axis x, in contiguous memory; a *segment* is SEGMENT voxels of a row. A voxel that
is not reached has the distance FAR, and so has the padding, always.

Everything is in this one file because numba compiles anew when the file of a function has
changed, not when a function that it calls has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.encoding.compiling import compiled
from interactivenet.encoding.layout import FAR, HALO, SEGMENT

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
#: without its sign bit, an index is known to be positive; then numba's check of indices that
#: count from the end, which would keep loops from being vectorised, is left out
INDEX = 0x7FFFFFFFFFFF
#: rows of the scratch memory: lowest distances, chains in either direction, costs, |dI|^2
BEST, FORWARD, BACKWARD, COSTS, SQUARES = 0, 1, 2, 3, 4
SCRATCH = 5
#: rows that the raster scan handles at once, each one plane and two rows behind the one before it:
#: then none needs what another one makes, and their chains along x, which are bound by the
#: latency of an addition, overlap
ABREAST = 4
#: the bit of the row itself among the sources of a segment's visit
IN_ROW = 1 << 4


@compiled(inlined=True)
def squared(image: Floats, a: int, b: int, squares: Floats, count: int) -> None:
    """Fill ``squares`` (count,) with |dI|^2 between the voxels from ``a`` and from ``b`` on."""
    a &= INDEX
    b &= INDEX
    for channel in range(image.shape[0]):
        values = image[channel]
        for x in range(count):
            difference = values[a + x] - values[b + x]
            squares[x] = difference * difference + (squares[x] if channel else np.float32(0))


@compiled(inlined=True)
def cost(
    square: float, scale: float, inside: float, contrast: float, added: float,
    bent: float, straight: float,
) -> float:  # fmt: skip
    """StepCost.cost from |dI|^2, with StepCost.of_length and StepCost.coefficients."""
    difference = np.sqrt(inside + contrast * square) + added
    price: float = scale * difference / (bent * difference + straight)
    return price


@compiled(inlined=True)
def pull(
    image: Floats, distance: Floats, to: int, source: int, row: Floats, general: Any,
    best: Floats, squares: Floats, count: int,
) -> None:  # fmt: skip
    """Lower ``best`` (count,), of the voxels from ``to`` on, by the paths from another row.

    source: the voxel of the other row beside ``to``; its neighbours along x count too.
    row: (3, 3) for the neighbours at x-1, x, x+1. Where ``general`` is None, slope and offset of
        the cost as a function of |dI|, else StepCost.of_length, with an offset to be added.
    general: None, or StepCost.coefficients.
    """
    to &= INDEX
    left = (source - 1) & INDEX
    if general is None:
        values = image[0]
        a0, b0, a1, b1, a2, b2 = row[0, 0], row[0, 1], row[1, 0], row[1, 1], row[2, 0], row[2, 1]
        for x in range(count):
            value = values[to + x]
            d0 = distance[left + x] + (a0 * abs(values[left + x] - value) + b0)
            d1 = distance[left + 1 + x] + (a1 * abs(values[left + 1 + x] - value) + b1)
            d2 = distance[left + 2 + x] + (a2 * abs(values[left + 2 + x] - value) + b2)
            best[x] = min(min(best[x], d0), min(d1, d2))
    else:
        c0, c1, c2, c3 = general[0], general[1], general[2], general[3]
        for side in range(len(row)):  # three: said so, the loop is unrolled, and compiles longer
            scale, offset, inside = row[side, 0], row[side, 1], row[side, 2]
            squared(image, to, left + side, squares, count)
            for x in range(count):
                step = cost(squares[x], scale, inside, c0, c1, c2, c3) + offset
                best[x] = min(best[x], distance[left + side + x] + step)


@compiled(inlined=True)
def along(
    image: Floats, start: int, row: Floats, general: Any,
    costs: Floats, squares: Floats, count: int,
) -> None:  # fmt: skip
    """Fill ``costs`` (count,): the step from voxel ``start + x - 1`` to ``start + x``."""
    start &= INDEX
    left = (start - 1) & INDEX
    if general is None:
        values = image[0]
        slope, offset = row[2, 0], row[2, 1]
        for x in range(count):
            costs[x] = slope * abs(values[start + x] - values[left + x]) + offset
    else:
        squared(image, start, left, squares, count)
        scale, inside = row[2, 0], row[2, 2]
        c0, c1, c2, c3 = general[0], general[1], general[2], general[3]
        for x in range(count):
            costs[x] = cost(squares[x], scale, inside, c0, c1, c2, c3)


@compiled()
def settle(
    image: Floats, distance: Floats, padded: tuple[int, int, int], length: int,
    steps: Floats, general: Any, key: Floats, sources: Ints, row_key: Floats, plane_key: Floats,
    scratch: Floats, bound: float, width: float,
) -> None:  # fmt: skip
    """Lower the distances until each is the least over its neighbours of theirs and the step.

    Segments wait to be visited when something beside them has changed. A segment's key is the
    lowest distance that changed, ``sources`` holds a bit for each row beside it where that was.
    Sweeps over the volume, in changing directions, visit the segments whose key lies below a
    threshold, which rises when none is left: so distances are nearly final when they are used.
    Distances from ``bound`` on are not handed on.

    padded: shape of the padded volume.  length: voxels of a row.
    steps: (9, 3, 3) coefficients of ``pull`` for the rows beside one; [4] for the row itself.
    key, sources: (planes, rows, segments + 2), flat.  row_key, plane_key: lowest keys, flat.
    scratch: (SCRATCH, at least SEGMENT + 1).  width: rise of the threshold.
    """
    planes, rows, stride = padded
    segments = key.size // (planes * rows)
    plane_stride = rows * stride
    best, forward, backward = scratch[BEST], scratch[FORWARD], scratch[BACKWARD]
    costs, squares = scratch[COSTS], scratch[SQUARES]
    threshold = width
    count = scratch.shape[1] // 2  # SEGMENT; as a constant, compilation takes longer
    sweep = visits = visits_before = 0
    while True:
        sweep += 1
        up = (sweep & 1) == 0
        same = (sweep & 2) == 0
        for i in range(1, planes - 1):
            z = i if up else planes - 1 - i
            if plane_key[z] >= threshold:
                continue
            for j in range(1, rows - 1):
                y = j if up == same else rows - 1 - j
                r = z * rows + y
                if row_key[r] >= threshold:
                    continue
                row_key[r] = FAR
                for k in range(1, segments - 1):
                    s = k if up else segments - 1 - k
                    g = r * segments + s
                    if key[g] >= threshold:
                        row_key[r] = min(row_key[r], key[g])
                        continue
                    visits += 1
                    changed = sources[g]
                    key[g] = FAR
                    sources[g] = 0
                    first = (s - 1) * SEGMENT
                    p = (r * stride + HALO + first) & INDEX
                    for x in range(SEGMENT):
                        best[x] = distance[p + x]
                    for n in range(9):
                        if n != 4 and (changed >> n) & 1:
                            q = p + (n // 3 - 1) * plane_stride + (n % 3 - 1) * stride
                            pull(image, distance, p, q, steps[n], general, best, squares, count)
                    improved = changed & IN_ROW
                    for x in range(SEGMENT):
                        improved |= best[x] < distance[p + x]
                    if improved == 0:
                        continue
                    # the steps into the padding must cost FAR, whatever stands there
                    along(image, p, steps[4], general, costs, squares, count + 1)
                    for x in range(length - first, SEGMENT + 1):
                        costs[x] = FAR
                    for x in range(length - first, SEGMENT):
                        best[x] = FAR
                    best[0] = min(best[0], distance[p - 1] + costs[0])
                    best[SEGMENT - 1] = min(
                        best[SEGMENT - 1], distance[p + SEGMENT] + costs[SEGMENT]
                    )
                    ahead = behind = FAR
                    for x in range(SEGMENT):
                        ahead = min(best[x], ahead + costs[x])
                        forward[x] = ahead
                        m = SEGMENT - 1 - x
                        behind = min(best[m], behind + costs[m + 1])
                        backward[m] = behind
                    left = min(forward[0], backward[0]) < distance[p]
                    right = (
                        min(forward[SEGMENT - 1], backward[SEGMENT - 1]) < distance[p + SEGMENT - 1]
                    )
                    lowest = FAR
                    for x in range(SEGMENT):
                        value = min(forward[x], backward[x])
                        lowest = min(lowest, value if value < distance[p + x] else FAR)
                        distance[p + x] = value
                    if lowest >= bound:
                        continue
                    for n in range(9):
                        beside = r + (n // 3 - 1) * rows + n % 3 - 1
                        row_key[beside] = min(row_key[beside], lowest)
                        for e in range(-1 if left else 0, 2 if right else 1):
                            if n != 4 or e != 0:
                                h = beside * segments + s + e
                                key[h] = min(key[h], lowest)
                                # seen from there, this row lies on the opposite side
                                sources[h] |= 1 << (8 - n)
                    for n in range(-1, 2):
                        plane_key[z + n] = min(plane_key[z + n], lowest)
            least = FAR
            for y in range(1, rows - 1):
                least = min(least, row_key[z * rows + y])
            plane_key[z] = least
        least = FAR
        for z in range(1, planes - 1):
            least = min(least, plane_key[z])
        if least >= bound:
            return
        if least >= threshold:
            if (visits - visits_before) * 64 < planes * rows * segments:
                width *= 2  # too small a rise: the sweeps cost more than the visits
            visits_before = visits
            # relative to the key too, or rounding could keep the threshold where it is
            threshold = max(least + width, least * np.float32(1.001))


@compiled()
def raster_scan(
    image: Floats, distance: Floats, padded: tuple[int, int, int], length: int,
    steps: Floats, beside: Ints, general: Any, scratch: Floats, iterations: int,
) -> None:  # fmt: skip
    """Scan the volume as GeodisTK does, ``iterations`` times forward and backward.

    steps: (2, 6, 3, 3) coefficients of ``pull`` for the rows of either direction; the last one
        for the row itself.  beside: (2, 5, 2) plane and row of the other rows, relative.
    scratch: (ABREAST, SCRATCH, at least the padded length of a row).
    """
    planes, rows, stride = padded
    count = stride - 2 * HALO
    b0, b1, b2, b3 = scratch[0, BEST], scratch[1, BEST], scratch[2, BEST], scratch[3, BEST]
    c0, c1, c2, c3 = scratch[0, COSTS], scratch[1, COSTS], scratch[2, COSTS], scratch[3, COSTS]
    for turn in range(2 * iterations):
        way = turn & 1
        for group in range(1, planes - 1, ABREAST):
            for time in range(1, rows - 1 + 2 * (ABREAST - 1)):
                for lane in range(ABREAST):
                    z, y = group + lane, time - 2 * lane
                    if z >= planes - 1 or y < 1 or y >= rows - 1:
                        continue
                    if way:
                        z, y = planes - 1 - z, rows - 1 - y
                    best, squares = scratch[lane, BEST], scratch[lane, SQUARES]
                    p = ((z * rows + y) * stride + HALO) & INDEX
                    for x in range(count):
                        best[x] = distance[p + x]
                    for n in range(5):
                        q = p + (beside[way, n, 0] * rows + beside[way, n, 1]) * stride
                        pull(image, distance, p, q, steps[way, n], general, best, squares, count)
                    along(
                        image, p, steps[way, 5], general, scratch[lane, COSTS], squares, count + 1
                    )
                d0 = d1 = d2 = d3 = FAR
                for i in range(length):
                    x = (length - 1 - i if way else i) & INDEX
                    d0 = min(b0[x], d0 + c0[x + way])
                    d1 = min(b1[x], d1 + c1[x + way])
                    d2 = min(b2[x], d2 + c2[x + way])
                    d3 = min(b3[x], d3 + c3[x + way])
                    b0[x], b1[x], b2[x], b3[x] = d0, d1, d2, d3
                for lane in range(ABREAST):
                    z, y = group + lane, time - 2 * lane
                    if z >= planes - 1 or y < 1 or y >= rows - 1:
                        continue
                    if way:
                        z, y = planes - 1 - z, rows - 1 - y
                    best = scratch[lane, BEST]
                    p = ((z * rows + y) * stride + HALO) & INDEX
                    for x in range(length):
                        distance[p + x] = best[x]
