"""Cubic resampling of volumes: ours against scikit-image and SciPy, on one thread.

Run with ``python -m benchmarks.resampling``; a few minutes, under 2 GB of memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.transform import resize
from threadpoolctl import threadpool_limits

from benchmarks.report import machine, median_seconds, print_table, write_result
from interactivenet.imaging.geometry import Array
from interactivenet.imaging.resampling import resample

Shape = tuple[int, int, int]
SIZES: list[tuple[Shape, Shape]] = [
    ((512, 512, 120), (358, 358, 200)),
    ((256, 256, 64), (179, 179, 256)),
    ((50, 60, 40), (40, 48, 52)),
]
REPEATS = 5
OURS, SKIMAGE, SCIPY = "ours", "skimage.transform.resize", "scipy.ndimage.zoom"


def main() -> None:
    """Measure, print the table and write ``results/resampling.json``."""
    with threadpool_limits(1):
        rows = [row for before, after in SIZES for row in measure(before, after)]
    print_table(
        "cubic resampling, one thread",
        ("", "method", "s", "times faster", "max difference"),
        [
            (
                row["size"], row["method"], f"{row['seconds']:.4f}",
                f"{row['times_faster_than_skimage']:.1f}", f"{row['max_difference_to_scipy']:.1e}",
            )
            for row in rows
        ],
    )  # fmt: skip
    content = {
        "machine": machine("numpy", "scipy", "scikit-image"),
        "repeats": REPEATS,
        "statistic": "median",
        "resampling": rows,
    }
    print(f"\nwritten: {write_result('resampling', content).name}")


def measure(before: Shape, after: Shape) -> list[dict[str, Any]]:
    """Time one size; values are uniform in [0, 1)."""
    array = np.random.default_rng(0).random(before, dtype=np.float32)
    tasks = {
        SKIMAGE: partial(resize, array, after, order=3, mode="edge", clip=False,
                         anti_aliasing=False),
        SCIPY: partial(_zoom, array, after),
        OURS: partial(resample, array, after),
    }  # fmt: skip
    expected = tasks[SCIPY]()
    differences = {name: float(np.abs(task() - expected).max()) for name, task in tasks.items()}
    seconds = median_seconds(tasks, REPEATS)
    size = f"{'x'.join(map(str, before))} -> {'x'.join(map(str, after))}"
    return [
        {
            "size": size,
            "method": name,
            "seconds": round(seconds[name], 5),
            "times_faster_than_skimage": round(seconds[SKIMAGE] / seconds[name], 2),
            "max_difference_to_scipy": differences[name],
        }
        for name in tasks
    ]


def _zoom(array: Array, shape: Shape) -> Array:
    factors = [m / n for m, n in zip(shape, array.shape, strict=True)]
    return np.asarray(ndimage.zoom(array, factors, order=3, mode="nearest", grid_mode=True))


if __name__ == "__main__":
    main()
