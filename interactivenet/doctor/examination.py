"""All checks, in their order."""

from __future__ import annotations

from functools import partial

from interactivenet.doctor.checks import Check, isolated
from interactivenet.task import Roots

#: what the checks import themselves
_NEEDED = ("imports", "numpy", "numba", "torch")


def examine(roots: Roots, *, require_gpu: bool = False) -> list[Check]:
    """Check everything. Leaves nothing behind but compiled kernels, as every command does.

    require_gpu: that there is no CUDA device is a problem.
    """
    from interactivenet.doctor import folders, versions
    from interactivenet.doctor.mlflow_store import check_store

    found = isolated("versions", versions.check_versions)
    imports = isolated("imports", versions.check_imports)
    found += imports
    # what cannot be imported, or would end this process, is not imported here
    if any(check.subject in _NEEDED and check.status == "problem" for check in imports):
        found.append(Check("gpu", "problem" if require_gpu else "note", "not looked for"))
    else:
        found += isolated("computing", lambda: _computing(require_gpu))
    found += isolated("folders", lambda: folders.check_folders(roots))
    found += isolated("mlflow", lambda: check_store(roots.results))
    return found


def _computing(require_gpu: bool) -> list[Check]:
    from interactivenet.doctor import computer, cuda, gpu, kernels

    facts = gpu.GpuFacts()

    def cards() -> list[Check]:
        nonlocal facts
        facts = gpu.read_gpu()
        return gpu.judge_gpu(facts, required=require_gpu)

    def shared() -> list[Check]:
        return [computer.judge_shared_memory(computer.read_shared_memory(), facts.usable)]

    found = isolated("gpu", cards)
    for number in range(len(facts.cards)):
        found += isolated(f"gpu {number} test", partial(cuda.check_card, number))
    found += isolated("cpu", lambda: [computer.judge_processor(computer.read_processor())])
    found += isolated("kernels", kernels.check_kernels)
    found += isolated("memory", lambda: [computer.judge_memory(computer.read_memory())])
    return found + isolated("shared memory", shared)
