"""Processors, memory and shared memory of machines, containers and jobs."""

from dataclasses import replace

import pytest

from interactivenet.doctor.computer import (
    MemoryFacts,
    ProcessorFacts,
    judge_memory,
    judge_processor,
    judge_shared_memory,
    read_memory,
    read_processor,
    read_shared_memory,
)
from interactivenet.system.resources import Limits

GB = 10**9
EPYC = ProcessorFacts(
    "AMD EPYC", "x86_64", cores=64, allowed=64, available=64, quota=None,
    features=frozenset({"avx", "avx2", "avx512f", "amx_tile"}), bf16=True,
)  # fmt: skip


def test_a_processor_is_described():
    check = judge_processor(EPYC)
    assert check.status == "ok"
    assert check.found == "AMD EPYC, 64 of 64 cores, AVX2, AVX-512, AMX, bf16"


def test_a_quota_is_told():
    check = judge_processor(replace(EPYC, quota=1.5, available=2))
    assert (
        check.status == "ok"
        and "2 of 64 cores (limited to the CPU time of 1.5, 64 allowed)" in check.found
    )


@pytest.mark.parametrize(
    ("machine", "features", "status"),
    [
        ("x86_64", {"avx"}, "note"),
        ("x86_64", {"avx2"}, "ok"),
        ("aarch64", {"asimd"}, "ok"),
        ("x86_64", set(), "ok"),  # nothing is known
    ],
)
def test_no_avx2_is_a_note(machine, features, status):
    facts = replace(EPYC, machine=machine, features=frozenset(features))
    assert judge_processor(facts).status == status


@pytest.mark.parametrize(
    ("total", "limit", "used", "available", "status", "found"),
    [
        (64 * GB, None, None, 60 * GB, "ok", "64.0 GB, 60.0 GB free"),
        (64 * GB, 16 * GB, 1 * GB, 60 * GB, "ok", "limit of this container or job, 15.0 GB free"),
        (64 * GB, 16 * GB, 1 * GB, 3 * GB, "ok", "3.0 GB free"),
        (64 * GB, 4 * GB, 0, 60 * GB, "note", "may not fit"),
        (64 * GB, 1 * GB, 0, 60 * GB, "problem", "even a tiny network"),
        (1 * GB, None, None, GB, "problem", "even a tiny network"),
        (6 * GB, None, None, 5 * GB, "note", "may not fit"),
        (64 * GB, None, None, 1 * GB, "note", "little is free"),
        (64 * GB, 16 * GB, 15 * GB, 60 * GB, "note", "1.0 GB free: little is free"),
        (16 * GB, 64 * GB, 0, 12 * GB, "ok", "16.0 GB, 12.0 GB free"),
        (None, None, None, None, "note", "unknown"),
    ],
)
def test_memory(total, limit, used, available, status, found):
    check = judge_memory(MemoryFacts(total, available, Limits(memory=limit, used=used)))
    assert check.status == status and found in check.found
    assert check.status != "problem" or "--memory" in check.remedy


@pytest.mark.parametrize(
    ("free", "cuda", "status"),
    [(64 * 10**6, True, "note"), (64 * 10**6, False, "ok"), (2 * GB, True, "ok"),
     (None, True, "ok")],
)  # fmt: skip
def test_shared_memory(free, cuda, status):
    check = judge_shared_memory(free, cuda)
    assert check.status == status and (("--shm-size 2g" in check.remedy) == (status == "note"))


def test_this_machine_can_be_read():
    processor, memory = read_processor(), read_memory()
    assert 1 <= processor.available <= processor.cores and processor.model
    assert memory.total > memory.available > 0
    free = read_shared_memory()
    assert free is None or free >= 0
