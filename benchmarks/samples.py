"""The plan stage and samples on real scans: seconds, memory, and how they grow.

Three tables: ``make_sample`` per real case; a whole ``plan``, process start to end, of 20, 60 and
180 cases; one large CT, its sample against resampling the whole volume. Run with
``python -m benchmarks.samples FOLDER``, the folder of real data sets (hippocampus_mr,
sarcoma_mr_ct, tumour_singles); without it nothing is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from skimage.transform import resize
from threadpoolctl import threadpool_limits

from benchmarks.report import machine, median_seconds, print_table, write_result
from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.task import Task
from interactivenet.imaging.io import read_image, read_label
from interactivenet.imaging.resampling import new_shape, resample
from interactivenet.inference.rules import make_sample
from interactivenet.planning.plan import Plan
from interactivenet.prompts.prompt import Prompt
from interactivenet.prompts.simulation import find_objects, margin_points

REPEATS = 5
TASKS: dict[str, tuple[str, list[str]]] = {
    "Task001_HIPPOCAMPUS": ("hippocampus_mr", ["-m", "MR", "-l", "anterior", "-l", "posterior"]),
    "Task002_SARCOMA": ("sarcoma_mr_ct", ["-m", "MR", "-m", "CT", "-l", "tumour"]),
}


def main() -> None:
    """Measure, print the tables and write ``results/samples.json``."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data")
    if not data.is_dir():
        print(f"{data} does not exist: give the folder of the real data sets; nothing measured")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task, (source, options) in TASKS.items():
            _run("dataset", "convert", data / source, "-t", task, "--raw", folder, *options)
            _run("simulate", "-t", task, "--raw", folder)
            _run("dataset", "-t", task, "--raw", folder)
        stages = [whole_plan(folder, task) for task in TASKS]
        stages += [whole_plan(folder, "Task001_HIPPOCAMPUS", count) for count in (20, 60, 180)]
        with threadpool_limits(1):
            samples = [sample_times(folder, task) for task in TASKS]
            large = large_ct(data / "tumour_singles")
    print_table(
        "interactivenet plan, process start to end, all cores",
        ("task", "cases", "s", "peak MB of all processes"),
        [(s["task"], str(s["cases"]), s["seconds"], s["peak_memory_mb"]) for s in stages],
    )
    print_table(
        "make_sample, one thread, file reading apart",
        ("task", "prompts", "median ms", "largest ms", "largest sample"),
        [
            (
                s["task"], str(s["prompts"]), s["median_ms"], s["largest_ms"],
                "x".join(map(str, s["largest_sample"])),
            )
            for s in samples
        ],
    )  # fmt: skip
    print_table(
        "512x512x61 CT, one thread",
        ("", "s", "times faster"),
        [(name, f["seconds"], f["times_faster"]) for name, f in large.items()],
    )
    content = {
        "machine": machine("numpy", "scipy", "numba", "scikit-image"),
        "repeats": REPEATS,
        "statistic": "median",
        "plan": stages,
        "make_sample": samples,
        "large CT": large,
    }
    print(f"\nwritten: {write_result('samples', content).name}")


def whole_plan(folder: Path, task: str, cases: int | None = None) -> dict[str, Any]:
    """Time the command from nothing, and the memory of all its processes together."""
    raw = folder
    if cases is not None:
        raw = folder / f"first_{cases}"
        subset = raw / task
        subset.mkdir(parents=True)
        for part in (folder / task).iterdir():
            if part.is_dir():
                (subset / part.name).symlink_to(part)
        content = json.loads((folder / task / "dataset.json").read_text())
        content["training"] = content["training"][:cases]
        (subset / "dataset.json").write_text(json.dumps(content))
    seconds, peaks = [], []
    for repeat in range(REPEATS):
        processed = raw / f"processed_{repeat}"
        start = time.perf_counter()
        command = [sys.executable, "-m", "interactivenet", "plan", "-t", task]
        process = subprocess.Popen(
            [*command, "--raw", str(raw), "--processed", str(processed)],
            stdout=subprocess.DEVNULL,
        )
        peaks.append(_peak_mb(process))
        if process.returncode:
            raise RuntimeError(f"plan of {task} failed")
        seconds.append(time.perf_counter() - start)
    content = json.loads((processed / task / "plans.json").read_text())
    return {
        "task": task,
        "cases": content["fingerprint"]["cases"],
        "seconds": round(float(np.median(seconds)), 2),
        "peak_memory_mb": round(float(np.median(peaks)), 1),
        "least_coverage": min(content["coverage"].values()),
    }


