"""Cases on threads and in processes: in order, bounded, and gone with their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interactivenet.errors import RequestError
from interactivenet.system import parallel
from interactivenet.system.parallel import Workers, map_cases
from interactivenet.system.resources import Limits


def double(number):
    return 2 * number


def process_id(_):
    return os.getpid()


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail(number):
    raise ValueError(f"no {number}")


@pytest.mark.parametrize("jobs", [1, 3])
def test_threads_keep_the_order(jobs):
    assert list(map_cases(double, range(20), jobs)) == [2 * i for i in range(20)]


def test_processes_keep_the_order_and_serve_twice():
    with Workers(2) as workers:
        assert list(workers.map(double, range(20))) == [2 * i for i in range(20)]
        assert set(workers.map(process_id, range(8))) - {os.getpid()}
        assert 10 < workers.peak_mb < 1000
        with pytest.raises(ValueError, match="no 0"):
            list(workers.map(fail, range(3)))


def test_one_job_is_this_process():
    with Workers(1) as workers:
        assert list(workers.map(process_id, range(3))) == [os.getpid()] * 3


def test_few_items_are_taken_ahead():
    taken = []

    def items():
        for i in range(1000):
            taken.append(i)
            yield i

    with Workers(2) as workers:
        results = workers.map(double, items())
        next(results)
        assert len(taken) < 10
        results.close()


def test_a_killed_process_is_one_line():
    with Workers(2) as workers, pytest.raises(RequestError, match=r"memory ran out.*fewer `jobs`"):
        list(workers.map(die, range(6)))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_killed_parent():
    code = (
        "import time\nfrom interactivenet.system.parallel import Workers\n"
        "from tests.system.test_parallel import process_id\n"
        "if __name__ == '__main__':\n"
        "    with Workers(2) as workers:\n"
        "        print(*set(workers.map(process_id, range(20))), flush=True)\n"
        "        time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    children = [int(word) for word in parent.stdout.readline().split()]
    assert children and all(_alive(child) for child in children)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while any(_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(child) for child in children)


def _alive(process):
    try:
        with Path(f"/proc/{process}/stat").open() as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [(64, None, 64), (64, 2.0, 2), (64, 2.1, 3), (64, 0.2, 1), (4, 8.0, 4), (1, None, 1)],
)
def test_cores_by_affinity_and_quota(monkeypatch, allowed, quota, cores):
    """docker run --cpus 2, --cpuset-cpus."""
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda _: set(range(allowed)))
    monkeypatch.setattr(parallel, "read_limits", lambda: Limits(cores=quota))
    parallel._quota.cache_clear()
    try:
        assert parallel.available_cores() == cores
    finally:
        parallel._quota.cache_clear()


def test_the_quota_is_read_once(monkeypatch):
    read = []
    monkeypatch.setattr(parallel, "read_limits", lambda: read.append(1) or Limits())
    parallel._quota.cache_clear()
    try:
        assert parallel.available_cores() == parallel.available_cores()
        assert len(read) == 1
    finally:
        parallel._quota.cache_clear()
