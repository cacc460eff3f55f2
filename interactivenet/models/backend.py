"""What computes a network: PyTorch, or OpenVINO, which is faster on a CPU and is optional."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from interactivenet.errors import RequestError

TORCH, OPENVINO = "torch", "openvino"


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec(OPENVINO) is not None


def choose_backend(backend: str, device: str) -> str:
    """Return 'torch' or 'openvino'; backend: one of them, or 'auto'.  device: 'cpu' or 'cuda'.

    Raises RequestError for OpenVINO where it is not installed, or on a graphics card.
    """
    if backend == "auto":
        return OPENVINO if device == "cpu" and has_openvino() else TORCH
    if backend == OPENVINO and device != "cpu":
        raise RequestError(
            "computes on CPUs alone", field="backend", value=backend,
            expected=f"'torch' with `device={device!r}`", remedy="or choose `device='cpu'`",
        )  # fmt: skip
    if backend == OPENVINO and not has_openvino():
        raise RequestError(
            "is not installed", field="backend", value=backend, expected="'torch'",
            remedy="or install it: pip install 'interactivenet[openvino]'",
        )  # fmt: skip
    return backend


def describe_backend(backend: str) -> str:
    """Return what a record says of a chosen backend: '' of PyTorch, else its name and version."""
    if backend == TORCH:
        return ""
    try:
        return f"{backend} {version(backend)}"
    except PackageNotFoundError:  # found on the path alone
        return backend
