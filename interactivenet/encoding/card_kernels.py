"""The kernels of the geodesic distance on a graphics card: compiled once, kept, launched.

What was compiled is kept where numba's functions are (:mod:`interactivenet.encoding.compiling`).
Importing this module imports torch.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from interactivenet.encoding.nvrtc import CompilingError, compile_kernels, nvrtc_version
from interactivenet.errors import DataError
from interactivenet.system.files import read_bytes, read_text, write_bytes

SOURCE = Path(__file__).with_name("geodesic.cu")
KERNELS = ("begin", "choose", "visit")

Argument = ctypes.Structure | Tensor


class Launcher(Protocol):
    """Starts the kernels of ``geodesic.cu``, one after the other.

    blocks: that a card runs at the same time.
    """

    blocks: int

    def launch(self, kernel: str, grid: int, block: int, arguments: Sequence[Argument]) -> None:
        """Start ``grid`` blocks of ``block`` threads, behind what was started before."""


class CardLauncher:
    """The kernels on one graphics card, on torch's current stream.

    Raises CompilingError where the driver refuses the code.
    """

    def __init__(self, device: torch.device, code: bytes) -> None:
        self._device = device
        self._driver = _driver()
        properties = torch.cuda.get_device_properties(device)
        self.blocks = 2 * properties.multi_processor_count
        with torch.cuda.device(device):
            torch.zeros(1, device=device)  # this thread has torch's context from here on
            self._module = ctypes.c_void_p()
            self._check(self._driver.cuModuleLoadData(ctypes.byref(self._module), code))
        self._kernels = {}
        for name in KERNELS:
            kernel = ctypes.c_void_p()
            found = self._driver.cuModuleGetFunction(
                ctypes.byref(kernel), self._module, name.encode()
            )
            self._check(found)
            self._kernels[name] = kernel

    def launch(self, kernel: str, grid: int, block: int, arguments: Sequence[Argument]) -> None:
        """Start a kernel. The caller keeps the tensors until the stream is done with them.

        torch's allocator gives memory that is let go of to later work on the same stream only. The
        thread must have used torch on this device before: then it has the context.
        """
        passed = [
            ctypes.c_void_p(argument.data_ptr()) if isinstance(argument, Tensor) else argument
            for argument in arguments
        ]
        pointers = (ctypes.c_void_p * len(passed))(*map(ctypes.addressof, passed))
        stream = ctypes.c_void_p(torch.cuda.current_stream(self._device).cuda_stream)
        self._check(
            self._driver.cuLaunchKernel(
                self._kernels[kernel], grid, 1, 1, block, 1, 1, 0, stream, pointers, None
            )
        )

    def _check(self, result: int) -> None:
        if result:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(result, ctypes.byref(text))
            raise CompilingError(f"the driver says: {(text.value or b'an error').decode()}")


def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def load_kernels(device: torch.device) -> CardLauncher:
    """Load the kernels for a card, compiled now or before. Raises CompilingError."""
    target = target_of(torch.cuda.get_device_capability(device))
    for kept in kept_code(target):
        # what was left by another driver, or half copied, must not count as a failure
        with suppress(DataError, OSError, CompilingError):
            return CardLauncher(device, read_bytes(kept))
    return CardLauncher(device, compile_and_keep(target))


def target_of(capability: tuple[int, int]) -> tuple[int, int]:
    """Return the lowest compute capability whose code runs on a card: of the same major version."""
    return capability if capability[0] < 8 else (capability[0], 0)


def compile_and_keep(target: tuple[int, int]) -> bytes:
    """Compile for a compute capability and keep the code where there is a place for it."""
    code = compile_kernels(read_text(SOURCE), SOURCE.name, target)
    with suppress(DataError, OSError):
        for place in kept_code(target)[:1]:
            write_bytes(place, code)
    return code


def kept_code(target: tuple[int, int]) -> list[Path]:
    """Return the files in which the code for a compute capability may be kept."""
    from interactivenet.encoding.compiling import kept_places

    made_from = f"{read_text(SOURCE)}\n{target}\n{nvrtc_version()}"
    name = f"geodesic-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}.cubin"
    return [folder / name for folder in kept_places()]