def sample_times(folder: Path, task: str) -> dict[str, Any]:
    """Time ``make_sample`` of every prompt of a planned task."""
    dataset = Task.load(folder / task)
    plan = Plan.load(folder / "processed_0" / task / "plans.json")
    times, shapes = [], []
    cases: dict[str, float] = {}
    for case in dataset.training:
        scan = read_scan(case, len(dataset.modalities), dataset.labels)
        for prompt in scan.prompts:
            one = median_seconds({"": partial(make_sample, scan, prompt, plan)}, REPEATS)
            times.append(1000 * one[""])
            cases[f"{case.name}, label {prompt.label}"] = round(times[-1], 2)
            shapes.append(make_sample(scan, prompt, plan).array.shape[1:])
    largest = int(np.prod(shapes, axis=1).argmax())
    return {
        "task": task,
        "prompts": len(times),
        "median_ms": round(float(np.median(times)), 2),
        "largest_ms": round(times[largest], 2),
        "largest_sample": shapes[largest],
        "ms": cases,
    }


def large_ct(folder: Path) -> dict[str, dict[str, float]]:
    """A sample of a large CT against resampling the whole of it, to 0.8 x 0.8 x 2.5 mm."""
    image = read_image(folder / "images/lung2.nrrd")
    label = read_label(folder / "labels/lung2.nrrd")
    (thing,) = find_objects(label.array[0] > 0, per_component=False, largest_only=True)
    voxels = margin_points(thing, label.spacing, np.random.default_rng(0))
    prompt = Prompt(1, label.voxel_to_world(voxels), "tumour")
    scan = Scan("lung2", image, label, (prompt,))
    plan = replace(_some_plan(), spacing=(0.8, 0.8, 2.5))
    whole = image.array[0].astype(np.float32)
    shape = new_shape(whole.shape, image.spacing, plan.spacing)
    tasks = {
        "whole volume, skimage": partial(resize, whole, shape, order=3, mode="edge",
                                         clip=False, anti_aliasing=False),
        "whole volume, ours": partial(resample, whole, shape),
        "make_sample": partial(make_sample, scan, prompt, plan),
    }  # fmt: skip
    tasks["make_sample"]()  # compiled
    seconds = median_seconds(tasks, REPEATS)
    slowest = seconds["whole volume, skimage"]
    return {
        name: {"seconds": round(s, 4), "times_faster": round(slowest / s, 1)}
        for name, s in seconds.items()
    }


def _some_plan() -> Plan:
    from interactivenet.planning.architecture import PRESETS, plan_network
    from interactivenet.planning.plan import CropMargins, Encoding, Normalisation

    network = plan_network((64, 64, 32), (0.8, 0.8, 2.5), PRESETS["default"])
    return Plan(
        task="Task003_LUNG", version="", modalities=("CT",), labels={1: "tumour"},
        preset="default", seed=0, spacing=(0.8, 0.8, 2.5),
        cut=CropMargins(mm=((6.0, 6.0),) * 3, fraction=((0.1, 0.1),) * 3),
        normalisation=(Normalisation("ct", -1000.0, 300.0, -100.0, 250.0),),
        encoding=Encoding(), network=network, sample_shape=network.smallest, batch_size=1,
        memory_gb=8.0, estimated_gb=1.0,
    )  # fmt: skip


def _run(*arguments: object) -> None:
    command = [sys.executable, "-m", "interactivenet", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _peak_mb(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; the largest memory of it and its children together, private parts."""
    peak = 0.0
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        try:
            for one in [parent, *parent.children(recursive=True)]:
                total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak = max(peak, total / 1e6)
        time.sleep(0.02)
    return peak


if __name__ == "__main__":
    main()
