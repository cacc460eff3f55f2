"""Geodesic distance on a graphics card: the host's side of ``geodesic.cu``.

Importing this module imports torch.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interactivenet.encoding.card_kernels import Launcher
from interactivenet.encoding.step_cost import StepCost, step_lengths

#: voxels of a tile along an axis, and threads: constants of ``geodesic.cu``
TILE, THREADS, CHOOSERS, BEGINNERS = 8, 512, 1024, 256
#: the bits of inf
NONE = 0x7F800000
#: rounds that are started before the host looks whether one had nothing to do: it waits for the
#: card then; a round for nothing takes some microseconds
ROUNDS = 16
#: rise of the threshold, in typical steps: about what crosses a tile
RISE = 8.0
#: lines of an image that tell what a step typically costs
_LINES = 4096


class Setup(ctypes.Structure):
    """What does not change in a run, with the fields of ``geodesic.cu``."""

    _fields_ = (
        ("shape", ctypes.c_int * 3),
        ("tiles", ctypes.c_int * 3),
        ("channels", ctypes.c_int),
        ("linear", ctypes.c_int),
        ("full", ctypes.c_int),
        ("bound", ctypes.c_float),
        ("general", ctypes.c_float * 4),
        ("steps", ctypes.c_float * 81),
    )


class Progress(ctypes.Structure):
    """What changes from round to round, with the fields of ``geodesic.cu``."""

    _fields_ = tuple(
        (name, ctypes.c_float if name == "width" else ctypes.c_int)
        for name in ("count", "threshold", "width", "rounds", "visits", "turns")
    )


def geodesic_on_card(
    image: Tensor,
    seeds: Tensor,
    spacing: tuple[float, float, float],
    metric: StepCost,
    bound: float,
    launcher: Launcher,
) -> tuple[Tensor, Progress]:
    """Cost of the cheapest path from each voxel to a seed: the CPU's kernel "exact", to the bit.

    image: (C, X, Y, Z) float32.  seeds: (X, Y, Z) bool, on the same device.  spacing: mm.
    bound: where the distance is not less than this, it is inf.
    Returns the distance (X, Y, Z) float32, and what it took.
    """
    image, seeds = image.detach().contiguous(), seeds.contiguous()
    device, shape = image.device, tuple(seeds.shape)
    setup = make_setup(shape, len(image), spacing, metric, bound, launcher.blocks)
    tiles = math.prod(setup.tiles)
    grid = min(launcher.blocks, tiles)
    with torch.cuda.device_of(image):  # type: ignore[no-untyped-call]  # the kernels are started on the current device
        distance = torch.empty(shape, device=device)
        keys = torch.full((tiles,), NONE, dtype=torch.int32, device=device)
        listed = torch.empty(tiles, dtype=torch.int32, device=device)
        progress = torch.zeros(len(Progress._fields_), dtype=torch.int32, device=device)
        width = _typical_step(image, spacing, metric) * RISE
        launcher.launch(
            "begin", -(-seeds.numel() // BEGINNERS), BEGINNERS,
            (setup, seeds.view(torch.uint8), width, distance, keys, progress),
        )  # fmt: skip
        while True:
            for _ in range(ROUNDS):
                launcher.launch("choose", 1, CHOOSERS, (setup, keys, listed, progress))
                launcher.launch(
                    "visit", grid, THREADS, (setup, image, distance, keys, listed, progress)
                )
            # the one point of these rounds where the device is waited for
            done = Progress.from_buffer_copy(progress.cpu().numpy().data)
            if not done.count:
                return distance, done


def make_setup(
    shape: tuple[int, ...],
    channels: int,
    spacing: tuple[float, float, float],
    metric: StepCost,
    bound: float,
    full: int,
) -> Setup:
    """Return the settings of a run; full: tiles that keep the card busy."""
    lengths = step_lengths(spacing)
    linear = metric.linear(lengths) if channels == 1 else None
    steps = metric.of_length(lengths) if linear is None else linear
    return Setup(
        shape=_numbers(ctypes.c_int, shape),
        tiles=_numbers(ctypes.c_int, [-(-voxels // TILE) for voxels in shape]),
        channels=channels,
        linear=linear is not None,
        full=full,
        bound=np.float32(bound),
        general=_numbers(ctypes.c_float, metric.coefficients),
        steps=_numbers(ctypes.c_float, steps.ravel()),
    )


def _numbers(kind: Any, values: Any) -> Any:
    return (kind * len(values))(*values)


def _typical_step(image: Tensor, spacing: tuple[float, float, float], metric: StepCost) -> Tensor:
    """Mean cost of a step along the longest axis over some of the image: a float32 there, (1,)."""
    axis = max(range(3), key=lambda axis: image.shape[1 + axis])
    lines = image.movedim(1 + axis, -1)
    every = max(1, round((lines[0, ..., 0].numel() / _LINES) ** 0.5))
    lines = lines[:, ::every, ::every]
    difference = torch.linalg.vector_norm(lines.diff(dim=-1), dim=0)
    if not difference.numel():
        return torch.ones(1, device=image.device)
    mean = torch.as_tensor(metric.cost(difference, spacing[axis])).mean()
    return mean.clamp(1e-6, 1e20).reshape(1)
