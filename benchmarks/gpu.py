"""What a graphics card does for maps, segmenting and training, against the CPU beside it.

Run with ``python -m benchmarks.gpu [FOLDER]``, the folder of real data sets (hippocampus_mr), on a
machine with a card: at most eight minutes; ``results/gpu.json`` is written after every part, so
that what was measured stays. Without a card it says so and writes nothing. ``--smoke`` runs all of
it once on little, for a minute, and only prints; with ``--device cpu`` that needs no card: then the
card's kernel runs as C++ on the CPU, slowly, and the figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_maps import measure_maps
from benchmarks.gpu_networks import measure_cases, measure_memory, measure_training
from benchmarks.report import machine, write_result

#: seconds after which no further part is begun
BUDGET = 400.0


@dataclass(frozen=True)
class Run:
    """What was asked for: the parts get it."""

    data: Path
    device: str
    smoke: bool
    work: Path


PARTS: dict[str, Callable[[Run], Any]] = {
    "maps": lambda run: measure_maps(run.device, smoke=run.smoke),
    "memory": lambda run: measure_memory(run.data, run.work, run.device, smoke=run.smoke),
    "cases": lambda run: measure_cases(run.data, run.work, run.device, smoke=run.smoke),
    "training": lambda run: measure_training(run.data, run.work, run.device, smoke=run.smoke),
}


def main() -> None:
    """Measure part after part, print each, and write ``results/gpu.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("data", nargs="?", type=Path, default=Path("../shared/data"))
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--only", choices=tuple(PARTS), action="append")
    asked = parser.parse_args()
    device = asked.device
    if device != "cpu" and not torch.cuda.is_available():
        print("there is no CUDA device that torch can use: nothing is measured, nothing written")
        raise SystemExit(2 if device == "cuda" else 0)
    if device == "cpu" and not asked.smoke:
        parser.error("a CPU in place of a card is for --smoke alone")
    content: dict[str, Any] = {"machine": describe(device), "smoke": asked.smoke}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        run = Run(asked.data, "cpu" if device == "cpu" else "cuda", asked.smoke, Path(name))
        for part in asked.only or PARTS:
            gone = time.monotonic() - start
            if gone > BUDGET:
                content[part] = f"not measured: {gone:.0f} s were gone"
                continue
            # one part that fails must not cost what the others measure
            try:
                content[part] = PARTS[part](run)
            except Exception as error:
                content[part] = {"failed": f"{type(error).__name__}: {error}"}
            content[f"{part} took, s"] = round(time.monotonic() - start - gone, 1)
            print(json.dumps({part: content[part]}, indent=2), flush=True)
            if not asked.smoke:
                write_result("gpu", content)
    failed = [p for p in PARTS if isinstance(content.get(p), dict) and "failed" in content[p]]
    print(f"{time.monotonic() - start:.0f} s; failed: {', '.join(failed) or 'nothing'}")
    sys.exit(1 if failed else 0)


def describe(device: str) -> dict[str, Any]:
    """Describe the machine and the card; of a smoke run on a CPU, that there is none."""
    content = machine("numpy", "numba", "torch", "monai", "lightning")
    if device == "cpu":
        return content | {"card": "none: the CPU in its place, the figures mean nothing"}
    card = torch.cuda.get_device_properties(0)
    return content | {
        "card": card.name,
        "memory_gb": round(card.total_memory / 1e9, 1),
        "capability": f"{card.major}.{card.minor}",
        "cuda": torch.version.cuda,
    }


if __name__ == "__main__":
    main()
