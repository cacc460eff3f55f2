"""Geodesic distance: GeodisTK, our kernels, and what their speed costs in accuracy.

Synthetic images with a lesion, texture and noise, and six points just inside the lesion's
surface. One thread; the error is that of exp(-G) against a heap-based Dijkstra in float64 of the
same metric. A voxel that lies within rounding of a bound may fall on its other side, which is an
error of exp(-bound): 9e-4 for 7. Run with ``python -m benchmarks.geodesic``; it needs GeodisTK
(the extra ``geodistk``) and torch, some ten minutes, and 6 GB of memory.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import GeodisTK
import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from benchmarks.report import machine, print_table, write_result
from benchmarks.volumes import SEED, SPACING, make_volume
from interactivenet.encoding.geodesic import geodesic_distance
from interactivenet.encoding.step_cost import StepCost, step_lengths
from interactivenet.encoding.sweeps import geodesic_sweeps

SHAPES = ((64, 64, 64), (128, 128, 64), (256, 256, 128))
REPEATS = 5
#: on a CPU the converged sweeps of tensors, made for a GPU, take minutes on a larger volume
SWEPT_UNTIL = 128 * 128 * 64  # voxels

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def main() -> None:
    """Measure, print the tables and write ``results/geodesic.json``."""
    torch.set_num_threads(1)
    result = {}
    for shape in SHAPES:
        rows = measure(*make_volume(shape))
        title = "x".join(map(str, shape))
        cells = [
            (row["name"], f"{row['seconds']:.3f}", f"{row['faster']:.1f}", f"{row['error']:.1e}")
            for row in rows
        ]
        print_table(title, ("", "CPU s", "times GeodisTK's speed", "max error"), cells)
        result[title] = rows
    content = {
        "machine": machine("numpy", "numba", "torch", "GeodisTK"),
        "volume": {"spacing": SPACING, "seed": SEED},
        "repeats": REPEATS,
        "statistic": "median process time, one thread",
        "error": "largest difference of exp(-G) from Dijkstra's",
        **result,
    }
    print(f"\nwritten: {write_result('geodesic', content).name}")


def measure(image: Floats, seeds: Mask) -> list[dict[str, Any]]:
    """Return what each method takes, and how far it is off, on one volume."""
    ours = partial(geodesic_distance, image, seeds, SPACING)
    tensors = torch.from_numpy(image)[None], torch.from_numpy(seeds)
    geodistk, gradient = StepCost(), StepCost("gradient")
    expected = {metric: dijkstra(image, seeds, metric) for metric in (geodistk, gradient)}
    methods: dict[str, tuple[Callable[[], Any], StepCost, float]] = {
        "GeodisTK, 4 iterations": (
            lambda: GeodisTK.geodesic3d_raster_scan(
                image, seeds.astype(np.uint8), np.array(SPACING, dtype=np.float32), 1.0, 4
            ),
            geodistk,
            np.inf,
        ),
        "scan, 4 iterations": (lambda: ours(kernel="scan"), geodistk, np.inf),
        "exact": (ours, geodistk, np.inf),
        "exact, bound 7": (lambda: ours(bound=7), geodistk, 7),
        "exact, bound 5": (lambda: ours(bound=5), geodistk, 5),
        "exact, metric gradient": (lambda: ours(metric="gradient"), gradient, np.inf),
        "torch sweeps, 4 iterations": (
            lambda: geodesic_sweeps(*tensors, SPACING, geodistk, iterations=4),
            geodistk,
            np.inf,
        ),
        "Dijkstra, binary heap": (lambda: dijkstra(image, seeds, geodistk), geodistk, np.inf),
    }
    if image.size <= SWEPT_UNTIL:
        methods["torch sweeps, converged"] = (
            lambda: geodesic_sweeps(*tensors, SPACING, geodistk),
            geodistk,
            np.inf,
        )
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    errors: dict[str, float] = {}
    for turn in range(1 + REPEATS):  # in turns: a slow spell of the machine meets all of them
        for name, (method, metric, bound) in methods.items():
            if turn == 0:  # compiles, too
                found = np.asarray(method(), dtype=np.float64)
                inside = expected[metric] < bound
                off = np.exp(-found) - np.exp(-np.where(inside, expected[metric], np.inf))
                errors[name] = float(np.abs(off).max())
                continue
            start = time.process_time()
            method()
            seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(runs) for name, runs in seconds.items()}
    return [
        {
            "name": name,
            "seconds": round(medians[name], 4),
            "faster": round(medians["GeodisTK, 4 iterations"] / medians[name], 2),
            "error": errors[name],
        }
        for name in methods
    ]


def dijkstra(image: Floats, seeds: Mask, metric: StepCost) -> NDArray[np.float64]:
    """Shortest paths over the 26 neighbours, one voxel after the other."""
    # nan marks the padding: no comparison with it is true
    values = np.pad(image.astype(np.float64), 1).ravel()
    distance = np.pad(np.where(seeds, 0.0, np.inf), 1, constant_values=np.nan).ravel()
    strides = np.array([(seeds.shape[1] + 2) * (seeds.shape[2] + 2), seeds.shape[2] + 2, 1])
    steps = np.delete(np.indices((3, 3, 3)).reshape(3, -1).T - 1, 13, axis=0)
    lengths = np.delete(step_lengths(SPACING).ravel(), 13)
    spatial, contrast = 0.0, 1.0
    if metric.name == "gradient":
        spatial, contrast = 1 - metric.weight, metric.weight * metric.contrast
    _dijkstra(values, distance, steps @ strides, lengths, spatial, contrast)
    padded = distance.reshape([n + 2 for n in seeds.shape])
    return padded[1:-1, 1:-1, 1:-1]


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _dijkstra(
    values: NDArray[np.float64],
    distance: NDArray[np.float64],
    steps: NDArray[np.int64],
    lengths: NDArray[np.float64],
    spatial: float,
    contrast: float,
) -> None:
    """Settle the voxels by a binary heap, in place; spatial 0 is the metric of GeodisTK."""
    size = 0
    keys, voxels = np.empty(1 << 20), np.empty(1 << 20, np.int64)
    for voxel in np.flatnonzero(distance == 0):
        keys[size], voxels[size] = 0.0, voxel
        size += 1
    while size:
        key, voxel = keys[0], voxels[0]
        size -= 1
        last, hole = keys[size], 0
        while 2 * hole + 1 < size:
            child = 2 * hole + 1
            if child + 1 < size and keys[child + 1] < keys[child]:
                child += 1
            if keys[child] >= last:
                break
            keys[hole], voxels[hole] = keys[child], voxels[child]
            hole = child
        keys[hole], voxels[hole] = last, voxels[size]
        if key > distance[voxel]:
            continue
        for n in range(26):
            other = voxel + steps[n]
            change = abs(values[other] - values[voxel])
            if spatial > 0:
                reached = key + np.hypot(spatial * lengths[n], contrast * change)
            else:
                reached = key + lengths[n] * (change + 1e-5)
            if not reached < distance[other]:
                continue
            distance[other] = reached
            if size == keys.size:
                keys = np.concatenate((keys, np.empty_like(keys)))
                voxels = np.concatenate((voxels, np.empty_like(voxels)))
            hole = size
            size += 1
            while hole and keys[(hole - 1) // 2] > reached:
                keys[hole], voxels[hole] = keys[(hole - 1) // 2], voxels[(hole - 1) // 2]
                hole = (hole - 1) // 2
            keys[hole], voxels[hole] = reached, other


if __name__ == "__main__":
    main()
