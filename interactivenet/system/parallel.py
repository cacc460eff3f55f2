"""Running a function over the cases of a task, on several threads or in several processes.

Threads where the time goes into gzip and NumPy's and SciPy's loops, which release the
interpreter's lock; processes where the interpreter itself has much to do. Results come in
order, and at most a few cases are in memory at once.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from types import TracebackType
from typing import TypeVar

from interactivenet.errors import RequestError
from interactivenet.system.resources import read_limits
from interactivenet.system.signals import held

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return how many cores this process may use, at least 1.

    The lower of the affinity and the quota of CPU time, rounded up: a container that may use 2 of
    64 cores sees all of them, and threads on each would only wait for each other. joblib's
    cpu_count looks at the topmost control group alone, but batch systems limit one further down.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


@cache
def _quota() -> float | None:
    return read_limits().cores


def map_cases(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    """Yield ``function(item)`` in the items' order, computed on ``jobs`` threads."""
    if jobs <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(jobs) as pool:
        yield from _map(pool, function, items, jobs)


class Workers:
    """Processes that run functions over cases; with one job, this process itself.

    jobs: how many.  modules: what they import before the first case.
    peak_mb: the most memory that one of them has held so far; 0 with one job.
    """

    def __init__(self, jobs: int, modules: tuple[str, ...] = ()) -> None:
        self.jobs = jobs
        self.peak_mb = 0.0
        self._modules = modules
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in the items' order; both must be picklable.

        Raises RequestError where a process was killed.
        """
        if self.jobs <= 1:
            yield from map(function, items)
            return
        try:
            measured = partial(_measured, function)
            with held():
                pool = self._start()
            for result, peak in _map(pool, measured, items, self.jobs):
                self.peak_mb = max(self.peak_mb, peak)
                yield result
        except BrokenProcessPool as error:
            raise RequestError(
                "a worker process was killed, perhaps because memory ran out; all results are kept",
                remedy="use fewer `jobs`, which need less memory",
            ) from error

    def _start(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # not by fork: a copy of a process with threads (progress bars, BLAS) can hang
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context(
                "forkserver" if "forkserver" in methods else "spawn"
            )
            start_forkserver(self._modules)
            self._pool = ProcessPoolExecutor(
                self.jobs, mp_context=context, initializer=_settle, initargs=(os.getpid(),)
            )
        return self._pool

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def peak_memory_mb() -> float:
    """Return the most memory (MB, resident) that this process has held; 0 where unknown.

    psutil tells the present memory, and the highest on Windows alone.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, KiB on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def start_forkserver(modules: Sequence[str]) -> None:
    """Start the process that workers come from, and let it import modules in place of each of them.

    It does so beside this process, which does not wait. Nothing is done where it runs already, or
    the system has none. Ctrl-C is blocked, in all workers then: the parent ends them, and before
    they have settled, each would show a traceback of its own.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return
    from multiprocessing import forkserver, resource_tracker

    multiprocessing.set_forkserver_preload(list(modules))
    resource_tracker.ensure_running()  # which the next would start, and leaves SIGINT unblocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _measured(function: Callable[[Item], Result], item: Item) -> tuple[Result, float]:
    return function(item), peak_memory_mb()


def _settle(parent: int) -> None:
    """Prepare a worker: one BLAS thread, Ctrl-C left to the parent, and an end when that ends."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        process = multiprocessing.parent_process()
        if process is not None and process.pid == parent:
            process.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _map(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            with held():  # a worker that starts would not find what it is given, and say so
                pending.append(pool.submit(function, item))
            if len(pending) > 2 * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
