"""Geodesic distances the plain way, in float64: what the kernels are compared with."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

STEPS = [step for step in np.ndindex(3, 3, 3) if step != (1, 1, 1)]
# GeodisTK's masks, in its order: steps along the axes
FORWARD = [
    (-1, -1, -1), (-1, -1, 0), (-1, -1, 1), (-1, 0, -1), (-1, 0, 0), (0, -1, -1), (0, -1, 0),
    (0, -1, 1), (0, 0, -1), (1, -1, -1), (1, -1, 0), (1, -1, 1), (1, 0, -1),
]  # fmt: skip


def geodistk_metric(lamb):
    return lambda difference, length: length / ((1 - lamb) + lamb / (difference + 1e-5))


def gradient_metric(weight, contrast):
    def cost(difference, length):
        return np.hypot((1 - weight) * length, weight * contrast * difference)

    return cost


def shortest_paths(image, seeds, spacing, cost):
    """Dijkstra over the graph of all 26 neighbours; image (C, X, Y, Z)."""
    image = image.astype(np.float64)
    shape = seeds.shape
    number = np.arange(seeds.size).reshape(shape)
    rows, columns, costs = [], [], []
    for step in np.array(STEPS) - 1:
        source = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, shape, strict=True))
        target = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, shape, strict=True))
        difference = np.linalg.norm(
            image[(slice(None), *source)] - image[(slice(None), *target)], axis=0
        )
        rows.append(number[source].ravel())
        columns.append(number[target].ravel())
        length = np.linalg.norm(step * np.asarray(spacing))
        costs.append((cost(difference, length) + np.zeros_like(difference)).ravel())
    # a step that costs nothing would be no edge of the sparse graph
    edges = np.maximum(np.concatenate(costs), 1e-300)
    graph = coo_matrix(
        (edges, (np.concatenate(rows), np.concatenate(columns))), (seeds.size, seeds.size)
    )
    distance = dijkstra(graph.tocsr(), indices=np.flatnonzero(seeds), min_only=True)
    return distance.reshape(shape)


def raster_scan(image, seeds, spacing, cost, iterations):
    """GeodisTK's algorithm, voxel by voxel; image (C, X, Y, Z)."""
    image = image.astype(np.float64)
    distance = np.where(seeds, 0.0, np.inf)
    voxels = list(np.ndindex(seeds.shape))
    backward = [tuple(-s for s in step) for step in FORWARD]
    for _ in range(iterations):
        for order, mask in ((voxels, FORWARD), (voxels[::-1], backward)):
            for p in order:
                for step in mask:
                    q = tuple(a + s for a, s in zip(p, step, strict=True))
                    if any(a < 0 or a >= n for a, n in zip(q, seeds.shape, strict=True)):
                        continue
                    difference = np.linalg.norm(image[(slice(None), *p)] - image[(slice(None), *q)])
                    length = np.linalg.norm(np.multiply(step, spacing))
                    distance[p] = min(distance[p], distance[q] + cost(difference, length))
    return distance
