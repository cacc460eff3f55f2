"""Segmenting many scans: ours beside nnU-Net v2's own predictor, on a CPU with two threads.

Run with ``python -m benchmarks.nnunet_inference FOLDER`` (hippocampus_mr), where the package
nnunetv2 (2.8.1) is installed beside InteractiveNet, or its folder (``pip install --target``) is on
PYTHONPATH; ``... FOLDER --sequential`` leaves out nnU-Net's own processes, for a third of the
time. Networks have the same patch, stages, features, strides and convolutions, random weights, and
all eight mirrored copies; nnU-Net's sees the scan alone, ours the map of points, too.

What is compared is a scan segmented, from files to files: nnU-Net covers all of it by sliding
windows, ours the region around an object. nnU-Net runs as its command does, with a process that
reads and one that writes, and in its sequential mode; in its own precision on a CPU, float32, and
in bfloat16, which its command does not offer. Each run is a process of its own, in turns; memory
is that of all its processes together, pages that they share counted once (PSS).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import machine, print_table, write_result

CASES, TURNS, THREADS = 5, 2, 2
OURS, THEIRS, SEQUENTIAL = "ours", "nnU-Net", "nnU-Net, sequential"
#: program, precision
RUNS = tuple((program, kind) for kind in ("fp32", "bf16") for program in (OURS, THEIRS, SEQUENTIAL))
#: what each takes by default on a CPU that multiplies in bfloat16
DEFAULTS = (OURS, "bf16"), (THEIRS, "fp32")


def main() -> None:
    """Measure, print and write ``results/nnunet_inference.json``."""
    if len(sys.argv) < 2:
        print("needs the folder of real scans (hippocampus_mr): nothing is measured")
        return
    if sys.argv[1] == "--run":
        _run(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
        return
    left_out = (THEIRS,) if "--sequential" in sys.argv[2:] else ()
    runs = [run for run in RUNS if run[0] not in left_out]
    found: dict[tuple[str, str], list[dict[str, float]]] = {run: [] for run in runs}
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place), Path(sys.argv[1]))
        for _ in range(TURNS):
            for run, results in found.items():
                results.append(measure(*run, Path(place)))
    medians = {
        run: {key: round(statistics.median(one[key] for one in results), 3) for key in results[0]}
        for run, results in found.items()
    }
    rows = [
        [f"{program}, {kind}", f"{one['seconds']:.3f}", f"{one['cpu_seconds']:.3f}",
         f"{one['whole_seconds']:.1f}", f"{one['peak_mb']:.0f}"]
        for (program, kind), one in medians.items()
    ]  # fmt: skip
    columns = ["", "s a case", "CPU s a case", "whole s", "peak MB"]
    print_table(f"{CASES} scans, mirrored, {THREADS} threads, medians of {TURNS}", columns, rows)
    pairs = {} if left_out else {"defaults": DEFAULTS}
    pairs |= {
        f"{program}, {kind}": ((OURS, kind), (program, kind))
        for program, kind in runs
        if program != OURS
    }
    # what each takes by itself
    pairs[f"{SEQUENTIAL}, defaults"] = ((OURS, "bf16"), (SEQUENTIAL, "fp32"))
    keys = ("seconds", "cpu_seconds", "whole_seconds", "peak_mb")
    ratios = {
        name: {key: round(medians[ours][key] / medians[theirs][key], 3) for key in keys}
        for name, (ours, theirs) in pairs.items()
    }
    print(f"\nours as a share of theirs: {json.dumps(ratios, indent=1)}")
    told = [{"program": program, "precision": kind, **one}
            for (program, kind), one in medians.items()]  # fmt: skip
    content = {
        "machine": machine("torch", "nnunetv2"), "cases": CASES, "turns": TURNS,
        "threads": THREADS, "runs": told, "share": ratios,
    }  # fmt: skip
    print(write_result("nnunet_inference", content))


def prepare(root: Path, source: Path) -> None:
    """Import, plan and make both programs' weights and lists of scans below a folder."""
    from benchmarks import inference, nnunet

    inference.FOLDS = 1
    model, task = inference.prepare(root, _some(source, root / "some"))
    nnunet.settle(root / "nnunet")
    with nnunet.quiet():
        nnunet.convert(root / "raw" / inference.TASK, root / "nnunet" / "raw" / nnunet.DATASET)
        nnunet.plan_experiments()
        plans = root / "nnunet" / "preprocessed" / nnunet.DATASET / "nnUNetPlans.json"
        nnunet.adopt(model.plan, plans)
    images = [str(case.images[0]) for case in task.training[:CASES]]
    (root / "images.json").write_text(json.dumps(images), encoding="utf-8")


