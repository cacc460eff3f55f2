"""Compiles the kernels and keeps them, when an image is built: ``python -m ...precompile``."""

from __future__ import annotations

import sys
from typing import get_args

import numpy as np

from interactivenet.encoding.compiling import cache_folder
from interactivenet.encoding.geodesic import geodesic_distance
from interactivenet.planning.plan import Kernel, MetricName


def precompile() -> None:
    """Call every compiled kernel with every kind of arguments that it is called with."""
    image = np.zeros((4, 4, 4), np.float32)
    seeds = np.zeros(image.shape, bool)
    seeds[0, 0, 0] = True
    kernels: list[Kernel] = ["exact", "scan"]
    for kernel in kernels:
        for metric in get_args(MetricName):
            geodesic_distance(image, seeds, (1.0, 1.0, 1.0), kernel=kernel, metric=metric)


if __name__ == "__main__":
    precompile()
    sys.stdout.write(f"compiled, kept in {cache_folder()}\n")
