"""Processor, memory, shared memory: how much of the machine a container or batch job may use."""

from __future__ import annotations

import os
import platform
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from interactivenet.doctor.checks import Check, gigabytes
from interactivenet.system.resources import Limits, read_limits

#: bytes. The demo's training, a tiny network on small scans, holds 0.9 GB at its peak, most of it
#: libraries; larger networks and scans, and --jobs, take several times as much
_LEAST_MEMORY, _GOOD_MEMORY = 2 * 10**9, 8 * 10**9
#: bytes, of batches on their way from the processes that draw samples
_GOOD_SHARED = 10**9
_SHARED = Path("/dev/shm")
_MORE_MEMORY = "allow more memory: docker run --memory, sbatch --mem"


@dataclass(frozen=True)
class ProcessorFacts:
    """A processor and what this process may have of it.

    allowed: cores by affinity.  quota: cores' worth of CPU time; None without a limit.  features:
    as the kernel names them.  bf16: whether torch multiplies in it.
    """

    model: str
    machine: str
    cores: int
    allowed: int
    available: int
    quota: float | None
    features: frozenset[str]
    bf16: bool


@dataclass(frozen=True)
class MemoryFacts:
    """Memory, bytes; None where unknown."""

    total: int | None
    available: int | None
    limits: Limits


def read_processor() -> ProcessorFacts:
    """Read what the kernel knows of the processor; imports torch."""
    from interactivenet.models.device import cpu_multiplies_bf16
    from interactivenet.system.parallel import available_cores

    text = ""
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    features = re.search(r"^(?:flags|Features)\s*: (.+)$", text, re.MULTILINE)
    cores = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return ProcessorFacts(
        model=model[1].strip() if model else platform.processor() or platform.machine(),
        machine=platform.machine(), cores=cores, allowed=affinity, available=available_cores(),
        quota=read_limits().cores, features=frozenset(features[1].split() if features else ()),
        bf16=cpu_multiplies_bf16(),
    )  # fmt: skip


def judge_processor(facts: ProcessorFacts) -> Check:
    """Say how many cores there are for this process, and which vector instructions."""
    x86 = facts.machine in ("x86_64", "AMD64")
    count = f"{facts.available} of {facts.cores} cores"
    if facts.quota is not None:
        count += f" (limited to the CPU time of {facts.quota:g}, {facts.allowed} allowed)"
    names = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_tile": "AMX", "sve": "SVE"}
    vectors = [name for flag, name in names.items() if flag in facts.features]
    finding = ", ".join(
        [facts.model, count, *vectors, "bf16" if facts.bf16 else "no bf16: fp32 is used"]
    )
    if x86 and facts.features and "avx2" not in facts.features:
        return Check("cpu", "note", f"{finding}; without AVX2, training and maps are several times"
                     " slower", "use a processor made since 2013, or a GPU")  # fmt: skip
    return Check("cpu", "ok", finding)


def read_memory() -> MemoryFacts:
    """Read how much memory the machine has, and what this process may have of it."""
    memory = psutil.virtual_memory()
    return MemoryFacts(memory.total, memory.available, read_limits())


def judge_memory(facts: MemoryFacts) -> Check:
    """Judge the total memory, or the limit of a container, and how much of it is free."""
    limit = facts.limits.memory
    sizes = [size for size in (facts.total, limit) if size is not None]
    if not sizes:
        return Check("memory", "note", "unknown on this system")
    size, free = min(sizes), facts.available
    finding = f"{gigabytes(size)}"
    if limit is not None and size == limit:
        finding += " is the limit of this container or job"
        left = limit - (facts.limits.used or 0)
        free = left if free is None else min(free, left)
    if free is not None:
        finding += f", {gigabytes(free)} free"
    if size < _LEAST_MEMORY:
        least = gigabytes(_LEAST_MEMORY)
        return Check(
            "memory", "problem", f"{finding}: even a tiny network needs {least}", _MORE_MEMORY
        )
    if size < _GOOD_MEMORY:
        return Check(
            "memory", "note", f"{finding}: large scans or networks may not fit", _MORE_MEMORY
        )
    if free is not None and free < _LEAST_MEMORY:
        return Check("memory", "note", f"{finding}: little is free", "close other programs")
    return Check("memory", "ok", finding)


def read_shared_memory() -> int | None:
    """Return the free bytes of the shared memory; None where there is no such folder."""
    return shutil.disk_usage(_SHARED).free if _SHARED.is_dir() else None


def judge_shared_memory(free: int | None, cuda: bool) -> Check:
    """Judge the shared memory that batches pass through; without CUDA, none do.

    free: bytes; None where there is no folder for it.
    """
    if free is None:
        return Check("shared memory", "ok", f"no {_SHARED} on this system")
    finding = f"{gigabytes(free)} free in {_SHARED}"
    if not cuda or free >= _GOOD_SHARED:
        return Check("shared memory", "ok", finding)
    return Check(
        "shared memory", "note", f"{finding}: samples may be drawn in the training process itself,"
        " which is slower", "use docker run --shm-size 2g, or --ipc=host",
    )  # fmt: skip
