"""CUDA C++ to code for a graphics card, by the library NVRTC that comes with torch's CUDA builds.

No compiler need be installed, and no CUDA toolkit: torch has the library for kernels of its own.
NVRTC's interface is public (docs.nvidia.com/cuda/nvrtc); what torch makes of it is not
(``torch.cuda._compile_kernel``), and asks for a toolkit's headers.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OPTIONS = ("-std=c++17", "-fmad=false", "-ftz=false", "-prec-div=true", "-prec-sqrt=true")


class CompilingError(RuntimeError):
    """A kernel cannot be compiled here, or not be loaded; the message says why, in one line."""


def compile_kernels(source: str, name: str, capability: tuple[int, int]) -> bytes:
    """Compile CUDA C++ for a card of a compute capability; returns a cubin.

    name: of the file, in messages. Raises CompilingError where the library is missing, does not
    know the card, or refuses the source.
    """
    library = _library()
    program = ctypes.c_void_p()
    made = library.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), name.encode(), 0, None, None
    )
    _check(library, made)
    try:
        options = [f"-arch=sm_{capability[0]}{capability[1]}", *_OPTIONS]
        texts = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if library.nvrtcCompileProgram(program, len(options), texts):
            log = _taken(library, program, "ProgramLog").decode(errors="replace")
            first = next((line for line in log.splitlines() if "error" in line), log.strip())
            raise CompilingError(f"NVRTC refuses {name}: {first.rstrip(chr(0)) or 'no reason'}")
        return _taken(library, program, "CUBIN")
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def nvrtc_version() -> str:
    """Return the version of the library, '13.0'. Raises CompilingError where it is missing."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    library = _library()
    _check(library, library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return f"{major.value}.{minor.value}"


def _library() -> ctypes.CDLL:
    for name in _names():
        with suppress(OSError):
            library = ctypes.CDLL(name)
            if hasattr(library, "nvrtcCreateProgram") and hasattr(library, "nvrtcGetCUBIN"):
                library.nvrtcGetErrorString.restype = ctypes.c_char_p
                return library
    raise CompilingError("the library NVRTC is missing, which comes with a CUDA build of torch")


def _names() -> Iterator[str]:
    """Where torch's library may be: loaded already, beside torch, or on the system's path."""
    import torch

    if torch.version.cuda is None:
        return
    major = torch.version.cuda.partition(".")[0]
    packages = Path(torch.__file__).parents[1]
    if sys.platform == "win32":
        yield f"nvrtc64_{major}0_0.dll"
        yield from map(str, (packages / "torch" / "lib").glob(f"nvrtc64_{major}*_0.dll"))
        return
    yield f"libnvrtc.so.{major}"
    for pattern in ("nvidia/*/lib/", "torch/lib/"):
        yield from map(str, packages.glob(f"{pattern}libnvrtc.so.{major}*"))
    # links NVRTC, and finds it where torch was told to look
    yield str(packages / "torch/lib/libcaffe2_nvrtc.so")


def _taken(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(library, getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    content = ctypes.create_string_buffer(size.value)
    _check(library, getattr(library, f"nvrtcGet{what}")(program, content))
    return content.raw


def _check(library: ctypes.CDLL, result: int) -> None:
    if result:
        raise CompilingError(f"NVRTC fails: {library.nvrtcGetErrorString(result).decode()}")
