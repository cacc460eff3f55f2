"""Many scans in one folder by 1, 4 and 16 processes that are killed at random and started again.

Run with ``python -m benchmarks.sharding FOLDER``, the folder of real scans (hippocampus_mr) or the
one above it, or ``... FOLDER --scans 40 --shards 4`` for less; without it nothing is measured. The
model that comes with the package segments them from simulated points, on the CPU, unmirrored. What
is compared are the bytes of every label map and record with those of one run without shards that
nobody killed; a gather has to find every case, and to name none.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import machine, print_table, write_result

SCANS, SHARDS, AT_ONCE, SEED = 200, (1, 4, 16), 4, 0
#: kills of a job, for each process that it has at once, and seconds of a process that it waits for
KILLS, SPARED = 2, 4.0
WORDS = ["--model", "starter", "--device", "cpu", "--no-tta"]


def main() -> None:
    """Measure, print and write ``results/sharding.json``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--scans", type=int, default=SCANS)
    parser.add_argument("--shards", type=int, nargs="*", default=SHARDS)
    given = parser.parse_args()
    if given.folder is None:
        print("needs the folder of real scans (hippocampus_mr): nothing is measured")
        return
    source = given.folder / "hippocampus_mr"
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        prepare(root, source if source.is_dir() else given.folder, given.scans)
        start = time.perf_counter()
        started(root, root / "whole", jobs=1).wait()
        whole = {"seconds": round(time.perf_counter() - start, 1), **told(root / "whole")}
        jobs = {str(of): share(root, of) for of in given.shards}
    columns = ["shards", "seconds", "kills", "starts", "lost", "cases", "equal", "failed"]
    rows = [["none", f"{whole['seconds']}", "0", "1", "", str(whole["cases"]), "", ""]]
    rows += [
        [of, *(str(job[key]) for key in ("seconds", "kills", "starts", "lost", "cases", "equal",
                                         "failed"))]
        for of, job in jobs.items()
    ]  # fmt: skip
    print_table(f"{given.scans} scans, {AT_ONCE} processes at once", columns, rows)
    path = write_result(
        "sharding",
        {"machine": machine("torch"), "scans": given.scans, "processes_at_once": AT_ONCE,
         "whole": whole, "shards": jobs},
    )  # fmt: skip
    print(f"\n{path}")
    if any(job["lost"] or not job["equal"] or job["failed"] for job in jobs.values()):
        raise SystemExit("not the same as without shards")


def prepare(root: Path, source: Path, count: int) -> None:
    """Link so many scans, and simulate their points; of fewer, some come again under other names.

    Points follow from the name: a scan that comes again is another case.
    """
    from interactivenet.imaging.io import read_label
    from interactivenet.prompts.io import write_prompts
    from interactivenet.prompts.simulation import simulate_prompts

    scans = sorted((source / "images").glob("*.nii.gz"))
    if not scans:
        raise SystemExit(f"{source}: holds no images/*.nii.gz")
    (root / "images").mkdir()
    for number in range(count):
        scan = scans[number % len(scans)]
        name = scan.name.removesuffix(".nii.gz") + f"r{number // len(scans)}"
        (root / "images" / f"{name}.nii.gz").symlink_to(scan.resolve())
        label = read_label(source / "labels" / scan.name)
        write_prompts(root / "points" / f"{name}.json", simulate_prompts(label, key=name))


def share(root: Path, of: int) -> dict[str, Any]:
    """Do all cases in shards, kill some at random and start them again, gather, and compare."""
    draw, output = random.Random(f"{SEED} {of}"), root / f"by_{of}"
    waiting, running = list(range(1, of + 1)), dict[int, tuple[subprocess.Popen[bytes], float]]()
    kills, starts, allowed = 0, 0, KILLS * min(of, AT_ONCE)
    start = time.perf_counter()
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            number = waiting.pop(0)
            until = time.perf_counter() + draw.uniform(SPARED, 4 * SPARED)
            process = started(root, output, "--shard", f"{number}/{of}", jobs=min(of, AT_ONCE))
            running[number] = (process, until)
            starts += 1
        for number, (process, until) in list(running.items()):
            if process.poll() is None and kills < allowed and time.perf_counter() > until:
                process.kill()
                process.wait()
                kills += 1
                waiting.append(number)
                del running[number]
            elif process.poll() is not None:
                if process.returncode:
                    raise SystemExit(f"shard {number}/{of} ended with {process.returncode}")
                del running[number]
        time.sleep(0.05)
    segmented = time.perf_counter()
    status = started(root, output, "--gather", jobs=1).wait()
    ended = time.perf_counter()
    files = {path.relative_to(root / "whole") for path in results_in(root / "whole")}
    mine = {path.relative_to(output) for path in results_in(output)}
    differing = [
        path for path in files & mine
        if (root / "whole" / path).read_bytes() != (output / path).read_bytes()
    ]  # fmt: skip
    left = [path for path in output.rglob(".*") if path.name != ".lock"]
    shutil.rmtree(output / "shards")
    return {
        "seconds": round(segmented - start, 1), "gather_seconds": round(ended - segmented, 1),
        "kills": kills, "starts": starts, "lost": len(files - mine), "more": len(mine - files),
        "differing": len(differing), "temporary_files_left": len(left),
        "equal": not differing and files == mine, "failed": status, **told(output),
    }  # fmt: skip


def started(root: Path, output: Path, *more: str, jobs: int) -> subprocess.Popen[bytes]:
    """Start an inference of all scans.  jobs: how many share the cores."""
    command = [
        sys.executable, "-m", "interactivenet", "infer", "-i", str(root / "images"),
        "-in", str(root / "points"), "-o", str(output), *WORDS, *more,
    ]  # fmt: skip
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    with (root / f"{output.name}.log").open("ab") as log:
        return subprocess.Popen(
            command, env=os.environ | {"OMP_NUM_THREADS": threads}, stdout=log, stderr=log
        )


def results_in(folder: Path) -> Sequence[Path]:
    """Return the label maps and records of cases, and maps of objects."""
    own = {"run.json", "failures.json"}
    found = [*folder.glob("*.nii.gz"), *folder.glob("*.json"), *folder.glob("objects/*")]
    return sorted(path for path in found if path.name not in own and path.name[0] != ".")


def told(output: Path) -> dict[str, Any]:
    """Return what the record of all cases says."""
    record = json.loads((output / "run.json").read_text(encoding="utf-8"))
    return {
        "cases": record["cases"], "kept": record["kept"], "failures": len(record["failures"]),
        "inputs": len(record["inputs"]), "status": record["status"],
    }  # fmt: skip


if __name__ == "__main__":
    main()
