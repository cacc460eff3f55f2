"""The compiled kernels of the geodesic distance: are they right, and are they kept?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interactivenet.doctor.checks import Check
from interactivenet.encoding.geodesic import geodesic_distance
from interactivenet.planning.plan import Kernel

#: largest difference, mm and intensities of the order of 10
_TOLERANCE = 1e-3
_KERNELS: tuple[Kernel, ...] = ("exact", "scan")


@dataclass(frozen=True)
class KernelFacts:
    """What came of running the kernels.

    error: the largest difference from known distances.  compiled, loaded: kernels that had to be
    compiled by this process, and those that were found compiled.  folder: where they are kept.
    """

    error: float
    compiled: int
    loaded: int
    folder: Path | None
    seconds: float


def check_kernels() -> list[Check]:
    """Run both kernels on two small volumes, with distances that are known."""
    from interactivenet.encoding import kernels
    from interactivenet.encoding.compiling import cache_folder

    start = time.monotonic()
    error = max(
        float(np.abs(computed - expected).max())
        for kernel in _KERNELS for computed, expected in (_flat(kernel), _ramp(kernel))
    )  # fmt: skip
    seconds = time.monotonic() - start
    # functions that became part of others are not kept by themselves
    kept = [
        kernel.stats for kernel in vars(kernels).values()
        if getattr(getattr(kernel, "stats", None), "cache_path", None)
    ]  # fmt: skip
    compiled = sum(sum(stats.cache_misses.values()) for stats in kept)
    loaded = sum(sum(stats.cache_hits.values()) for stats in kept)
    return [judge_kernels(KernelFacts(error, compiled, loaded, cache_folder(), seconds))]


def judge_kernels(facts: KernelFacts) -> Check:
    """Judge the distances, and whether the kernels are kept compiled."""
    if not facts.error <= _TOLERANCE:
        fault = f"a geodesic distance is wrong by {facts.error:.2g}"
        remedy = "remove that folder, so that the kernels are compiled again"
        finding = f"{fault}; compiled kernels are kept in {facts.folder}"
        return Check("kernels", "problem", finding, remedy)
    finding = f"geodesic distances are right ({facts.seconds:.1f} s)"
    if facts.folder is None:
        return Check("kernels", "note", f"{finding}; every start takes some seconds longer, since"
                     " there is no folder to keep the compiled kernels in", "set NUMBA_CACHE_DIR to"
                     " a folder of this user alone, or make /tmp writable")  # fmt: skip
    state = "compiled now" if facts.compiled else "already compiled"
    return Check("kernels", "ok", f"{finding}; {state}, kept in {facts.folder}")


def _flat(kernel: Kernel) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Without an image, the length of the path: diagonal steps as far as they go, then straight."""
    shape = (7, 9, 11)
    seeds = np.zeros(shape, bool)
    seeds[3, 4, 5] = True
    image = np.zeros(shape, np.float32)
    computed = geodesic_distance(image, seeds, (1.0, 1.0, 1.0), kernel=kernel, lamb=0.0)
    steps = np.abs(np.indices(shape) - np.array([3, 4, 5])[:, None, None, None])
    least, middle, most = np.sort(steps, axis=0)
    return computed, 3**0.5 * least + 2**0.5 * (middle - least) + (most - middle)


def _ramp(kernel: Kernel) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Across a ramp, the number of steps times their rise: each is 2 mm long and rises by 3."""
    shape = (8, 5, 6)
    seeds = np.zeros(shape, bool)
    seeds[0] = True
    image = np.broadcast_to(3 * np.arange(8, dtype=np.float32)[:, None, None], shape).copy()
    computed = geodesic_distance(image, seeds, (2.0, 2.0, 2.0), kernel=kernel)
    return computed, np.broadcast_to(6.0 * np.arange(8)[:, None, None], shape)
