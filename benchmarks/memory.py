"""Memory: plans for small cards against PyTorch's own count, and large scans through ``infer``.

``python -m benchmarks.memory`` writes ``results/memory.json``. The scan is a CT of 512x512x600
voxels with an object of 30 cm, made here. Every segmentation is a process of its own, whose peak
the system tells. On the spacing grid the network is asked about two batches of windows, and what
it says of the second stands for all others: the memory is that of all, the time is not.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.report import machine, print_table, write_result
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_volume
from interactivenet.planning.plan import (
    CropMargins,
    Encoding,
    Floats,
    Ints,
    Network,
    Normalisation,
    Plan,
)
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt

CARDS_GB = (4.0, 6.0, 8.0, 11.0)
#: voxels that samples would like to have, and their spacing, mm
DATASETS = {
    "hippocampus": ((40, 56, 44), (1.0, 1.0, 1.0)),
    "sarcoma": ((224, 256, 40), (0.8, 0.8, 5.0)),
    "organ": ((224, 192, 224), (1.2, 1.2, 1.5)),
}
SHAPE, SPACING, RADIUS = (512, 512, 600), np.array([0.8, 0.8, 1.0]), 150.0


def any_plan(network: Network, shape: Ints, batch: int, spacing: Floats) -> Plan:
    """Return a plan of one modality with a network."""
    return Plan(
        task="Task001_MEMORY", version="0", modalities=("any",), labels={1: "object"},
        preset="default", seed=0, spacing=spacing,
        cut=CropMargins(mm=((3.0, 3.0),) * 3, fraction=((0.1, 0.1),) * 3),
        normalisation=(Normalisation("zscore"),), encoding=Encoding(), network=network,
        sample_shape=shape, batch_size=batch, memory_gb=11.0, estimated_gb=1.0,
    )  # fmt: skip


def plans() -> list[dict[str, Any]]:
    """Estimate and count a training step of every preset, dataset and card."""
    from benchmarks.live_bytes import training_bytes
    from interactivenet.errors import RequestError
    from interactivenet.planning.architecture import FIXED, PRESETS, fit

    rows: list[dict[str, Any]] = []
    counted: dict[Any, tuple[float, float]] = {}
    for preset in ("small", "default", "large"):
        for name, (wanted, spacing) in DATASETS.items():
            for gb in CARDS_GB:
                row: dict[str, Any] = {"card_gb": gb, "preset": preset, "dataset": name}
                try:
                    network, shape, batch, needed = fit(wanted, spacing, 2, PRESETS[preset], gb)
                except RequestError as error:
                    rows.append({**row, "refused": str(error)})
                    continue
                key = (network, shape, batch)
                if key not in counted:
                    plan = any_plan(network, shape, batch, spacing)
                    counted[key] = (
                        training_bytes(plan) / 1e9, training_bytes(plan, half=True) / 1e9
                    )  # fmt: skip
                fp32, bf16 = counted[key]
                row |= {"sample": shape, "batch": batch, "estimated_gb": round(needed, 3)}
                row |= {"reserve_gb": FIXED / 1e9, "counted_fp32_gb": round(fp32, 3)}
                rows.append({**row, "counted_bf16_gb": round(bf16, 3)})
    return rows


def write_scan(folder: Path) -> dict[str, Path]:
    """Write the scan in every format, and the points of its object beside them."""
    rng = np.random.default_rng(0)
    affine = np.diag([*(SPACING * (-1, -1, 1)), 1.0])
    affine[:3, 3] = (204.0, 204.0, -300.0)
    grid = Geometry(SHAPE, affine)
    centre = (np.array(SHAPE) - 1) / 2
    x, y = (
        ((np.arange(n)[:, None] if axis == 0 else np.arange(n)[None]) - centre[axis])
        * SPACING[axis]
        for axis, n in enumerate(SHAPE[:2])
    )
    noise = rng.normal(0, 20, (*SHAPE[:2], 16)).astype(np.int16)
    scan = np.empty(SHAPE, np.int16, order="F")
    for index in range(SHAPE[2]):
        plane = np.where((x / 196) ** 2 + (y / 184) ** 2 < 1, 40, -1000).astype(np.int16)
        height = (index - centre[2]) * SPACING[2]
        plane[x**2 + y**2 + height**2 < RADIUS**2] = 90
        scan[:, :, index] = plane + np.roll(noise[:, :, index % 16], index * 7, axis=0)
    paths = {suffix: folder / f"scan.{suffix}" for suffix in ("nii.gz", "mha", "nrrd")}
    for path in paths.values():
        write_volume(path, grid.to_ras(scan), grid)
    offsets = np.concatenate([np.eye(3), -np.eye(3)]) * (RADIUS / SPACING - 5)
    write_prompts(
        folder / "points.mrk.json", [Prompt(1, grid.voxel_to_world(centre + offsets), "object")]
    )
    return paths


def write_bundle_of(folder: Path, spacing: float) -> Path:
    """Write a model of the default preset on a grid of that spacing, mm, with random weights."""
    from interactivenet.models.bundle import write_bundle
    from interactivenet.models.model import Model
    from interactivenet.models.network import build_network, save_weights
    from interactivenet.planning.architecture import PRESETS, divisible, plan_network

    network = plan_network((128, 128, 128), (spacing,) * 3, PRESETS["default"])
    plan = any_plan(network, divisible((128,) * 3, network), 2, (spacing,) * 3)
    weights = folder / "fold_0" / "w.safetensors"
    save_weights(weights, build_network(network, plan.channels), {"epoch": 0})
    return write_bundle(Model(plan, (weights,), (0,), "last"), folder / "bundle").parent


def segment(model: str, image: str, points: str, output: str) -> None:
    """Segment a scan in this process; of a spacing grid, most windows are not computed."""
    from interactivenet.inference import networks
    from interactivenet.inference.options import InferenceOptions
    from interactivenet.inference.windows import blend_windows
    from interactivenet.pipeline.infer import infer

    blend = blend_windows

    def few(images: Any, window: Any, batch: int, forward: Callable[[Any], Any]) -> Any:
        asked: list[Any] = []

        def once(part: Any) -> Any:
            if len(asked) < 2:
                asked.append(forward(part))
            return asked[-1][: len(part)]

        return blend(images, window, batch, once)

    with patch.object(networks, "blend_windows", few):
        done = infer(
            None, image, points, output, model=model, options=InferenceOptions(mirrored=False)
        )
    if done.failures:
        raise SystemExit(str(done.failures))


def large_scans() -> Iterator[dict[str, Any]]:
    """Measure the peak memory and the time of segmenting the scan."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_scan(folder)
        models = {"object grid": "starter"} | {
            f"{mm:g} mm": str(write_bundle_of(folder / f"{mm}", mm)) for mm in (1.0, 0.8)
        }
        for grid, model in models.items():
            for suffix, path in paths.items() if model == "starter" else [*paths.items()][:1]:
                begin = time.perf_counter()
                arguments = [model, path, folder / "points.mrk.json", folder / f"{grid} {suffix}"]
                code = (
                    "import sys, resource; from benchmarks.memory import segment;"
                    " segment(*sys.argv[1:]);"
                    " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
                )
                done = subprocess.run(
                    [sys.executable, "-c", code, *map(str, arguments)],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                peak = int(done.stdout.split()[-1]) * 1024 / 1e9
                yield {
                    "grid": grid, "format": suffix, "peak_gb": round(peak, 2),
                    "seconds": round(time.perf_counter() - begin, 1),
                }  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    scans = []
    for row in large_scans():
        print(row, flush=True)
        scans.append(row)
    table = plans()
    columns = ("card_gb", "preset", "dataset", "sample", "batch", "estimated_gb", "counted_fp32_gb")
    print_table(
        "Plans", columns,
        [[str(row.get(column, "refused")) for column in columns] for row in table],
    )  # fmt: skip
    write_result(
        "memory",
        {
            **machine("torch", "numpy"), "scan": SHAPE, "plans": table, "scans": scans,
            "own_peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
