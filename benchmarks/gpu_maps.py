"""Geodesic maps on a card: its kernel, the sweeps of tensors, one CPU core; a part of gpu.py."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.report import print_table
from benchmarks.volumes import SPACING, make_volume
from interactivenet.encoding.card_kernels import Launcher
from interactivenet.encoding.geodesic import geodesic_distance
from interactivenet.encoding.layout import FAR
from interactivenet.encoding.on_card import geodesic_on_card
from interactivenet.encoding.step_cost import StepCost
from interactivenet.encoding.sweeps import geodesic_sweeps

SHAPES = ((48, 48, 48), (96, 80, 80), (128, 128, 128), (256, 256, 256))
SMOKE_SHAPES = ((24, 24, 24), (33, 20, 26))
#: what a map of 256^3 may take, s
GOAL = 0.06
REPEATS = 7


def measure_maps(device: str, *, smoke: bool) -> dict[str, Any]:
    """Time every way on every volume, and hold the distances against the CPU's."""
    began = time.perf_counter()
    launcher = _launcher(device)
    ready = time.perf_counter() - began
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [
            _measure(shape, metric, device, launcher, repeats=2 if smoke else REPEATS)
            for shape in (SMOKE_SHAPES if smoke else SHAPES)
            for metric in (StepCost("geodistk"), StepCost("gradient"))
        ]
    finally:
        torch.set_num_threads(threads)
    print_table(
        "Geodesic maps, ms",
        ("", "CPU, one core", "card's kernel", "sweeps", "equal", "rounds", "visits a tile"),
        [
            (f"{row['shape']} {row['metric']}", row["cpu_ms"], row["kernel_ms"], row["sweeps_ms"],
             str(row["equal"]), str(row["rounds"]), row["visits_a_tile"])
            for row in rows
        ],
    )  # fmt: skip
    largest = [row for row in rows if row["shape"] == "256x256x256"]
    return {
        "spacing": SPACING,
        "statistic": f"median of {2 if smoke else REPEATS}, wall-clock, image on the device",
        "kernel_ready_s": round(ready, 2),
        "equal": all(row["equal"] for row in rows),
        "goal_met": all(row["kernel_ms"] < 1000 * GOAL for row in largest) if largest else None,
        "never_slower": all(row["kernel_ms"] <= row["cpu_ms"] for row in rows),
        "rows": rows,
    }


def _launcher(device: str) -> Launcher:
    if device == "cpu":
        in_place = importlib.import_module("tests.encoding.card_on_cpu")
        launcher: Launcher = in_place.CardOnCpu(in_place.library())
        return launcher
    from interactivenet.encoding.card import launcher_for, reason_against

    on_card = launcher_for(torch.device("cuda", 0), wait=True)
    if on_card is None:
        raise RuntimeError(reason_against(torch.device("cuda", 0)))
    return on_card


def _measure(
    shape: tuple[int, int, int], metric: StepCost, device: str, launcher: Launcher, repeats: int
) -> dict[str, Any]:
    image, seeds = make_volume(shape)
    tensors = torch.from_numpy(image)[None].to(device), torch.from_numpy(seeds).to(device)
    expected = geodesic_distance(image, seeds, SPACING, metric=metric.name)
    distance, progress = geodesic_on_card(*tensors, SPACING, metric, float(FAR), launcher)
    tiles = np.prod([-(-voxels // 8) for voxels in shape])

    def median_ms(task: Callable[[], object], count: int) -> float:
        seconds = []
        for _ in range(count):
            _wait(device)
            start = time.perf_counter()
            task()
            _wait(device)
            seconds.append(time.perf_counter() - start)
        return round(1000 * statistics.median(seconds), 3)

    return {
        "shape": "x".join(map(str, shape)),
        "metric": metric.name,
        "cpu_ms": median_ms(
            lambda: geodesic_distance(image, seeds, SPACING, metric=metric.name), min(repeats, 3)
        ),
        "kernel_ms": median_ms(
            lambda: geodesic_on_card(*tensors, SPACING, metric, float(FAR), launcher), repeats
        ),
        "sweeps_ms": median_ms(lambda: geodesic_sweeps(*tensors, SPACING, metric), min(repeats, 2)),
        "equal": bool(np.array_equal(distance.cpu().numpy(), expected)),
        "rounds": progress.rounds,
        "visits_a_tile": round(progress.visits / int(tiles), 2),
        "turns_a_visit": round(progress.turns / progress.visits, 2),
    }


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