def _some(source: Path, folder: Path) -> Path:
    """Copy as many scans as are segmented: planning with all of them would take minutes."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
        for path in sorted((source / kind).iterdir())[:CASES]:
            shutil.copyfile(path, folder / kind / path.name)
    return folder


def measure(program: str, kind: str, root: Path) -> dict[str, float]:
    """Run a program in a process of its own; returns seconds, of a case and whole, and memory."""
    import psutil

    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
    command = [sys.executable, "-m", "benchmarks.nnunet_inference", "--run", program, kind]
    start, peak = time.perf_counter(), 0.0
    with subprocess.Popen(
        [*command, str(root)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _memory(watched))
            time.sleep(0.1)
        whole = time.perf_counter() - start
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    if process.returncode:
        raise SystemExit(f"{program}, {kind}: failed")
    return {**json.loads(lines[-1]), "whole_seconds": whole, "peak_mb": peak / 1e6}


def _memory(process: Any) -> float:
    """Bytes that a process and all below it hold now."""
    import psutil

    total = 0.0
    for one in [process, *_below(process)]:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


def _below(process: Any) -> list[Any]:
    import psutil

    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _run(program: str, kind: str, root: Path) -> None:
    """Segment all cases in this process, and print what that took."""
    from interactivenet.system.threads import settle_waiting

    if program == OURS:  # as its command does; nnU-Net's has nothing of the kind
        settle_waiting()
    with tempfile.TemporaryDirectory() as folder:
        segment = (_ours if program == OURS else _theirs)(root, Path(folder), program, kind)
        start, before = time.perf_counter(), os.times()
        segment()
        seconds, after = time.perf_counter() - start, os.times()
        written = len(list(Path(folder).rglob("*.nii.gz")))
    if written != CASES:
        raise SystemExit(f"{written} of {CASES} cases are segmented")
    used = sum(after[:4]) - sum(before[:4])
    print(json.dumps({"seconds": seconds / CASES, "cpu_seconds": used / CASES}))


def _ours(root: Path, folder: Path, _: str, kind: str) -> Callable[[], object]:
    from benchmarks.inference import TASK
    from interactivenet.datasets.task import Task
    from interactivenet.inference.batch import predict_cases
    from interactivenet.inference.loading import load_predictor
    from interactivenet.inference.options import InferenceOptions
    from interactivenet.inference.outputs import Output
    from interactivenet.models.model import Model
    from interactivenet.planning.plan import Plan

    plan = Plan.load(root / "processed" / TASK / "plans.json")
    model = Model(plan, (root / "0.safetensors",), (0,), name="random")
    options = InferenceOptions(precision=kind, device="cpu")  # type: ignore[arg-type]
    predictor = load_predictor(model, options)
    cases = Task.load(root / "raw" / TASK).training[:CASES]
    outputs = [Output(folder, (0,))]
    return lambda: list(predict_cases(cases, model, outputs, options, predictor=predictor))


def _theirs(root: Path, folder: Path, program: str, kind: str) -> Callable[[], object]:
    import torch

    from benchmarks import nnunet

    nnunet.settle(root / "nnunet")
    torch.set_num_threads(THREADS)
    with nnunet.quiet():
        predictor = nnunet.predictor(root / "nnunet")
    images = json.loads((root / "images.json").read_text(encoding="utf-8"))
    lists = [[image] for image in images]
    targets = [str(folder / f"case_{number}") for number in range(len(lists))]

    def segment() -> None:
        mixed = torch.autocast("cpu", torch.bfloat16, enabled=kind == "bf16")
        with nnunet.quiet(), mixed:
            if program == SEQUENTIAL:
                predictor.predict_from_files_sequential(lists, targets)
            else:
                predictor.predict_from_files(
                    lists, targets, num_processes_preprocessing=1,
                    num_processes_segmentation_export=1,
                )  # fmt: skip

    return segment


if __name__ == "__main__":
    main()
