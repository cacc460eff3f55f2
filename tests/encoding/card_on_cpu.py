"""A launcher that runs the kernels of geodesic.cu on the CPU: the same source, compiled as C++."""

import ctypes
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch

from interactivenet.encoding.card_kernels import SOURCE

_HARNESS = Path(__file__).with_name("geodesic_on_cpu.cpp")
_FLAGS = ["-O1", "-std=c++17", "-ffp-contract=off", "-shared", "-fPIC", "-w"]
if platform.machine() == "x86_64":
    _FLAGS.append("-mfma")  # else std::fma is a function, which takes long


class CardOnCpu:
    """In place of CardLauncher. mode: 1 for any order of threads and tiles, 3 for stale reads."""

    def __init__(self, library, mode=0, seed=0, blocks=4):
        self.blocks = blocks
        self._library = library
        library.start(mode, seed)

    def launch(self, kernel, grid, block, arguments):
        pointers = [
            ctypes.c_void_p(one.data_ptr()) if isinstance(one, torch.Tensor) else ctypes.byref(one)
            for one in arguments
        ]
        getattr(self._library, f"launch_{kernel}")(grid, block, *pointers)


@cache
def _build():
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp())
    try:
        built = folder / "card.so"
        flags = [*_FLAGS, f'-DKERNEL="{SOURCE}"']
        made = subprocess.run(
            [compiler, *flags, str(_HARNESS), "-o", str(built)], capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        return ctypes.CDLL(str(built))
    finally:
        shutil.rmtree(folder)


def library():
    """The kernels as C++; skips where no compiler is there."""
    built = _build()
    if built is None:
        pytest.skip("no C++ compiler, which runs the kernels of a card on the CPU")
    return built
