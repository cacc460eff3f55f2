"""How long it takes until inference can begin: imports, each in a process of its own.

Run with ``python -m benchmarks.startup [CHECKOUT]``. CHECKOUT: of an earlier version, whose import
is measured, too; in versions up to 0.1.0, ``import interactivenet.inference`` loads all of MONAI.
The same import after ``import monai`` stands for it where there is none. Processes take turns, so
that a slow spell of the machine meets all of them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.report import machine, print_table, write_result

REPEATS = 7
ROOT = Path(__file__).parent.parent
PREDICTOR = "import interactivenet.inference.predictor"
#: what is measured: name -> code
IMPORTS = {
    "nothing": "pass",
    "the public face": "import interactivenet",
    "torch": "import torch",
    "the predictor": PREDICTOR,
    "monai, then the predictor": f"import monai, monai.networks.nets, monai.inferers; {PREDICTOR}",
}
#: of an earlier version
EARLIER = "the predictor, earlier version"
OLD_CODE = "import interactivenet.inference"


def main() -> None:
    """Measure, print and write ``results/startup.json``."""
    codes = {name: (code, ROOT) for name, code in IMPORTS.items()}
    if len(sys.argv) > 1:
        codes[EARLIER] = (OLD_CODE, Path(sys.argv[1]).resolve())
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
    for number in range(REPEATS + 1):
        for name, (code, root) in codes.items():
            seconds = run(code, root)
            if number:  # the first fills the disk's cache
                runs[name].append(seconds)
    medians = {
        name: {
            "seconds": round(statistics.median(wall for wall, _ in of_code), 3),
            "cpu_seconds": round(statistics.median(cpu for _, cpu in of_code), 3),
        }
        for name, of_code in runs.items()
    }
    before = medians[EARLIER if EARLIER in medians else "monai, then the predictor"]
    now, torch = medians["the predictor"], medians["torch"]
    ratios = {
        "before_to_now": {key: round(before[key] / now[key], 2) for key in now},
        "share_of_torch": {key: round(torch[key] / now[key], 2) for key in now},
    }
    rows = [[name, f"{m['seconds']:.2f}", f"{m['cpu_seconds']:.2f}"] for name, m in medians.items()]
    print_table("Seconds until imported, medians", ["import", "wall", "CPU"], rows)
    print(f"\nbefore to now: {ratios['before_to_now']}")
    content: dict[str, Any] = {
        "machine": machine("torch", "monai"), "repeats": REPEATS, "imports": medians, **ratios,
    }  # fmt: skip
    print(write_result("startup", content))


def run(code: str, root: Path) -> tuple[float, float]:
    """Return the wall-clock and the processor seconds of a Python process that runs some code."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=root)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"cannot be run: {code}")
    return seconds, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
