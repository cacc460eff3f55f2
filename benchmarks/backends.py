"""What computes the networks on a CPU: PyTorch, torch.compile, OpenVINO; seconds, and the same?

Run with ``python -m benchmarks.backends FOLDER``, the folder of real scans (shared/data); without
it nothing is measured. The starter (samples of 64^3) and an ensemble of five small networks with
random weights segment hippocampi, mirrored, in turns; preparation is the loading of the model, and
with torch.compile the first case, too. From how many cases on that pays is told. torch.compile
needs a C++ compiler where it runs (for a graphics card a C compiler, for Triton's launcher);
without one, the result says so.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.fewer_copies import processor_seconds
from benchmarks.inference import prepare
from benchmarks.report import machine, print_table, write_result
from interactivenet.errors import one_line
from interactivenet.inference.predictor import Predictor, PreparedScan
from interactivenet.models.backend import describe_backend, has_openvino
from interactivenet.models.bundle import load_model
from interactivenet.models.device import cpu_multiplies_bf16
from interactivenet.models.model import Model
from interactivenet.system.parallel import available_cores

CASES, REPEATS = 6, 2


def main() -> None:
    """Measure, print and write ``results/backends.json``."""
    if len(sys.argv) < 2:
        print("needs the folder of real scans (shared/data): nothing is measured")
        return
    source = Path(sys.argv[1]) / "hippocampus_mr"
    with tempfile.TemporaryDirectory() as place:
        ensemble, task = prepare(Path(place), source)
        results = {
            "starter": compare(load_model("starter"), task.training[:CASES]),
            "five small folds": compare(ensemble, task.training[:CASES]),
        }
    for name, found in results.items():
        rows = [
            [way, f"{row['prepare']:.1f}", f"{row['seconds']:.2f}", f"{row['cpu_seconds']:.2f}",
             f"{row['dice_with_fp32']:.5f}", f"{row['difference_from_fp32']:.4f}"]
            for way, row in found.items() if "seconds" in row
        ]  # fmt: skip
        head = ["a case", "prepared s", "s", "CPU s", "Dice with fp32", "largest difference"]
        print_table(name, head, rows)
        for way, row in found.items():
            if "unavailable" in row:
                print(f"{way}: {row['unavailable']}")
    facts = {
        "machine": machine("torch"), "threads": torch.get_num_threads(), "cases": CASES,
        "openvino": describe_backend("openvino") if has_openvino() else "not installed",
        "results": results,
    }  # fmt: skip
    print(f"\n{write_result('backends', facts)}")


def compare(model: Model, cases: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Return what each way takes and how its probabilities differ from PyTorch's in float32."""
    found: dict[str, dict[str, Any]] = {}
    predictors = {}
    for backend in ("torch", "torch.compile", "openvino"):
        for precision in ("fp32", "bf16") if cpu_multiplies_bf16() else ("fp32",):
            name = f"{backend}, {precision}"
            try:
                predictors[name], took = load(model, backend, precision, cases[0])
                found[name] = {"prepare": took}
            except Unavailable as error:
                found[name] = {"unavailable": str(error)}
    prepared = [predictors["torch, fp32"].prepare(case) for case in cases]
    wall: dict[str, list[float]] = {name: [] for name in predictors}
    used: dict[str, list[float]] = {name: [] for name in predictors}
    said: dict[str, list[Any]] = {}
    for turn in range(REPEATS):
        for scan in prepared:
            for name, predictor in predictors.items():
                start, before = time.perf_counter(), processor_seconds()
                probability = mean_probability(predictor, scan)
                wall[name].append(time.perf_counter() - start)
                used[name].append(processor_seconds() - before)
                if not turn:
                    said.setdefault(name, []).append(probability)
    for name in predictors:
        pairs = list(zip(said[name], said["torch, fp32"], strict=True))
        found[name] |= {
            "seconds": statistics.median(wall[name]),
            "cpu_seconds": statistics.median(used[name]),
            "dice_with_fp32": min(dice(one, other) for one, other in pairs),
            "difference_from_fp32": max(float(np.abs(one - other).max()) for one, other in pairs),
        }
    for name, row in found.items():  # of as many cases as it takes to win back the preparation
        other = found.get(f"torch, {name.rpartition(', ')[2]}", {})
        if row is not other and "seconds" in row:
            gain, lost = other["seconds"] - row["seconds"], row["prepare"] - other["prepare"]
            row["wins_from_cases"] = max(1, int(np.ceil(lost / gain))) if gain > 0 else None
    return found


class Unavailable(Exception):
    """Cannot be measured here; says why."""


def load(model: Model, backend: str, precision: str, case: Any) -> tuple[Predictor, float]:
    """Return a predictor that has segmented a case, and the seconds until it had begun with it.

    Raises Unavailable where there is no such backend here.
    """
    start = time.perf_counter()
    if backend == "openvino":
        if not has_openvino():
            raise Unavailable("not installed: pip install 'interactivenet[openvino]'")
        predictor = Predictor(model, device="cpu", precision=precision, backend="openvino")
    else:
        predictor = Predictor(model, device="cpu", precision=precision)
    if backend == "torch.compile":
        if not (shutil.which("g++") or shutil.which("clang++")):
            raise Unavailable("needs a C++ compiler, and there is none")
        networks = predictor._networks.networks
        networks[:] = [torch.compile(network) for network in networks]  # type: ignore[misc]
        prepared = predictor.prepare(case)
        start = time.perf_counter()
        try:
            mean_probability(predictor, prepared)
        except Exception as error:  # of the compiler, of any kind
            raise Unavailable(one_line(error)[:200]) from error
        return predictor, time.perf_counter() - start
    return predictor, time.perf_counter() - start


def mean_probability(predictor: Predictor, prepared: PreparedScan) -> Any:
    """Return the mean probability of a case's first object, on the grid of its sample."""
    return predictor.answer(prepared)[0].probability.mean(axis=0)


def dice(one: Any, other: Any) -> float:
    """Return the Dice of two probabilities' masks."""
    first, second = one >= 0.5, other >= 0.5
    both = int(first.sum() + second.sum())
    return float(2 * (first & second).sum() / both) if both else 1.0


if __name__ == "__main__":
    torch.set_num_threads(min(torch.get_num_threads(), available_cores()))
    main()
