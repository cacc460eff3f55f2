"""The container image: what takes its room, how fast it starts, what its compiled kernels spare.

Run with ``python -m benchmarks.image [NAME]`` where an engine has the image (``make image``);
elsewhere nothing is measured. Kernels: the same calls, once with those compiled for x86-64-v3
that the image brings, once for this very processor, which have to be compiled at the start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.report import machine, median_seconds, print_table, write_result

REPEATS = 5
#: what is there for torch alone
_TORCH = ("torch", "torchgen", "functorch", "sympy", "mpmath", "networkx", "nvidia", "triton")
_ROOM = """
import json, os, sysconfig
def size(path):
    return sum(os.lstat(os.path.join(folder, name)).st_size
               for folder, _, names in os.walk(path) for name in names)
home = sysconfig.get_path("purelib")
print(json.dumps({name: size(os.path.join(home, name)) for name in os.listdir(home)}))
"""
_THIS = """
import os
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
os.environ["NUMBA_CPU_NAME"] = get_host_cpu_name()
os.environ["NUMBA_CPU_FEATURES"] = get_host_cpu_features().flatten()
"""
_KERNELS = """
import json, time
start = time.perf_counter()
import numpy as np
from interactivenet.encoding.geodesic import geodesic_distance
image = np.random.default_rng(0).normal(size=(96, 96, 96)).astype(np.float32)
seeds = np.zeros(image.shape, bool)
seeds[10, 20, 30] = seeds[60, 50, 40] = True
found = {}
for kernel in ("exact", "scan"):
    for metric in ("geodistk", "gradient"):
        def call():
            geodesic_distance(image, seeds, (1.0, 1.0, 3.0), kernel=kernel, metric=metric)
        call()
        seconds = []
        for _ in range(7):
            before = time.process_time()
            call()
            seconds.append(time.process_time() - before)
        found[f"{kernel}, {metric}"] = min(seconds)
        found.setdefault("first distance", time.perf_counter() - start - sum(seconds))
print(json.dumps(found))
"""


def main() -> None:
    """Measure, print the tables and write ``results/image.json``."""
    image = sys.argv[1] if len(sys.argv) > 1 else "interactivenet"
    try:
        whole = int(_engine("image", "inspect", "-f", "{{.Size}}", image))
    except (OSError, subprocess.CalledProcessError):
        print(f"no engine has the image {image}: 'make image' builds it; nothing measured")
        return
    room = json.loads(_python(image, _ROOM))
    torch = sum(room.get(name, 0) for name in _TORCH)
    sizes = {"whole image": whole, "torch and what only torch needs": torch,
             "all but that": whole - torch}  # fmt: skip
    largest = sorted((size, name) for name, size in room.items() if name not in _TORCH)[-8:]
    sizes |= {f"  {name}": size for size, name in reversed(largest)}
    seconds = median_seconds(
        {
            "docker run IMAGE": lambda: _engine("run", "--rm", "--network", "none", image),
            "docker run --entrypoint true IMAGE": lambda: _engine(
                "run", "--rm", "--network", "none", "--entrypoint", "true", image
            ),
        },
        REPEATS,
    )
    kernels = {
        "in the image, for x86-64-v3": _kernels(image),
        "compiled at the start, for this processor": _kernels(image, _THIS),
    }
    print_table("size", ("", "MB"), [(name, size / 1e6) for name, size in sizes.items()])
    print_table("start, wall-clock", ("", "s"), list(seconds.items()))
    names = list(next(iter(kernels.values())))
    print_table("geodesic distance, 96x96x96, one thread: s", ("kernels", *names),
                [(row, *found.values()) for row, found in kernels.items()])  # fmt: skip
    content = {"machine": machine(), "repeats": REPEATS, "bytes": sizes, "start": seconds,
               "kernels": kernels}  # fmt: skip
    print(f"\nwritten: {write_result('image', content).name}")


def _kernels(image: str, before: str = "") -> Any:
    return json.loads(_python(image, before + _KERNELS))


def _python(image: str, program: str) -> str:
    words = ("--rm", "--network", "none", "-e", "OMP_NUM_THREADS=1", "--entrypoint", "python")
    return _engine("run", *words, image, "-c", program)


def _engine(*words: str) -> str:
    command = [os.environ.get("DOCKER", "docker"), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
