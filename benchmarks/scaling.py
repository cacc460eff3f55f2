"""What every stage costs as the cases become more: seconds, memory, files.

Run with ``python -m benchmarks.scaling [FOLDER [SIZE ...]]``; FOLDER keeps the tasks and what was
measured (a temporary one by default), so that a run that was stopped goes on with the stages that
are missing. SIZE: numbers of training cases, 20, 200, 1000 and 2000 by default. Every stage runs in
a process of its own on one core, so that its processor seconds and its memory are all that it
takes.

Of each stage, between two neighbouring sizes: what a further case costs. Where that grows with
the number of cases, the stage is worse than linear; where memory does, it keeps cases.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.report import machine, print_table, write_result
from benchmarks.scaling_stages import STAGES, TASK

ROOT = Path(__file__).parent.parent
#: the last two steps are wide, so that what a start takes more or less does not count in them
SIZES = (20, 200, 1000, 2000)
#: a further case may cost so many times what it does between smaller sizes, and a stage so many
#: seconds more than the smaller sizes promise, before it is called worse than linear
_WORSE, _SECONDS = 1.4, 2.0
#: MB for a thousand cases that are still called flat: names, records and digests are kept
_FLAT_MB = 60.0
#: figures of a stage
CPU, WALL, MB, FILES, BYTES, LARGEST = "cpu_s", "wall_s", "peak_mb", "files", "bytes", "largest"


def main() -> None:
    """Measure, print and write ``results/scaling.json``."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="scaling_"))
    sizes = tuple(map(int, sys.argv[2:])) or SIZES
    measured = {size: measure(folder.resolve() / str(size), size) for size in sizes}
    report(measured)
    content = {
        "machine": machine("torch", "numpy", "scipy"),
        "cases": "phantoms of 24x24x16 voxels, a tenth as many test cases; one core",
        "stages": {
            name: {
                "sizes": {str(size): of_size[name] for size, of_size in measured.items()},
                **growth({size: of_size[name] for size, of_size in measured.items()}),
            }
            for name in STAGES
        },
    }
    print(write_result("scaling", content))


def measure(folder: Path, size: int) -> dict[str, dict[str, float]]:
    """Run the stages that are not measured yet over so many cases; returns stage -> figures."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "measured.json"
    figures: dict[str, dict[str, float]] = {}
    if path.exists():
        figures = json.loads(path.read_text(encoding="utf-8"))
    for name in STAGES:
        if name not in figures:
            before = files_below(folder)
            figures[name] = {**run(name, folder, size), **written(before, files_below(folder))}
            path.write_text(json.dumps(figures, indent=2), encoding="utf-8")
            values = figures[name]
            print(f"{size:6d} cases, {name}: {values[CPU]:.1f} s, {values[MB]:.0f} MB", flush=True)
    return figures


def run(name: str, folder: Path, size: int) -> dict[str, float]:
    """Return the wall-clock and processor seconds, and the most memory, of a stage's process."""
    command = [sys.executable, "-m", "benchmarks.scaling_stages", name, str(folder), str(size)]
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
        **{f"interactivenet_{kind}": str(folder / kind) for kind in ("raw", "processed")},
        "interactivenet_results": str(folder / "results"),
    }  # fmt: skip
    with (folder / f"{name.replace(' ', '_')}.log").open("wb") as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)  # of its own children, too
        seconds = time.perf_counter() - start
    if status:
        text = Path(log.name).read_text(encoding="utf-8", errors="replace")
        raise SystemExit(f"{name} of {size} cases ended with {status}:\n{text[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return {WALL: round(seconds, 2), CPU: round(cpu, 2), MB: round(usage.ru_maxrss / 1e3, 1)}


def files_below(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return the files below a folder: size and time of the last change."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            status = path.lstat()
            found[path] = (status.st_size, status.st_mtime_ns)
    return found


def written(
    before: Mapping[Path, tuple[int, int]], after: Mapping[Path, tuple[int, int]]
) -> dict[str, float]:
    """Count what a stage wrote: files, bytes, and the entries of the largest folder it wrote to."""
    new = [path for path, status in after.items() if before.get(path) != status]
    entries: dict[Path, int] = {}
    for path in after:
        entries[path.parent] = entries.get(path.parent, 0) + 1
    largest = max((entries[path.parent] for path in new), default=0)
    return {FILES: len(new), BYTES: sum(after[path][0] for path in new), LARGEST: largest}


def growth(figures: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """Return what a further case costs between neighbouring sizes, and whether that grows.

    figures: of one stage, by the number of cases.  'times_dearer': what one costs between the two
    largest sizes, of what it costs before them.
    """
    sizes = sorted(figures)
    if len(sizes) < 2:
        return {}
    steps = list(pairwise(sizes))

    def slopes(key: str) -> list[float]:
        return [(figures[b][key] - figures[a][key]) / (b - a) for a, b in steps]

    cpu, mb = slopes(CPU), slopes(MB)
    result: dict[str, Any] = {
        "ms_per_case": [round(1000 * slope, 2) for slope in cpu],
        "mb_per_1000_cases": [round(1000 * slope, 1) for slope in mb],
        "files_per_case": round(slopes(FILES)[-1], 2),
        "kb_per_case": round(slopes(BYTES)[-1] / 1e3, 2),
        "memory_grows": bool(mb[-1] * 1000 > _FLAT_MB),
    }
    if len(steps) > 1:
        first, last = max(cpu[-2], 1e-6), max(cpu[-1], 1e-6)
        more = (cpu[-1] - cpu[-2]) * (sizes[-1] - sizes[-2])
        result["times_dearer"] = round(last / first, 2) if cpu[-2] > 1e-4 else None
        result["worse_than_linear"] = bool(last > _WORSE * first and more > _SECONDS)
    return result


def report(measured: Mapping[int, Mapping[str, Mapping[str, float]]]) -> None:
    """Print a table, and what is not as it should be."""
    sizes = sorted(measured)
    rows: list[Sequence[str | float]] = []
    faults = []
    for name in STAGES:
        of_stage = {size: measured[size][name] for size in sizes}
        grown = growth(of_stage)
        rows.append(
            [
                name,
                *(f"{of_stage[size][CPU]:.1f}" for size in sizes),
                *(f"{value:.1f}" for value in grown.get("ms_per_case", [])),
                *(f"{of_stage[size][MB]:.0f}" for size in sizes),
                f"{of_stage[sizes[-1]][FILES]:.0f}",
                f"{of_stage[sizes[-1]][LARGEST]:.0f}",
            ]
        )
        if grown.get("worse_than_linear"):
            faults.append(f"{name}: worse than linear, {grown['ms_per_case']} ms a further case")
        if grown.get("memory_grows"):
            faults.append(f"{name}: memory grows, {grown['mb_per_1000_cases']} MB per 1,000 cases")
    between = [f"ms {a}-{b}" for a, b in pairwise(sizes)]
    columns = ["stage", *(f"s {n}" for n in sizes), *between, *(f"MB {n}" for n in sizes),
               "files", "largest"]  # fmt: skip
    print_table(f"{TASK}: seconds of CPU, memory and files", columns, rows)
    print("\n".join(["", *faults] if faults else ["", "all linear, memory flat"]))


if __name__ == "__main__":
    main()
