"""How threads should wait for each other: alone, and beside processes that use the same cores.

Run with ``python -m benchmarks.threads``. The starter segments a sample and a small network is
trained, each in a process of its own for every way to wait, alone, beside a busy process, and
beside as many as there are cores. Ways take turns. The libgomp of torch looks GOMP_SPINCOUNT times
before a thread sleeps.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

from benchmarks.report import machine, print_table, write_result
from interactivenet.system.threads import POLICY, SPINS, settle_waiting

TURNS = 3
WAYS: dict[str, dict[str, str]] = {
    "libgomp's own": {}, "100000": {SPINS: "100000"}, "30000": {SPINS: "30000"},
    "10000": {SPINS: "10000"}, "1000": {SPINS: "1000"}, "asleep": {POLICY: "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}  # fmt: skip
_WORK = """
import json, time, torch
from torch.nn.functional import cross_entropy
from interactivenet.models.bundle import load_model
from interactivenet.models.network import build_network
plan = load_model("starter").plan
network = build_network(plan.network, plan.channels)
image = torch.randn(2, plan.channels, *plan.sample_shape)
small = image[..., :32, :32, :32].contiguous()
label = torch.zeros(2, *small.shape[2:], dtype=torch.long)
optimiser = torch.optim.SGD(network.parameters(), 0.01)
def segment():
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        network.eval()(image)
def train():
    outputs = network.train()(small)
    optimiser.zero_grad()
    sum(cross_entropy(output, label) for output in outputs.unbind(1)).backward()
    optimiser.step()
found = {}
for name, work in (("segment", segment), ("train", train)):
    work()
    times = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    found[name] = sorted(times)[1]
print(json.dumps(found))
"""


def main() -> None:
    """Measure, print and write ``results/threads.json``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    found: dict[str, dict[str, list[float]]] = {name: {} for name in WAYS}
    for busy in sorted({0, 1, cores}):
        with ExitStack() as opened:
            for _ in range(busy):
                command = [sys.executable, "-c", "while True: pass"]
                opened.callback(opened.enter_context(subprocess.Popen(command)).kill)
            time.sleep(0.5 * bool(busy))
            for _ in range(TURNS):
                for name, variables in WAYS.items():
                    for work, seconds in measure(variables).items():
                        found[name].setdefault(f"{work}, {busy} busy", []).append(seconds)
    medians = {
        name: {column: round(statistics.median(runs), 4) for column, runs in of_name.items()}
        for name, of_name in found.items()
    }
    columns = list(medians["one thread"])
    rows = [[name, *(f"{of_name[column]:.3f}" for column in columns)]
            for name, of_name in medians.items()]  # fmt: skip
    print_table("Seconds, medians", ["looks before sleep", *columns], rows)
    chosen: dict[str, str] = {}
    settle_waiting(chosen)
    content = {"machine": machine("torch"), "chosen": chosen, "turns": TURNS, "seconds": medians}
    print(write_result("threads", content))


def measure(variables: dict[str, str]) -> dict[str, float]:
    """Return the seconds of each work in a process with these variables."""
    unset = {name: value for name, value in os.environ.items() if name not in (SPINS, POLICY)}
    done = subprocess.run(
        [sys.executable, "-c", _WORK], env={**unset, **variables}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
