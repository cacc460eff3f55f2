"""Whether learning pays, measured on patients that the training never saw.

    python -m benchmarks.learning --work FOLDER                  # what needs no training
    python -m benchmarks.learning --work FOLDER --minutes 30     # of two CPU cores a fold
    python -m benchmarks.learning --work FOLDER --full --device cuda --preset default
    python -m benchmarks.learning --report                       # write the tables again

Five folds of every data set; each is planned and trained from its own cases alone, by the public
pipeline, and tested through the Predictor on the scans' own grids, with the same six points for
every arm. Every fold of every arm is kept in the work folder and not measured again while its
inputs and settings are the same; an interrupted training goes on. Starters are looked for in
``WORK/starters``; what cannot be measured here is said, with the reason, and left out. Results:
``benchmarks/results/learning.json`` and ``learning.md``, and the page of the docs.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from benchmarks.learning.arms import ARMS, DATASETS
from benchmarks.learning.datasets import FOLDS
from benchmarks.learning.job import Budget, Job, Unavailable
from benchmarks.learning.results import merged, read_records, read_runs, write_runs
from benchmarks.learning.table import render, write_page
from benchmarks.learning.worker import UNAVAILABLE, check_available
from benchmarks.report import RESULTS
from interactivenet.system.files import write_json, write_text

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "learning.md"

#: does a job; returns what ended it: '' for nothing
Runner = Callable[[Job], str]


def main(arguments: Sequence[str] | None = None, run: Runner | None = None) -> None:
    """Measure what is asked for, then write the tables.

    run: does a job; by default in a process of its own.
    """
    options = _options(arguments)
    runs = read_runs(options.output / "learning.json")
    if not options.report:
        before = signal.signal(signal.SIGTERM, _leave)
        try:
            measure_jobs(list(jobs(options)), run or in_own_process)
        finally:
            signal.signal(signal.SIGTERM, before)
        trial = f"first-{options.limit}" if options.limit else "all"
        runs = merged(runs, read_records(options.work / "records" / trial))
        options.output.mkdir(parents=True, exist_ok=True)
        write_runs(options.output / "learning.json", runs)
    text = f"# Does learning pay?\n\n{render(runs)}\n"
    write_text(options.output / "learning.md", text)
    if options.output == RESULTS:
        write_page(PAGE, runs)
    print(f"written: {options.output / 'learning.md'}, of {len(runs)} runs")


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Yield the jobs that the options ask for, the cheap ones first."""
    budget = Budget(options.minutes, options.epochs, options.preset, options.device,
                    options.threads)  # fmt: skip
    trains = options.full or options.minutes or options.epochs
    for arm in sorted(ARMS.values(), key=lambda arm: (arm.trains, arm.ablation)):
        if (options.only and arm.name not in options.only) or (arm.trains and not trains):
            continue
        for dataset in arm.datasets:
            if options.datasets and dataset not in options.datasets:
                continue
            for fold in options.folds if arm.trains else (-1,):
                yield Job(arm.name, dataset, fold, budget, options.shared.resolve(),
                          options.work.resolve(), options.seed, options.limit)  # fmt: skip


def measure_jobs(todo: Sequence[Job], run: Runner) -> None:
    """Do the jobs in turn; what one of them fails for costs only itself."""
    for number, job in enumerate(todo, 1):
        fold = f", fold {job.fold}" if job.fold >= 0 else ""
        reason = run(job)
        outcome = f"not measured: {reason}" if reason else "measured"
        print(f"{number}/{len(todo)} {job.arm}, {job.dataset}{fold}: {outcome}", flush=True)


def in_own_process(job: Job) -> str:
    """Do a job in a process of its own; returns the last line of what it says where it fails."""
    try:
        check_available(job)
    except Unavailable as error:
        return str(error)
    threads = {}
    if job.budget.threads:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        threads = dict.fromkeys(names, str(job.budget.threads))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        write_json(path, job.as_json())
        command = [sys.executable, "-m", "benchmarks.learning.worker", str(path)]
        process = subprocess.Popen(
            command, env=os.environ | threads, stderr=subprocess.PIPE, text=True
        )
        try:
            _, said = process.communicate()
        except BaseException:
            process.terminate()  # which saves its training
            process.communicate()
            raise
    if process.returncode == 0:
        return ""
    lines = [line for line in said.splitlines() if line.strip()] or ["it said nothing"]
    if process.returncode != UNAVAILABLE:
        print(said, file=sys.stderr)
    return lines[-1].partition(": ")[2] if process.returncode == UNAVAILABLE else lines[-1]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, help="where all that is made is kept")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=0.0, help="of each fold's training")
    budget.add_argument("--epochs", type=int, default=0, help="of each fold's, for a trial")
    budget.add_argument("--full", action="store_true", help="the default of `train`")
    parser.add_argument("--preset", default="small", help="size of the network")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU; 0 for all")
    parser.add_argument("--only", nargs="+", metavar="ARM", choices=ARMS, help=", ".join(ARMS))
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, metavar="DATASET",
                        help=", ".join(DATASETS))  # fmt: skip
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)),
                        choices=range(FOLDS), metavar="FOLD")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of plans and trainings")
    parser.add_argument("--limit", type=int, default=0, help="cases of each set, for a trial")
    parser.add_argument("--output", type=Path, default=None, help="where the results go")
    parser.add_argument("--report", action="store_true", help="write the tables again, no more")
    options = parser.parse_args(arguments)
    if not options.report and options.work is None:
        parser.error("--work is missing: where is all that is made to be kept?")
    if options.output is None:  # a trial's figures are nobody's
        options.output = options.work / "trial" if options.limit else RESULTS
    return options


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
