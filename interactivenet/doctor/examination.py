"""All checks, in their order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from interactivenet.doctor.checks import Check, isolated

if TYPE_CHECKING:
    from interactivenet.datasets.roots import Roots

#: what the checks import themselves
_NEEDED = ("imports", "numpy", "numba", "torch")


def examine(choose_roots: Callable[[], Roots], *, require_gpu: bool = False) -> list[Check]:
    """Check everything. Leaves nothing behind but compiled kernels, as every command does.

    choose_roots: gives the folders of tasks; is not called where even NumPy cannot be imported.
    require_gpu: whether it is a problem that there is no CUDA device.
    """
    from interactivenet.doctor import versions

    checks = isolated("versions", versions.check_versions)
    imports = isolated("imports", versions.check_imports)
    checks += imports
    # what cannot be imported, or would end this process, is not imported here
    if any(check.subject in _NEEDED and check.status == "problem" for check in imports):
        checks.append(
            Check(
                "gpu",
                "problem" if require_gpu else "note",
                "not checked, as libraries cannot be imported",
            )
        )
    else:
        checks += isolated("computing", lambda: _computing(require_gpu))
    if not any(check.subject == "numpy" and check.status == "problem" for check in imports):
        checks += _around(choose_roots())
    return checks


def _around(roots: Roots) -> list[Check]:
    from interactivenet.doctor import folders
    from interactivenet.doctor.mlflow_store import check_store

    checks = isolated("folders", lambda: folders.check_folders(roots))
    return checks + isolated("mlflow", lambda: check_store(roots.results))


def _computing(require_gpu: bool) -> list[Check]:
    from interactivenet.doctor import computer, cuda, gpu, kernels

    facts = gpu.GpuFacts()

    def cards() -> list[Check]:
        nonlocal facts
        facts = gpu.read_gpu()
        return gpu.judge_gpu(facts, required=require_gpu)

    def shared() -> list[Check]:
        return [computer.judge_shared_memory(computer.read_shared_memory(), facts.usable)]

    checks = isolated("gpu", cards)
    for number in range(len(facts.cards)):
        checks += isolated(f"gpu {number} test", partial(cuda.check_card, number))
    checks += isolated("cpu", lambda: [computer.judge_processor(computer.read_processor())])
    checks += isolated("kernels", kernels.check_kernels)
    checks += isolated("memory", lambda: [computer.judge_memory(computer.read_memory())])
    return checks + isolated("shared memory", shared)
