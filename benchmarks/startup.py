"""How long a command takes that has little to do: imports, the help, one small scan segmented.

Run with ``python -m benchmarks.startup [FOLDER]``. FOLDER: of real scans (hippocampus_mr), the
first of which ``interactivenet infer`` segments, with the starter and with a small model that was
deployed; without it only imports are measured. Each run is a process of its own, in turns, so that
a slow spell of the machine meets all of them; what counts is the time beside that of a bare
``import torch`` in the same turn.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import machine, print_table, write_result

REPEATS = 7
ROOT = Path(__file__).parent.parent
PREDICTOR = "import interactivenet.inference.predictor"
BARE = "torch"
#: what is imported: name -> code
IMPORTS = {
    "nothing": "pass",
    "the public face": "import interactivenet",
    BARE: "import torch",
    "the predictor": PREDICTOR,
    "monai, then the predictor": f"import monai, monai.networks.nets, monai.inferers; {PREDICTOR}",
}
PROGRAM = [sys.executable, "-m", "interactivenet"]


def main() -> None:
    """Measure, print and write ``results/startup.json``."""
    with tempfile.TemporaryDirectory() as place:
        commands = {name: [sys.executable, "-c", code] for name, code in IMPORTS.items()}
        commands["interactivenet --help"] = [*PROGRAM, "--help"]
        if len(sys.argv) > 1:
            commands |= prepare(Path(place), Path(sys.argv[1]))
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(REPEATS + 1):
            for name, command in commands.items():
                shutil.rmtree(Path(place) / "out", ignore_errors=True)
                seconds = run(command, Path(place))
                if number:  # the first fills the disk's cache
                    runs[name].append(seconds)
    medians = {
        name: {
            "seconds": round(statistics.median(wall for wall, _ in of_command), 3),
            "cpu_seconds": round(statistics.median(cpu for _, cpu in of_command), 3),
            "to_torch": _ratio(of_command, runs[BARE], 0),
            "cpu_to_torch": _ratio(of_command, runs[BARE], 1),
        }
        for name, of_command in runs.items()
    }
    rows = [[name, *(f"{value:.2f}" for value in of_name.values())]
            for name, of_name in medians.items()]  # fmt: skip
    columns = ["", "s", "CPU s", "to torch", "CPU to torch"]
    print_table(f"Seconds, medians of {REPEATS}; beside import torch", columns, rows)
    content: dict[str, Any] = {
        "machine": machine("torch", "monai"), "repeats": REPEATS, "runs": medians,
    }  # fmt: skip
    print(write_result("startup", content))


def prepare(root: Path, source: Path) -> dict[str, list[str]]:
    """Make points and a small deployed model; returns the commands that segment one scan."""
    from benchmarks import inference
    from interactivenet.models.bundle import write_bundle

    inference.FOLDS = 1
    model, task = inference.prepare(root, source)
    write_bundle(model, root / "bundle")
    case = task.training[0]
    words = ["infer", "-i", str(case.images[0]), "-in", str(case.interaction)]
    return {
        f"infer, {name}{', no copies' if more else ''}": [
            *PROGRAM, *words, "-o", str(root / "out"), "--model", model_name, *more
        ]
        for name, model_name in (("starter", "starter"), ("bundle", str(root / "bundle")))
        for more in ([], ["--no-tta"])
    }  # fmt: skip


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the wall-clock and the processor seconds of a process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"cannot be run: {' '.join(command)}")
    return seconds, usage.ru_utime + usage.ru_stime


def _ratio(runs: list[tuple[float, float]], bare: list[tuple[float, float]], column: int) -> float:
    """Return the median ratio of runs of the same turns."""
    pairs = zip(runs, bare, strict=True)
    return round(statistics.median(one[column] / other[column] for one, other in pairs), 2)


if __name__ == "__main__":
    main()
