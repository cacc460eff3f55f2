"""Inference of many small cases: seconds per case, the networks' share, memory; batches on a CPU.

Run with ``python -m benchmarks.inference FOLDER``, the folder of real scans (hippocampus_mr);
without it nothing is measured. Five folds of the ``tiny`` preset with random weights: time and
memory do not depend on what they say. Cases go through ``predict_cases`` as ``interactivenet
infer`` sends them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner

from benchmarks.report import machine, median_seconds, print_table, write_result
from interactivenet.cli import main as command
from interactivenet.datasets.task import Task
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import Output
from interactivenet.inference.predictor import Predictor
from interactivenet.models.model import Model
from interactivenet.models.network import build_network, save_weights
from interactivenet.planning.plan import Plan

TASK = "Task001_HIPPOCAMPUS"
FOLDS, CASES = 5, 60
#: cases after which memory is read
READ_AT = (20, 40, 60)


def main() -> None:
    """Measure, print and write ``results/inference.json``."""
    if len(sys.argv) < 2:
        print("needs the folder of real scans (hippocampus_mr): nothing is measured")
        return
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        model, task = prepare(root, Path(sys.argv[1]))
        batches = compare_batches(model, task)
        many = infer_many(model, task, root / "out")
    rows = [[name, f"{s:.3f}", f"{s / batches['1']:.2f}"] for name, s in batches.items()]
    print_table("One case, one fold, mirrored, seconds", ["batch", "s", "to batch 1"], rows)
    rows = [[name, str(value)] for name, value in many.items()]
    print_table("Many cases, five folds, mirrored", ["", "value"], rows)
    path = write_result(
        "inference",
        {"machine": machine("torch", "monai"), "threads": torch.get_num_threads(),
         "seconds_by_batch": batches, **many},
    )  # fmt: skip
    print(f"\n{path}")


def prepare(root: Path, source: Path) -> tuple[Model, Task]:
    """Import, simulate, plan, and write random weights."""
    where = ["-t", TASK, "--raw", str(root / "raw")]
    plan = ["--processed", str(root / "processed"), "--preset", "tiny"]
    for words in (
        ["dataset", "convert", str(source), *where, "-m", "MR", "--merge-labels", "hippocampus"],
        ["simulate", *where], ["dataset", *where, "-m", "MR", "-l", "hippocampus"],
        ["plan", *where, *plan],
    ):  # fmt: skip
        done = CliRunner().invoke(command, words)
        if done.exit_code:
            raise SystemExit(done.output)
    found = Plan.load(root / "processed" / TASK / "plans.json")
    paths = []
    for number in range(FOLDS):
        torch.manual_seed(number)
        paths.append(root / f"{number}.safetensors")
        save_weights(paths[-1], build_network(found.network, found.channels), {"fold": number})
    model = Model(found, tuple(paths), tuple(range(FOLDS)), name="random")
    return model, Task.load(root / "raw" / TASK)


def compare_batches(model: Model, task: Task) -> dict[str, float]:
    """Return the seconds of one case with one fold, by batch size."""
    tasks = {}
    for size in (1, 2, 4, 8):
        predictor = Predictor(model.fold(0), batch=size)
        prepared = predictor.prepare(task.training[0])
        tasks[str(size)] = lambda p=predictor, c=prepared: p.answer(c)
    return median_seconds(tasks, repeats=3)


def infer_many(model: Model, task: Task, folder: Path) -> dict[str, Any]:
    """Return seconds per case, the networks' share of them, and memory along the way."""
    predictor = Predictor(model)
    cases = task.training[:CASES]
    memory, network = {}, 0.0
    start = time.perf_counter()
    results = predict_cases(
        cases, model, [Output(folder, model.folds)], InferenceOptions(), predictor=predictor
    )
    for number, result in enumerate(results, 1):
        if result.error:
            raise SystemExit(result.error)
        network += result.network_seconds
        if number in READ_AT:
            memory[f"resident_mb_after_{number}"] = resident_mb()
    seconds = time.perf_counter() - start
    return {
        "cases": len(cases), "seconds_per_case": round(seconds / len(cases), 3),
        "network_share": round(network / seconds, 3), **memory,
    }  # fmt: skip


def resident_mb() -> float:
    """Return what this process holds in memory, MB."""
    import psutil

    return round(float(psutil.Process().memory_info().rss) / 1e6, 1)


if __name__ == "__main__":
    main()
