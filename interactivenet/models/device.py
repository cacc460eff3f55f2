"""What a training runs on: device, precision, processes that draw samples."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from interactivenet.errors import RequestError
from interactivenet.planning.plan import Plan
from interactivenet.system.parallel import available_cores

#: as Lightning names them
PRECISIONS = {"bf16": "bf16-mixed", "fp16": "16-mixed", "fp32": "32-true"}
#: processes that draw samples for one graphics card
_MOST_WORKERS = 12
_SHARED_MEMORY = Path("/dev/shm")


def choose_device(device: str) -> str:
    """Return 'cuda' or 'cpu'; device: one of them, or 'auto'. Raises RequestError without CUDA.

    Every use of the network begins here: torch gets no more threads than there are cores for it.
    """
    _limit_threads()
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise RequestError(
            "there is no CUDA device that torch can use", field="device", value=device,
            remedy="run `doctor()` to see why",
        )  # fmt: skip
    return device


def _limit_threads() -> None:
    """Keep torch from a thread for each core of the machine where a container has fewer."""
    cores = available_cores()
    if torch.get_num_threads() > cores:
        torch.set_num_threads(cores)


@contextmanager
def kept_choice_of_kernels() -> Iterator[None]:
    """Put back what torch was told about its choice of kernels, for the whole process, before."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    benchmark, cudnn_deterministic = cudnn.benchmark, cudnn.deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        cudnn.benchmark, cudnn.deterministic = benchmark, cudnn_deterministic


def check_devices(devices: int, device: str) -> None:
    """Raise RequestError where there are fewer graphics cards than asked for."""
    if device == "cuda" and devices > torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise RequestError(
            field="devices", value=devices, expected=f"at most {count}, the number of CUDA devices"
        )


def choose_precision(precision: str, device: str) -> str:
    """Return a key of ``PRECISIONS``; precision: one of them, or 'auto'.

    Raises RequestError for fp16 on a CPU. bfloat16 where the device multiplies in it: three to four
    times faster than float32 on a CPU with AMX or AVX512-BF16, but slower on one without.
    """
    if precision == "fp16" and device == "cpu":
        raise RequestError(
            "needs CUDA", field="precision", value=precision, expected="bf16 or fp32 on a CPU"
        )
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if cpu_multiplies_bf16() else "fp32"


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU multiplies in bfloat16 (AMX, AVX512-BF16), and torch uses it."""
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


def choose_workers(workers: int | None, device: str, plan: Plan) -> tuple[int, str]:
    """Return how many processes draw samples, 0 for none, and a warning, '' for none.

    workers: as many as asked for; None for what suits the machine: on a CPU they would only take
    the network's cores, and samples on an object's own grid are drawn on the graphics card itself.
    Where the shared memory that batches pass through is too small, as in many containers, there are
    none.
    """
    if workers is None:
        drawn_here = device == "cpu" or plan.grid is not None
        workers = 0 if drawn_here else min(available_cores() - 1, _MOST_WORKERS)
    if not workers or not _SHARED_MEMORY.is_dir():
        return workers, ""
    x, y, z = plan.sample_shape
    batch = plan.batch_size * (4 * plan.channels + 1) * x * y * z
    needed = batch * (2 * workers + 2)  # two are prepared ahead by each, two are on their way
    free = shutil.disk_usage(_SHARED_MEMORY).free
    if free >= needed:
        return workers, ""
    return 0, (
        f"{_SHARED_MEMORY} has {free / 1e6:.0f} MB, {workers} workers need {needed / 1e6:.0f} MB:"
        " samples are drawn in the training process itself, which is slower; run `doctor()` to"
        " see how to get more"
    )


def worker_context() -> str:
    """Return how worker processes are started: never by fork, which can hang with threads."""
    methods = multiprocessing.get_all_start_methods()
    return "forkserver" if "forkserver" in methods else "spawn"


def rank(devices: int) -> int:
    """Return which of the processes that train one fold this is; 0 for the first, or only one."""
    return int(os.environ.get("LOCAL_RANK") or 0) if devices > 1 else 0
