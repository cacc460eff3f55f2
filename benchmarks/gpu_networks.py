"""Networks on a card: memory of a step, segmenting many cases, training; parts of gpu.py."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.nnunet import Nnunet
from benchmarks.report import print_table
from benchmarks.training import COMPARED, PRECISION, TASK, NetworkAlone, compare, prepare, run
from interactivenet.datasets.task import Case, Task
from interactivenet.imaging.io import read_label
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import Output
from interactivenet.inference.predictor import Predictor
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import Fold, read_fold
from interactivenet.training.timing import seconds_per_step

#: plans for cards of so many GB
MEMORY_GB = (4, 6, 8, 11)
#: cases that card and CPU segment, and cases that the card alone does, for their rate
COMPARED_CASES, CASES = 6, 60
ROUNDS = 1


def measure_memory(data: Path, work: Path, device: str, *, smoke: bool) -> list[dict[str, Any]]:
    """Hold the plan's estimate of a step's memory against what torch allocates."""
    rows = []
    for gigabytes in MEMORY_GB[:1] if smoke else MEMORY_GB:
        preset = "tiny" if smoke else "default"
        fold = _fold(data, work, preset, "--memory-gb", gigabytes)
        plan, row = fold.plan, {"memory_gb": gigabytes, "estimated_gb": fold.plan.estimated_gb}
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        row["ms_a_step"] = round(1000 * seconds_per_step(plan, device), 1)
        if device == "cuda":
            row["allocated_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
            row["reserved_gb"] = round(torch.cuda.max_memory_reserved() / 1e9, 2)
        rows.append(row | {"sample": list(plan.sample_shape), "batch": plan.batch_size})
    return rows


def measure_cases(data: Path, work: Path, device: str, *, smoke: bool) -> dict[str, Any]:
    """Segment cases with the starter: seconds, the networks' share, Dice against the CPU's."""
    task = _task(data, work)
    few = 1 if smoke else COMPARED_CASES
    kinds = {"cpu fp32": ("cpu", "fp32"), f"{device} fp32": (device, "fp32"),
             f"{device} bf16": (device, "bf16")}  # fmt: skip
    rows, folders = {}, {}
    for name, (place, precision) in kinds.items():
        count = few if smoke or place == "cpu" else CASES
        folders[name] = work / "segmented" / name.replace(" ", "_")
        rows[name] = _segment(task.training[:count], folders[name], place, precision)
    for name, row in rows.items():
        row["dice_to_cpu"] = _dice(task.training[:few], folders[name], folders["cpu fp32"])
        row["dice_to_label"] = _dice(task.training[:few], folders[name], None)
    print_table(
        "Segmenting with the starter, mirrored",
        ("", "s a case", "networks' share", "least Dice to the CPU's", "mean Dice to the label"),
        [
            (name, f"{row['seconds_a_case']:.3f}", row["network_share"],
             f"{min(row['dice_to_cpu']):.5f}", f"{np.mean(row['dice_to_label']):.4f}")
            for name, row in rows.items()
        ],
    )  # fmt: skip
    return rows


def measure_training(data: Path, work: Path, device: str, *, smoke: bool) -> dict[str, Any]:
    """Time drawing, the network in bf16 and fp32, the whole loop, and nnU-Net's."""
    result: dict[str, Any] = {"loop_precision": PRECISION}
    for preset in ("tiny",) if smoke else ("small", "default"):
        fold = _fold(data, work, preset)
        row = {
            f"network_ms_{precision}": round(1000 * NetworkAlone(fold, precision).seconds_per_step(
                2 if smoke else 20), 2)
            for precision in ("fp32", "bf16")
        }  # fmt: skip
        if not smoke:
            nnunet = None
            if COMPARED:
                nnunet = Nnunet(work / TASK, work / f"nnunet_{preset}", fold.plan, device)
            row |= compare(fold, work / "results" / preset, nnunet, ROUNDS)
        result[preset] = row
    return result


def _task(data: Path, work: Path) -> Task:
    if not (work / TASK).is_dir():
        if not (data / "hippocampus_mr").is_dir():
            raise RuntimeError(f"{data} has no hippocampus_mr: give the folder of real data sets")
        prepare(data, work)
    return Task.load(work / TASK)


def _fold(data: Path, work: Path, preset: str, *options: object) -> Fold:
    _task(data, work)
    processed = work / "-".join(map(str, ("processed", preset, *options)))
    where = ("--raw", work, "--processed", processed)
    run("plan", "-t", TASK, *where, "--preset", preset, *options)
    return read_fold(PlannedTask.load(processed / TASK), 0)


def _segment(cases: Iterable[Case], folder: Path, device: str, precision: str) -> dict[str, Any]:
    predictor = Predictor("starter", device=device, precision=precision)
    cases = list(cases)
    predictor.answer(predictor.prepare(cases[0]))  # what is done once is done
    options = InferenceOptions(device=device, precision=precision)  # type: ignore[arg-type]
    outputs = [Output(folder, predictor.model.folds)]
    network, start = 0.0, time.perf_counter()
    for result in predict_cases(cases, predictor.model, outputs, options, predictor=predictor):
        if result.error:
            raise RuntimeError(result.error)
        network += result.network_seconds
    seconds = time.perf_counter() - start
    return {
        "cases": len(cases),
        "seconds_a_case": round(seconds / len(cases), 4),
        "network_share": round(network / seconds, 3),
    }


def _dice(cases: Iterable[Case], folder: Path, other: Path | None) -> list[float]:
    """Return the Dice of each case to another folder's, or to its label."""
    found = []
    for case in cases:
        against = case.label if other is None else other / f"{case.name}.nii.gz"
        assert against is not None
        one, two = (
            read_label(path).array[0] > 0 for path in (folder / f"{case.name}.nii.gz", against)
        )
        found.append(round(float(2 * (one & two).sum() / max(1, one.sum() + two.sum())), 6))
    return found
