"""What the benchmarks share: timing, the machine's description, tables and result files."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def median_seconds(tasks: Mapping[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Return the median wall-clock seconds of each task over ``repeats`` runs.

    The tasks take turns, so that a slow spell of the machine meets all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(runs) for name, runs in seconds.items()}


def machine(*packages: str) -> dict[str, Any]:
    """Describe what the figures depend on: processor, cores, Python and package versions."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Print rows under a title; the first column to the left, the numbers to the right."""
    cells = [list(columns)]
    cells += [[c if isinstance(c, str) else f"{c:.2f}" for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        line = [row[0].ljust(widths[0])]
        line += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(line))


def write_result(name: str, content: Mapping[str, Any]) -> Path:
    """Write ``results/NAME.json`` beside this module and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def put_between(text: str, begin: str, end: str, content: str) -> str:
    """Return a text with other content between its two marks.

    Raises ValueError where it has none.
    """
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no '{begin}' and '{end}'")
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
