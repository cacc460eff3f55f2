"""How much of a training's time is the network's: the loop against forward and backward alone.

Run with ``python -m benchmarks.training FOLDER``, the folder of real data sets (hippocampus_mr);
without it nothing is measured. The network alone gets one batch again and again, with the loss,
the gradient clipping and the optimiser's step; the loop draws points, computes maps, augments,
and reports as ``interactivenet train`` does. Where the package nnunetv2 is installed, its trainer
runs on the same network, patch and batch, too. They take turns.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.nnunet import Nnunet
from benchmarks.report import machine, print_table, write_result
from interactivenet.models.device import choose_device, choose_precision
from interactivenet.models.network import count_parameters
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import Fold, read_fold
from interactivenet.training.dataset import PatchDataset, Patches
from interactivenet.training.lightning_module import Segmenter
from interactivenet.training.options import TrainingOptions
from interactivenet.training.trainer import train_fold

TASK = "Task001_HIPPOCAMPUS"
ROUNDS = 3
#: steps of the network alone in each round; an epoch of the loop has 25
STEPS = 20
#: installed beside InteractiveNet, or not
COMPARED = ["nnunetv2"] if importlib.util.find_spec("nnunetv2") else []
DEVICE = choose_device("auto")
PRECISION = choose_precision("auto", DEVICE)
#: whether nnU-Net, which trains in fp32 on a CPU, is put into our precision, too
MIXED = (DEVICE, PRECISION) == ("cpu", "bf16")


class Clock:
    """Observes a training: when each step was done, and each epoch."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.epochs: list[float] = []

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Note the time of a step of the last epoch."""
        if batch == 1:
            self.steps = []
        self.steps.append(time.perf_counter())

    def epoch(self, row: Any) -> None:
        """Note how long an epoch took, validation included."""
        self.epochs.append(row["seconds"])


def main() -> None:
    """Measure, print the table and write ``results/training.json``."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data")
    if not (data / "hippocampus_mr").is_dir():
        print(f"{data} has no hippocampus_mr: give the folder of real data sets; nothing measured")
        return
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(data, folder)
        for preset in ("small", "default"):
            where = ["--raw", folder, "--processed", folder / preset, "--preset", preset]
            run("plan", "-t", TASK, *where)
            fold = read_fold(PlannedTask.load(folder / preset / TASK), 0)
            nnunet = None
            if COMPARED:
                nnunet = Nnunet(folder / TASK, folder / f"nnunet_{preset}", fold.plan, DEVICE)
            rows.append({"preset": preset, **compare(fold, folder / "results" / preset, nnunet)})
    print_table(
        "Samples per second",
        ("preset", "network alone", "loop", "overhead %", "draw, ms", "with validation",
         "nnU-Net", "nnU-Net in bf16"),
        [
            (r["preset"], r["network_samples_per_s"], r["loop_samples_per_s"],
             r["overhead_percent"], r["draw_ms"], r["epoch_samples_per_s"],
             r.get("nnunet_samples_per_s", "-"), r.get("nnunet_mixed_samples_per_s", "-"))
            for r in rows
        ],
    )  # fmt: skip
    content = {
        "machine": machine("torch", "monai", "lightning", *COMPARED),
        "device": DEVICE,
        "precision": PRECISION,
        "rounds": ROUNDS,
        "statistic": "median",
        "rows": rows,
    }
    print(f"\nwritten: {write_result('training', content).name}")


def compare(
    fold: Fold, results: Path, nnunet: Nnunet | None, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Time the network alone, the loop, and nnU-Net's loop where there is one, in turns."""
    plan = fold.plan
    times: dict[str, list[float]] = {"network": [], "loop": [], "epoch": []}
    if nnunet is not None:
        times["nnunet"] = []
        if MIXED:
            times["nnunet_mixed"] = []
    network = NetworkAlone(fold)
    for number in range(rounds):
        times["network"].append(network.seconds_per_step())
        clock = Clock()
        train_fold(fold, results / str(number), TrainingOptions(epochs=2), [clock])
        times["loop"].append((clock.steps[-1] - clock.steps[0]) / (len(clock.steps) - 1))
        times["epoch"].append(clock.epochs[-1] / len(clock.steps))
        if nnunet is not None:
            times["nnunet"].append(nnunet.seconds_per_step(STEPS))
            if MIXED:
                times["nnunet_mixed"].append(nnunet.seconds_per_step(STEPS, mixed=True))
    draws = PatchDataset(
        Patches(plan, fold.processed, fold.training, 0, TrainingOptions().augmentation)
    )
    start = time.perf_counter()
    for number in range(50):
        draws[0, number, number % len(fold.training)]
    draw = (time.perf_counter() - start) / 50
    seconds = {name: float(np.median(one)) for name, one in times.items()}
    row = {
        "sample": [plan.channels, *plan.sample_shape],
        "batch": plan.batch_size,
        "features": list(plan.network.features),
        "weights": count_parameters(network.module.network),
        "overhead_percent": round(100 * (seconds["loop"] / seconds["network"] - 1), 1),
        "draw_ms": round(1000 * draw, 1),
    }
    if nnunet is not None:
        row["nnunet_weights"] = nnunet.parameters()
    return row | {
        f"{name}_samples_per_s": round(plan.batch_size / one, 2) for name, one in seconds.items()
    }


class NetworkAlone:
    """The plan's network, its loss and its optimiser on one batch."""

    def __init__(self, fold: Fold, precision: str = PRECISION) -> None:
        plan = fold.plan
        self.precision = precision
        self.module = Segmenter(plan, 1000).to(DEVICE)
        self.optimiser = self.module.configure_optimizers()
        shape = (plan.batch_size, plan.channels, *plan.sample_shape)
        self.image = torch.randn(shape, device=DEVICE)
        label = torch.rand((shape[0], 1, *shape[2:]), device=DEVICE) > 0.7
        self.label = label.to(torch.uint8)

    def seconds_per_step(self, steps: int = STEPS) -> float:
        """Seconds of a step, on the mean."""
        self._step()
        self._wait()
        start = time.perf_counter()
        for _ in range(steps):
            self._step()
        self._wait()
        return (time.perf_counter() - start) / steps

    def _step(self) -> None:
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.precision == "bf16"):
            loss = self.module.training_step((self.image, self.label), 0)
        self.module.losses.clear()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.module.network.parameters(), self.module.recipe.clip)
        self.optimiser.step()

    def _wait(self) -> None:
        if DEVICE == "cuda":
            torch.cuda.synchronize()


def prepare(data: Path, folder: Path) -> None:
    """Import the real scans as a raw task, with prompts."""
    labels = ["--merge-labels", "hippocampus"]
    source = data / "hippocampus_mr"
    run("dataset", "convert", source, "-t", TASK, "--raw", folder, "-m", "MR", *labels)
    run("simulate", "-t", TASK, "--raw", folder)
    run("dataset", "-t", TASK, "--raw", folder)


def run(*arguments: object) -> None:
    """Run a command of InteractiveNet; raises where it fails."""
    command = [sys.executable, "-m", "interactivenet", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
