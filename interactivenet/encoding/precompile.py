"""Compiles the kernels and keeps them, when an image is built: ``python -m ...precompile``.

Those of a graphics card, too, where torch is a CUDA build: that takes no card.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import get_args

import numpy as np

from interactivenet.encoding.compiling import cache_folder
from interactivenet.encoding.geodesic import geodesic_distance
from interactivenet.planning.plan import Kernel, MetricName

#: compute capabilities whose code runs on all cards since Turing, within their major version
TARGETS = ((7, 5), (8, 0), (9, 0), (10, 0), (11, 0), (12, 0))


def precompile() -> None:
    """Call every compiled kernel with every kind of arguments that it is called with."""
    image = np.zeros((4, 4, 4), np.float32)
    seeds = np.zeros(image.shape, bool)
    seeds[0, 0, 0] = True
    kernels: list[Kernel] = ["exact", "scan"]
    for kernel in kernels:
        for metric in get_args(MetricName):
            geodesic_distance(image, seeds, (1.0, 1.0, 1.0), kernel=kernel, metric=metric)


def precompile_for_cards() -> list[str]:
    """Compile the card's kernels for all cards that there are; returns those it worked for."""
    import torch

    if torch.version.cuda is None:
        return []
    from interactivenet.encoding.card_kernels import compile_and_keep
    from interactivenet.encoding.nvrtc import CompilingError

    done = []
    for major, minor in TARGETS:
        with suppress(CompilingError):  # older than torch's CUDA supports, or newer
            compile_and_keep((major, minor))
            done.append(f"{major}.{minor}")
    return done


if __name__ == "__main__":
    precompile()
    cards = ", ".join(precompile_for_cards()) or "none"
    sys.stdout.write(f"compiled, kept in {cache_folder()}; for graphics cards of: {cards}\n")
